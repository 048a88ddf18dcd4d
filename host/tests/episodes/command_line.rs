//! The program as people call it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use ludus_host::turn::{Outcome, Progress, Request, Turn};
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
fn broken_records_are_named_and_the_others_still_replayed() {
    let dir = store();
    succeeds(dir.path(), &["run", "tictactoe", "-n", "3"]);
    let database = rusqlite::Connection::open(dir.path().join("episodes.sqlite3")).expect("the database");
    database
        .execute("UPDATE episodes SET record = CAST(replace(CAST(record AS TEXT), '\"member\":0', '\"member\":1') AS BLOB) WHERE seed = 1", [])
        .expect("changed");
    let output = outcome(dir.path(), &["replay", "--all"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "2 of 3 episodes are identical\n");
    assert!(stderr(&output).contains("its bytes were changed"), "{}", stderr(&output));
}

#[test]
fn a_record_that_was_edited_and_hashed_again_differs() {
    let dir = store();
    succeeds(dir.path(), &["run", "tictactoe", "-n", "1"]);
    let database = rusqlite::Connection::open(dir.path().join("episodes.sqlite3")).expect("the database");
    let record: Vec<u8> = database.query_row("SELECT record FROM episodes", [], |row| row.get(0)).expect("a record");
    let text = String::from_utf8(record).expect("UTF-8");
    let score = text.rfind("\"combined\":").expect("an end");
    let edited = format!("{}{}", &text[..score], text[score..].replace("\"combined\":", "\"combined\":0."));
    let edited = edited.replace("0.0.", "0.0").replace("0.1.", "0.1");
    let hash = ludus_host::hash::Hash::of(edited.as_bytes()).to_string();
    database.pragma_update(None, "foreign_keys", false).expect("switched off");
    database
        .execute("UPDATE episodes SET record = ?1, hash = ?2", rusqlite::params![edited.as_bytes(), hash])
        .expect("changed");
    database.execute("UPDATE appearances SET hash = ?1", [&hash]).expect("changed");
    let output = outcome(dir.path(), &["replay", &hash[..10]]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(stdout(&output).starts_with("differs "), "{}", stdout(&output));
}

#[test]
fn a_missing_component_names_every_episode_that_needs_it() {
    let dir = store();
    succeeds(dir.path(), &["run", "tictactoe", "-n", "2"]);
    let listed = json(&succeeds(dir.path(), &["episodes", "--json"]));
    std::fs::remove_dir_all(dir.path().join("components")).expect("removed");
    let output = outcome(dir.path(), &["replay", "--all"]);
    assert_eq!(output.status.code(), Some(1));
    let message = stderr(&output);
    for episode in listed.as_array().expect("a list") {
        let hash = episode["hash"].as_str().expect("a hash");
        let line = message.lines().find(|line| line.contains(&hash[..12]));
        assert!(line.is_some_and(|line| line.contains("is missing")), "{message}");
    }
}

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
fn an_entry_that_cannot_be_read_is_named_and_the_others_still_listed() {
    for broken in ["null", "no JSON", "{\"task_return\":null,\"combined\":0,\"stages\":[]}"] {
        let dir = store();
        succeeds(dir.path(), &["run", "tictactoe", "-n", "3"]);
        let database = rusqlite::Connection::open(dir.path().join("episodes.sqlite3")).expect("the database");
        let hash: String =
            database.query_row("SELECT hash FROM episodes WHERE seed = 1", [], |row| row.get(0)).expect("a hash");
        database.execute("UPDATE episodes SET result = ?1 WHERE seed = 1", [broken]).expect("changed");
        drop(database);
        let output = outcome(dir.path(), &["episodes", "--json"]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(json(&stdout(&output)).as_array().map(Vec::len), Some(2));
        assert!(stderr(&output).contains(&hash[..12]), "{}", stderr(&output));
        let of_a_game = outcome(dir.path(), &["episodes", "--json", "--game", "tictactoe"]);
        assert_eq!(json(&stdout(&of_a_game)).as_array().map(Vec::len), Some(2), "{}", stderr(&of_a_game));
    }
}

#[test]
fn a_hash_that_was_changed_is_named_and_the_others_still_replayed() {
    let dir = store();
    succeeds(dir.path(), &["run", "tictactoe", "-n", "3"]);
    let database = rusqlite::Connection::open(dir.path().join("episodes.sqlite3")).expect("the database");
    database.pragma_update(None, "foreign_keys", false).expect("switched off");
    database.execute("UPDATE episodes SET hash = 'ruined' WHERE seed = 1", []).expect("changed");
    drop(database);
    let output = outcome(dir.path(), &["replay", "--all"]);
    assert_eq!(output.status.code(), Some(1));
    // Neither the entry without a name nor the name without an entry is one that could be replayed.
    assert_eq!(stdout(&output), "2 of 4 episodes are identical\n");
    assert!(stderr(&output).contains("`ruined`"), "{}", stderr(&output));
    assert!(stderr(&output).contains("cannot be replayed"), "{}", stderr(&output));
    let listed = outcome(dir.path(), &["episodes", "--json"]);
    assert_eq!(listed.status.code(), Some(1), "an appearance without its episode");
    assert_eq!(json(&stdout(&listed)).as_array().map(Vec::len), Some(2));
}

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
fn a_file_that_is_no_component_is_refused() {
    let dir = store();
    let path = dir.path().join("junk.wasm");
    std::fs::write(&path, b"not a component").expect("written");
    is_refused(dir.path(), &["run", path.to_str().expect("UTF-8")], "junk.wasm");
}

fn play(store: &Path, arguments: &[&str], typed: impl AsRef<[u8]>) -> Output {
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
fn a_game_is_listed_by_the_name_of_its_file() {
    let dir = store();
    std::fs::copy(games::built_dir().join("tictactoe.wasm"), dir.path().join("crosses.wasm")).expect("copied");
    let folder = dir.path().to_str().expect("UTF-8");
    let listed = succeeds(dir.path(), &["--games", folder, "games"]);
    assert!(listed.lines().any(|line| line.starts_with("crosses (tictactoe)")), "{listed}");
    succeeds(dir.path(), &["--games", folder, "run", "crosses", "-n", "1"]);
}

#[test]
fn a_damaged_page_is_told_although_every_episode_that_is_found_replays() {
    let dir = store();
    succeeds(dir.path(), &["run", "tictactoe", "-n", "3"]);
    let path = dir.path().join("episodes.sqlite3");
    let mut bytes = std::fs::read(&path).expect("the database");
    let page = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    // A page that no table knows of.
    bytes.extend(vec![0; page]);
    let pages = u32::try_from(bytes.len() / page).expect("a small file");
    bytes[28..32].copy_from_slice(&pages.to_be_bytes());
    std::fs::write(&path, bytes).expect("changed");
    let output = outcome(dir.path(), &["replay", "--all"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "3 of 3 episodes are identical\n");
    assert!(stderr(&output).contains("is damaged"), "{}", stderr(&output));
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
    assert!(succeeds(dir.path(), &["replay", "--all"]).contains("are identical"));
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
