//! What is damaged in a store is named, and the rest is used.

use super::{json, outcome, stderr, stdout, store, succeeds};

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
