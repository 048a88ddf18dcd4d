//! A person at the terminal.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use super::{is_refused, ludus, stderr, stdout, store, succeeds};

pub fn play(store: &Path, arguments: &[&str], typed: impl AsRef<[u8]>) -> Output {
    let mut command = ludus(store, arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ludus runs");
    child.stdin.take().expect("stdin").write_all(typed.as_ref()).expect("typed");
    child.wait_with_output().expect("ludus ends")
}

const GAME: [&str; 9] =
    ["play", "tictactoe", "--seat", "0", "--options", "{\"first\":\"seat-0\"}", "--against", "script:4,5,6", "--seed"];

#[test]
fn a_person_plays_a_game_that_is_kept_and_replays() {
    let dir = store();
    let output = play(dir.path(), &[&GAME[..], &["3"]].concat(), ":help\n:moves\n1\n4\n:board\n2\n3\n");
    let text = stdout(&output);
    assert!(output.status.success(), "{text}{}", stderr(&output));
    for part in
        ["seat 0: you", "seat 1: script:4,5,6", "Type your move", "Cell 4 is taken.", "Your score: 1", " replay "]
    {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    assert_eq!(succeeds(dir.path(), &["replay", "--all"]), "1 of 1 episodes are identical\n");
}

#[test]
fn bytes_that_are_no_text_are_a_move_that_is_refused() {
    let dir = store();
    let output = play(dir.path(), &[&GAME[..], &["3"]].concat(), b"\xff\xfe\n1\n2\n3\n");
    let text = stdout(&output);
    assert!(output.status.success(), "{text}{}", stderr(&output));
    assert!(text.contains("A move is one number from 1 to 9.") && text.contains("Your score: 1"), "{text}");
}

#[test]
fn a_store_that_cannot_be_used_is_named_before_anything_is_played() {
    let dir = store();
    let file = dir.path().join("file");
    std::fs::write(&file, b"").expect("written");
    is_refused(&file.join("store"), &[&GAME[..], &["3"]].concat(), "cannot use");
    std::fs::write(dir.path().join("episodes.sqlite3"), b"something that is no database at all").expect("written");
    is_refused(dir.path(), &[&GAME[..], &["3"]].concat(), "no database of `ludus`");
}

#[test]
fn a_person_may_leave_and_nothing_is_kept() {
    for typed in ["1\n:quit\n", "1\n", ""] {
        let dir = store();
        let output = play(dir.path(), &[&GAME[..], &["3"]].concat(), typed);
        assert!(output.status.success());
        assert!(stdout(&output).contains("You left the game"), "{}", stdout(&output));
        assert!(!dir.path().join("episodes.sqlite3").exists());
    }
}
