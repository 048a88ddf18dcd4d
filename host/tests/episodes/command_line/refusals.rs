//! Input that cannot be used gets a sentence.

use std::process::Command;

use super::{is_refused, outcome, stderr, store, succeeds};

#[test]
fn bad_input_gets_a_sentence_and_exit_code_2() {
    let dir = store();
    let store = dir.path();
    is_refused(store, &["run", "tictactow"], "did you mean `tictactoe`?");
    is_refused(store, &["run", "tictactoe", "--learner", "rnadom"], "there is no player `rnadom`");
    is_refused(store, &["run", "tictactoe", "--against", "house:optimum"], "did you mean `optimal`?");
    is_refused(store, &["run", "tictactoe", "--learner", "person"], "seats `person`, and nobody is there to ask");
    is_refused(store, &["run", "tictactoe", "--options", "{\"rows\": \"four\"}"], "rows");
    is_refused(store, &["run", "tictactoe", "--options", "rows"], "not JSON");
    is_refused(store, &["run", "tictactoe", "--seats", "5"], "2 seats");
    is_refused(store, &["run", "tictactoe", "--seat", "2"], "seat 2");
    is_refused(store, &["run", "nowhere.toml"], "nowhere.toml");
    is_refused(store, &["replay", "00"], "no store");
    is_refused(store, &["show", "00"], "no store");
    is_refused(store, &["run", "tictactoe", "--against", "house:fallible:7"], "needs a probability");
    is_refused(store, &["run", "tictactoe", "--against", "house:fallible:nan"], "needs a probability");
    is_refused(store, &["run", "tictactoe", "--learner", "house:optimal:x"], "There is no house player `optimal:x`");
    is_refused(store, &["run", "tictactoe", "--options", "{\"rows\": 3.0}"], "the game refuses it");
    is_refused(store, &["run", "tictactoe", "--against", "person"], "nobody is there to ask");
    succeeds(store, &["run", "tictactoe", "-n", "1"]);
    is_refused(store, &["replay", "zz"], "hexadecimal");
    is_refused(store, &["episodes", "--min-return", "nan"], "--min-return is NaN");
    is_refused(store, &["replay", "--all", "--run", "nobody"], "nobody");
}

#[test]
fn a_task_out_of_its_bounds_is_refused_with_the_bound() {
    let dir = store();
    let path = dir.path().join("task.toml");
    for (line, expected) in [
        ("illegal_penalty = 1e308", "`illegal_penalty` is 1e308, but must be from 0 to 100"),
        ("malformed_penalty = -0.5", "`malformed_penalty` is -0.5, but must be from 0 to 100"),
        ("malformed_penalty = nan", "but must be from 0 to 100"),
        ("[[stages]]\nattempts = 1001\ngame = \"spy\"", "must be from 1 to 1000"),
    ] {
        std::fs::write(&path, format!("{line}\n[[stages]]\ngame = \"tictactoe\"\n")).expect("written");
        is_refused(dir.path(), &["run", path.to_str().expect("UTF-8")], expected);
    }
}

#[test]
fn more_threads_than_any_machine_has_use_for_are_refused() {
    let dir = store();
    for arguments in [&["run", "tictactoe", "--jobs", "60000"][..], &["replay", "--all", "--jobs", "60000"]] {
        let output = outcome(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("60000 is not in 1..=1024"), "{}", stderr(&output));
    }
}

#[test]
fn a_pipe_is_no_game_and_no_task() {
    let dir = store();
    for name in ["pipe.wasm", "pipe.toml"] {
        let path = dir.path().join(name);
        assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
        is_refused(dir.path(), &["run", path.to_str().expect("UTF-8")], "no regular file");
    }
}

#[test]
fn a_folder_of_games_that_cannot_be_read_is_named() {
    let dir = store();
    // A file is no folder, for root neither.
    let path = dir.path().join("file");
    std::fs::write(&path, b"").expect("written");
    is_refused(dir.path(), &["--games", path.to_str().expect("UTF-8"), "run", "chess"], "file cannot be read");
}

#[test]
fn an_empty_file_in_the_place_of_a_store_is_refused_and_left_empty() {
    let dir = store();
    let path = dir.path().join("episodes.sqlite3");
    std::fs::write(&path, b"").expect("written");
    for arguments in [&["episodes"][..], &["show", "00"], &["replay", "--all"]] {
        is_refused(dir.path(), arguments, "no database of `ludus`");
    }
    assert_eq!(std::fs::read(&path).expect("read"), b"");
}

#[test]
fn a_file_that_is_no_component_is_refused() {
    let dir = store();
    let path = dir.path().join("junk.wasm");
    std::fs::write(&path, b"not a component").expect("written");
    is_refused(dir.path(), &["run", path.to_str().expect("UTF-8")], "junk.wasm");
}
