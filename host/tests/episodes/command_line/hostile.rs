//! Games that mean ill, and a machine that has no memory left.

use std::path::Path;
use std::process::Command;

use ludus_host::turn::{Outcome, Progress, Request, Turn};
use serde_json::Value;

use super::playing::play;
use super::{json, outcome, stderr, stdout, store, succeeds};
use crate::games;
use crate::guest::Guest;

/// A game whose every text is one that a terminal obeys, and that traps in its step where `traps` says so.
fn obscene(dir: &Path, traps: bool) -> String {
    const TEXT: &str = "a\u{1b}]0;owned\u{7}\r\u{9b}2Jb\u{202e}";
    let turn = Turn::Decide(vec![Request { seat: 0, prompt: TEXT.to_string() }]);
    let over = Outcome { scores: vec![1.0, 0.0], counts: vec![], summary: TEXT.to_string() };
    let mut guest = Guest::good().with(|guest| {
        guest.start_returns(&turn);
        guest.legal_moves_return(Some(&[TEXT.to_string()]));
        guest.view_returns(TEXT);
        guest.step_returns(&Progress { rejections: vec![], turn: Turn::Over(over) });
    });
    if traps {
        guest = guest.body("step", "unreachable");
    }
    let path = dir.join("obscene.wasm");
    std::fs::write(&path, guest.bytes_of_component()).expect("written");
    path.to_str().expect("UTF-8").to_string()
}

fn obeys_nothing(text: &str) {
    let obeyed = |character: char| (character.is_control() && character != '\n') || character == '\u{202e}';
    assert!(!text.contains(obeyed), "{text:?}");
}

#[test]
fn no_text_of_a_game_makes_a_terminal_do_anything() {
    let dir = store();
    let game = obscene(dir.path(), false);
    let played = play(dir.path(), &["play", &game, "--seat", "0", "--against", "random"], ":moves\n:board\nleft\n");
    assert!(stdout(&played).contains("owned"), "{}{}", stdout(&played), stderr(&played));
    obeys_nothing(&stdout(&played));
    let listed = json(&succeeds(dir.path(), &["episodes", "--json"]));
    let shown = succeeds(dir.path(), &["show", listed[0]["hash"].as_str().expect("a hash")]);
    assert!(shown.contains("owned"), "{shown}");
    obeys_nothing(&shown);
    let missing = outcome(dir.path(), &["run", "no\u{1b}[2J.wasm"]);
    obeys_nothing(&stderr(&missing));
}

#[test]
fn a_game_that_traps_is_told_of_in_one_line() {
    let dir = store();
    let game = obscene(dir.path(), true);
    let played = play(dir.path(), &["play", &game, "--seat", "0", "--against", "random"], "left\n");
    let text = stdout(&played);
    let line = text.lines().position(|line| line.starts_with("The game failed")).expect("it says so");
    assert!(text.lines().nth(line + 1).is_some_and(|next| next.starts_with("Kept as")), "{text}");
    assert!(!text.contains("backtrace"), "{text}");
}

#[test]
fn a_game_is_checked_where_addresses_are_rationed() {
    let dir = store();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 8000000; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_ludus"), "--games"]);
    command.arg(games::built_dir()).args(["check", "tictactoe", "--episodes", "3"]).current_dir(dir.path());
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_shortage_of_memory_is_never_a_games_fault() {
    let dir = store();
    // Some bounds suffice for nothing, some for a part of the episodes, some for all.
    for kilobytes in [300_000, 350_000, 400_000, 500_000, 4_000_000] {
        let script = format!("ulimit -v {kilobytes}; exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_ludus"), "--store"]).arg(dir.path());
        command.arg("--games").arg(games::built_dir()).args(["run", "tictactoe", "-n", "200", "-j", "2"]);
        command.output().expect("it runs");
    }
    assert!(succeeds(dir.path(), &["run", "tictactoe", "-n", "10"]).contains("10 episodes"));
    assert_eq!(json(&succeeds(dir.path(), &["episodes", "--fault", "--json"])), Value::Array(vec![]));
    let nothing = succeeds(dir.path(), &["episodes", "--game", "chess"]);
    assert!(nothing.contains("The store has episodes of "), "{nothing}");
    assert!(succeeds(dir.path(), &["replay", "--all"]).contains("are identical"));
}
