//! Golden records: episodes that were recorded once, with their components, and must replay for ever.
//!
//! `tests/golden/GAME/` holds `component.wasm` and records named by their hashes; `scripts/golden.sh` made them. Where one
//! of these tests fails, old records do not replay any more: that wants a new format version, not new golden records.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ludus_host::component::Component;
use ludus_host::engine::Allocation;
use ludus_host::hash::Hash;
use ludus_host::library::{Library, LibraryOptions};
use ludus_host::limits::Limits;
use ludus_host::replay::{ComponentSource, SourceError, Verdict, replay};

/// The one component of a golden game.
struct Golden(Arc<Component>);

impl ComponentSource for Golden {
    fn component(&self, _: &Hash) -> Result<Arc<Component>, SourceError> {
        Ok(Arc::clone(&self.0))
    }
}

fn golden_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

/// The games that are there, each with its folder.
fn games() -> Vec<PathBuf> {
    let entries = fs::read_dir(golden_dir()).expect("tests/golden");
    let mut games: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    games.sort();
    games
}

/// Replays every record on a host with this allocation; how many there were.
fn replay_all(allocation: Allocation) -> usize {
    let options = LibraryOptions { games_dirs: vec![], cache_dir: None, limits: Limits::STANDARD };
    let library = Library::open_with(options, allocation).expect("a library");
    let mut replayed = 0;
    for game in games() {
        let bytes = fs::read(game.join("component.wasm")).expect("component.wasm");
        let golden = Golden(library.from_bytes(bytes).expect("a game"));
        for entry in fs::read_dir(&game).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|extension| extension != "jsonl") {
                continue;
            }
            let record = fs::read(&path).expect("a record");
            let name = path.file_stem().expect("a name").to_string_lossy();
            assert_eq!(Hash::of(&record).to_string(), name, "the bytes of {} were changed", path.display());
            assert_eq!(replay(&record, &golden).expect("a replay"), Verdict::Identical, "{}", path.display());
            replayed += 1;
        }
    }
    replayed
}

#[test]
fn every_golden_record_replays_identically_from_a_pool_and_on_demand() {
    let replayed = replay_all(Allocation::STANDARD);
    assert!(replayed >= 3 * games().len() && replayed > 0, "{replayed} records");
    assert_eq!(replay_all(Allocation::OnDemand), replayed);
}

#[test]
fn golden_records_replay_identically_on_two_threads_at_once() {
    let threads = [(); 2].map(|()| std::thread::spawn(|| replay_all(Allocation::STANDARD)));
    let replayed: BTreeSet<usize> = threads.into_iter().map(|thread| thread.join().expect("it replays")).collect();
    assert_eq!(replayed.len(), 1);
}
