//! The program as people call it.

mod damage;
mod hostile;
mod playing;
mod refusals;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::games;
use crate::guest::Guest;

pub fn ludus(store: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ludus"));
    command.arg("--store").arg(store).arg("--games").arg(games::built_dir()).args(arguments);
    command.env_remove("LUDUS_STORE").env_remove("LUDUS_GAMES").env("NO_COLOR", "1");
    command
}

pub fn outcome(store: &Path, arguments: &[&str]) -> Output {
    ludus(store, arguments).output().expect("ludus runs")
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

pub fn succeeds(store: &Path, arguments: &[&str]) -> String {
    let output = outcome(store, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

/// Bad input: one sentence, exit code 2, and no panic.
pub fn is_refused(store: &Path, arguments: &[&str], expected: &str) {
    let output = outcome(store, arguments);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    assert!(message.starts_with("ludus: ") && message.trim_end().lines().count() == 1, "{message}");
    assert!(message.contains(expected), "{arguments:?}: {message}");
}

pub fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

pub fn store() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn all_games_are_listed() {
    let dir = store();
    let text = succeeds(dir.path(), &["games"]);
    for name in ["matrix", "tictactoe", "spy", "math"] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{text}");
    }
    let listed = json(&succeeds(dir.path(), &["games", "--json"]));
    assert!(listed.as_array().is_some_and(|games| games.iter().all(|game| game["options_schema"].is_object())));
}

#[test]
fn episodes_are_the_same_with_any_number_of_jobs() {
    let [one, two] = ["1", "2"].map(|jobs| {
        let dir = store();
        let run = ["run", "tictactoe", "--episodes", "300", "--seed", "5", "--json", "--jobs", jobs];
        let statistics = json(&succeeds(dir.path(), &run));
        let listed = json(&succeeds(dir.path(), &["episodes", "--limit", "0", "--json"]));
        let hashes: Vec<String> =
            listed.as_array().expect("a list").iter().map(|episode| episode["hash"].to_string()).collect();
        assert_eq!(hashes.len(), 300);
        (statistics["digest"].clone(), statistics["task_return"].clone(), hashes)
    });
    assert_eq!(one, two);
    assert!(one.0.is_string());
}

#[test]
fn another_seed_gives_another_digest() {
    let dir = store();
    let digest = |seed| {
        let run = ["run", "tictactoe", "-n", "5", "--seed", seed, "--json", "--no-store"];
        json(&succeeds(dir.path(), &run))["digest"].clone()
    };
    assert_eq!(digest("1"), digest("1"));
    assert_ne!(digest("1"), digest("2"));
    assert!(!dir.path().join("episodes.sqlite3").exists(), "--no-store keeps nothing");
}

#[test]
fn a_run_is_replayed_listed_and_shown() {
    let dir = store();
    let text = succeeds(dir.path(), &["run", "spy", "-n", "4", "--against", "house:clues", "--run", "clues"]);
    assert!(text.contains("4 episodes in") && text.contains("digest"), "{text}");
    let replayed = succeeds(dir.path(), &["replay", "--all", "--run", "clues"]);
    assert_eq!(replayed, "4 of 4 episodes are identical\n");
    let listed = json(&succeeds(dir.path(), &["episodes", "--json", "--run", "clues", "--game", "spy"]));
    let hash = listed[0]["hash"].as_str().expect("a hash").to_string();
    assert_eq!(succeeds(dir.path(), &["replay", &hash[..16]]), format!("identical {hash}\n"));
    let shown = succeeds(dir.path(), &["show", &hash[..16]]);
    for part in ["Stage 1: spy", "house:clues", "is asked", "Return"] {
        assert!(shown.contains(part), "{part} is missing: {shown}");
    }
    assert!(!shown.contains('\u{1b}'), "no colours where nobody sees them");
}

#[test]
fn a_nested_task_is_read_from_a_file() {
    let dir = store();
    let path = dir.path().join("nested.toml");
    let text = "combine = \"product\"\nreveal = true\n[[stages]]\ngame = \"matrix\"\nplayers = [\"house:equilibrium\"]\n[[stages]]\ngame = \"tictactoe\"\n";
    std::fs::write(&path, text).expect("written");
    let statistics = json(&succeeds(dir.path(), &["run", path.to_str().expect("UTF-8"), "-n", "20", "--json"]));
    assert_eq!(statistics["task"], "nested");
    assert_eq!(statistics["stages"][0]["game"], "matrix");
    assert_eq!(statistics["stages"][1]["game"], "tictactoe");
    assert_eq!(succeeds(dir.path(), &["replay", "--all"]), "20 of 20 episodes are identical\n");
}

#[test]
fn a_game_is_listed_by_the_name_of_its_file() {
    let dir = store();
    std::fs::copy(games::built_dir().join("tictactoe.wasm"), dir.path().join("crosses.wasm")).expect("copied");
    let folder = dir.path().to_str().expect("UTF-8");
    let listed = succeeds(dir.path(), &["--games", folder, "games"]);
    assert!(listed.lines().any(|line| line.starts_with("crosses (tictactoe)")), "{listed}");
    succeeds(dir.path(), &["--games", folder, "run", "crosses", "-n", "1"]);
}

#[test]
fn a_new_game_is_begun_and_nothing_is_written_over() {
    let dir = store();
    let parent = dir.path().to_str().expect("UTF-8");
    for language in ["rust", "c", "zig", "go", "javascript", "python"] {
        let name = format!("in-{language}");
        let text = succeeds(dir.path(), &["new", &name, "--language", language, "--dir", parent]);
        assert!(text.contains("ludus build"), "{text}");
        is_refused(dir.path(), &["new", &name, "--language", language, "--dir", parent], "is there already");
    }
    is_refused(dir.path(), &["new", "Not A Name", "--dir", parent], "kebab-case");
    is_refused(dir.path(), &["build", parent], "ludus new");
}

#[test]
fn a_check_says_in_its_exit_code_whether_a_game_keeps_its_promises() {
    let dir = store();
    let report = json(&succeeds(dir.path(), &["check", "tictactoe", "--episodes", "20", "--json"]));
    assert_eq!(report["good"], true);
    let path = dir.path().join("sample.wasm");
    let hangs = Guest::good().body("step", "(loop $again (br $again)) (unreachable)");
    std::fs::write(&path, hangs.bytes_of_component()).expect("written");
    let output = outcome(dir.path(), &["check", path.to_str().expect("UTF-8"), "--episodes", "3"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("broken every episode ends"), "{}", stdout(&output));
    is_refused(dir.path(), &["check", "tictactow"], "did you mean `tictactoe`?");
}

#[test]
fn a_record_is_printed_byte_for_byte() {
    let dir = store();
    succeeds(dir.path(), &["run", "tictactoe", "-n", "1"]);
    let listed = json(&succeeds(dir.path(), &["episodes", "--json"]));
    let hash = listed[0]["hash"].as_str().expect("a hash");
    let record = outcome(dir.path(), &["show", hash, "--record"]).stdout;
    assert_eq!(ludus_host::hash::Hash::of(&record).to_string(), hash);
}
