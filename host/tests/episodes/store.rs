//! The store keeps what it was given, and notices what was changed.

use std::path::Path;

use ludus_host::catalogue::Filter;
use ludus_host::component_files::StoredComponents;
use ludus_host::episode::Finished;
use ludus_host::replay::{Verdict, replay};
use ludus_host::store::{Labels, Store, StoreError, StoredEpisode};

use crate::games::{self, LOSS, ROW_PLAYER, WIN};

fn finished(seed: u64) -> Finished {
    let replies = if seed.is_multiple_of(2) { WIN } else { LOSS };
    games::play_seed(&games::task(vec![games::tictactoe(ROW_PLAYER)]), seed, 0, &replies).0
}

fn stored(finished: &Finished, run: &str, step: u64) -> StoredEpisode {
    StoredEpisode {
        finished: finished.clone(),
        labels: Labels { run: run.to_string(), step: Some(step), task: "test".to_string() },
        engine: "an engine".to_string(),
        created_at_s: 1_700_000_000 + step,
    }
}

fn fill(dir: &Path, number: u64) -> (Store, Vec<Finished>) {
    let mut store = Store::open(dir).expect("a store");
    store.put_component(games::library().game("tictactoe").expect("a game").bytes()).expect("kept");
    let all: Vec<Finished> = (0..number).map(finished).collect();
    let batch: Vec<StoredEpisode> = all.iter().map(|finished| stored(finished, "first", finished.seed)).collect();
    store.append(&batch).expect("kept");
    (store, all)
}

#[test]
fn a_stored_episode_comes_back_whole_and_replays() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, all) = fill(dir.path(), 3);
    drop(store);
    let store = Store::open_read_only(dir.path()).expect("it is there");
    let components = StoredComponents::new(store.components(), games::library());
    for finished in &all {
        let hash = finished.record.hash();
        let record = store.record(&hash).expect("the record");
        assert_eq!(record, finished.record.bytes());
        assert_eq!(replay(&record, &components).expect("a replay"), Verdict::Identical);
        assert_eq!(store.entry(&hash).expect("the entry").result, finished.result);
    }
    assert_eq!(store.hashes(None).expect("hashes"), all.iter().map(|one| one.record.hash()).collect::<Vec<_>>());
}

#[test]
fn the_same_episode_in_two_runs_is_kept_once_and_listed_twice() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut store, all) = fill(dir.path(), 1);
    store.append(&[stored(&all[0], "second", 9), stored(&all[0], "second", 9)]).expect("kept");
    assert_eq!(store.hashes(None).expect("hashes").len(), 1);
    let runs: Vec<String> = store
        .list(&Filter::default())
        .expect("a list")
        .into_iter()
        .map(|listed| listed.expect("an entry").labels.run)
        .collect();
    assert_eq!(runs, ["second", "first"]);
    assert_eq!(store.hashes(Some("second")).expect("hashes").len(), 1);
    assert_eq!(store.hashes(Some("third")).expect("hashes").len(), 0);
}

#[test]
fn a_list_holds_what_passes_the_filter() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, _) = fill(dir.path(), 6);
    let seeds = |filter: Filter| -> Vec<u64> {
        store.list(&filter).expect("a list").into_iter().map(|listed| listed.expect("an entry").seed).collect()
    };
    assert_eq!(seeds(Filter::default()), [5, 4, 3, 2, 1, 0]);
    assert_eq!(seeds(Filter { return_min: Some(0.5), ..Filter::default() }), [4, 2, 0]);
    assert_eq!(seeds(Filter { limit: Some(2), ..Filter::default() }), [5, 4]);
    assert_eq!(seeds(Filter { game: Some("tictactoe".to_string()), ..Filter::default() }).len(), 6);
    assert_eq!(seeds(Filter { game: Some("spy".to_string()), ..Filter::default() }), [0; 0]);
    assert_eq!(seeds(Filter { faults_only: true, ..Filter::default() }), [0; 0]);
}

#[test]
fn a_seed_of_64_bits_survives_the_store() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(dir.path()).expect("a store");
    let finished = finished(u64::MAX);
    store.append(&[stored(&finished, "", 0)]).expect("kept");
    assert_eq!(store.entry(&finished.record.hash()).expect("the entry").seed, u64::MAX);
}

#[test]
fn a_beginning_of_a_hash_finds_its_episode_or_says_why_not() {
    let dir = tempfile::tempdir().expect("a folder");
    // 17 hashes have 16 first digits: two of them begin alike.
    let (store, all) = fill(dir.path(), 17);
    let hash = all[0].record.hash();
    assert_eq!(store.find(&hash.to_string()).expect("found"), hash);
    assert_eq!(store.find(&hash.to_string().to_uppercase()[..20]).expect("found"), hash);
    let shared = (0..16)
        .map(|digit| format!("{digit:x}"))
        .find(|digit| matches!(store.find(digit), Err(StoreError::Ambiguous { .. })));
    let message = store.find(&shared.expect("a shared digit")).expect_err("ambiguous").to_string();
    assert!(message.contains("write more digits"), "{message}");
    assert!(matches!(store.find("xyz"), Err(StoreError::NotAHash(_))));
    assert!(matches!(store.find(""), Err(StoreError::NotAHash(_))));
    assert!(matches!(store.find(&"0".repeat(64)), Err(StoreError::NotFound(_))));
}

#[test]
fn a_flipped_byte_in_a_record_is_noticed() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, all) = fill(dir.path(), 2);
    let hash = all[0].record.hash();
    let mut bytes = all[0].record.bytes().to_vec();
    bytes[100] ^= 1;
    let database = rusqlite::Connection::open(dir.path().join("episodes.sqlite3")).expect("the database");
    let changed = database
        .execute("UPDATE episodes SET record = ?1 WHERE hash = ?2", rusqlite::params![bytes, hash.to_string()])
        .expect("changed");
    assert_eq!(changed, 1);
    assert!(matches!(store.record(&hash), Err(StoreError::RecordChanged(changed)) if changed == hash));
    assert!(store.record(&all[1].record.hash()).is_ok());
}

#[test]
fn an_episode_that_a_run_made_and_the_store_lost_is_still_asked_for() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, all) = fill(dir.path(), 3);
    let lost = all[1].record.hash();
    let database = rusqlite::Connection::open(dir.path().join("episodes.sqlite3")).expect("the database");
    database.pragma_update(None, "foreign_keys", false).expect("a pragma");
    assert_eq!(database.execute("DELETE FROM episodes WHERE hash = ?1", [lost.to_string()]).expect("deleted"), 1);
    assert_eq!(store.hashes(Some("first")).expect("hashes"), [0, 2, 1].map(|index: usize| all[index].record.hash()));
    assert!(matches!(store.record(&lost), Err(StoreError::NotFound(_))));
    store.check_structure().expect("no page is damaged");
}

#[test]
fn a_page_without_its_rows_is_noticed() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, _) = fill(dir.path(), 40);
    drop(store);
    let path = dir.path().join("episodes.sqlite3");
    let mut bytes = std::fs::read(&path).expect("the database");
    let page = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    // The first leaf of a table (13) behind the schema's page says that it holds no cells.
    let leaf = (1..bytes.len() / page).map(|number| number * page).find(|&start| bytes[start] == 13).expect("a leaf");
    bytes[leaf + 3..leaf + 5].fill(0);
    std::fs::write(&path, bytes).expect("changed");
    let store = Store::open_read_only(dir.path()).expect("the schema is whole");
    assert!(matches!(store.check_structure(), Err(StoreError::Damaged { .. })));
}

#[test]
fn a_changed_or_missing_component_is_noticed_and_not_overwritten() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, _) = fill(dir.path(), 1);
    let component = games::library().game("tictactoe").expect("a game");
    let path = dir.path().join(format!("components/{}.wasm", component.hash));
    std::fs::write(&path, b"something else").expect("written");
    assert!(matches!(store.component(&component.hash), Err(StoreError::ComponentChanged { .. })));
    assert!(matches!(store.put_component(component.bytes()), Err(StoreError::ComponentChanged { .. })));
    assert_eq!(std::fs::read(&path).expect("read"), b"something else");
    std::fs::remove_file(&path).expect("removed");
    assert!(matches!(store.component(&component.hash), Err(StoreError::ComponentMissing { .. })));
    // A pipe would be waited for without end.
    assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
    assert!(matches!(store.component(&component.hash), Err(StoreError::Io { .. })));
    std::fs::remove_file(&path).expect("removed");
    assert_eq!(store.put_component(component.bytes()).expect("kept again"), component.hash);
}

#[test]
fn a_store_of_another_layout_is_refused_as_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(fill(dir.path(), 1));
    let database = rusqlite::Connection::open(dir.path().join("episodes.sqlite3")).expect("the database");
    database.pragma_update(None, "user_version", 99).expect("changed");
    assert!(matches!(Store::open(dir.path()), Err(StoreError::UnknownVersion { found: 99, .. })));
}

#[test]
fn two_processes_may_write_to_one_store() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut one = Store::open(dir.path()).expect("a store");
    let mut other = Store::open(dir.path()).expect("the same store");
    std::thread::scope(|scope| {
        for (store, first) in [(&mut one, 0), (&mut other, 100)] {
            scope.spawn(move || {
                for seed in first..first + 20 {
                    store.append(&[stored(&finished(seed), "shared", seed)]).expect("kept");
                }
            });
        }
    });
    assert_eq!(one.hashes(None).expect("hashes").len(), 40);
}

#[test]
fn where_there_is_no_store_nothing_is_made() {
    let dir = tempfile::tempdir().expect("a folder");
    let nowhere = dir.path().join("nowhere");
    assert!(matches!(Store::open_read_only(&nowhere), Err(StoreError::Missing(_))));
    assert!(!nowhere.exists());
}

#[test]
fn reading_a_store_changes_no_byte_of_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, all) = fill(dir.path(), 2);
    drop(store);
    let path = dir.path().join("episodes.sqlite3");
    let database = rusqlite::Connection::open(&path).expect("the database");
    // A writer would switch this back.
    database.pragma_update(None, "journal_mode", "DELETE").expect("changed");
    drop(database);
    let before = std::fs::read(&path).expect("read");
    let mut store = Store::open_read_only(dir.path()).expect("a store");
    assert_eq!(store.list(&Filter::default()).expect("a list").len(), 2);
    assert!(store.record(&all[0].record.hash()).is_ok());
    assert!(store.append(&[stored(&finished(7), "", 0)]).is_err());
    drop(store);
    assert_eq!(std::fs::read(&path).expect("read"), before);
}

#[test]
fn what_is_no_store_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("episodes.sqlite3");
    for content in [&b""[..], b"These are notes, and no database, whatever their name says."] {
        std::fs::write(&path, content).expect("written");
        assert!(matches!(Store::open_read_only(dir.path()), Err(StoreError::Foreign(_))));
        assert_eq!(std::fs::read(&path).expect("read"), content);
    }
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Foreign(_))));
    std::fs::remove_file(&path).expect("removed");
    let database = rusqlite::Connection::open(&path).expect("a database");
    database.execute_batch("CREATE TABLE notes (text TEXT); PRAGMA user_version = 1;").expect("made");
    drop(database);
    let before = std::fs::read(&path).expect("read");
    assert!(matches!(Store::open_read_only(dir.path()), Err(StoreError::Foreign(_))));
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Foreign(_))));
    assert_eq!(std::fs::read(&path).expect("read"), before);
}

#[test]
fn a_store_whose_database_was_cut_to_nothing_is_not_begun_anew() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(fill(dir.path(), 1));
    std::fs::write(dir.path().join("episodes.sqlite3"), b"").expect("cut");
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Damaged { .. })));
}

#[test]
fn a_store_whose_name_has_strange_letters_is_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let strange = dir.path().join("50% of #1?");
    std::fs::create_dir(&strange).expect("made");
    drop(fill(&strange, 1));
    assert_eq!(Store::open_read_only(&strange).expect("a store").hashes(None).expect("hashes").len(), 1);
}
