//! Games in other languages keep the promises of every game, and their episodes replay.

use std::path::PathBuf;
use std::sync::Arc;

use ludus_host::component::Component;
use ludus_host::conformance::{Bench, Settings};
use ludus_host::engine::Allocation;
use ludus_host::episode::Episode;
use ludus_host::hash::Hash;
use ludus_host::library::{Library, LibraryOptions};
use ludus_host::limits::Limits;
use ludus_host::player::Player;
use ludus_host::replay::{ComponentSource, SourceError, Verdict, replay};
use ludus_host::task::{Task, TaskSpec};

use crate::harness::game;

const GAMES: [&str; 6] = ["connect-four", "kuhn-poker", "liars-dice", "mastermind", "negotiation", "nim"];

fn options() -> LibraryOptions {
    let built = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../games-wasm/built");
    // Built and compiled here already, by whichever test needed it first.
    GAMES.iter().for_each(|name| drop(game(name)));
    LibraryOptions { games_dirs: vec![built], cache_dir: Library::standard_cache_dir(), limits: Limits::STANDARD }
}

/// The game on another host than the one that recorded.
struct Elsewhere(Arc<Component>);

impl ComponentSource for Elsewhere {
    fn component(&self, _: &Hash) -> Result<Arc<Component>, SourceError> {
        Ok(Arc::clone(&self.0))
    }
}

#[test]
fn every_game_in_another_language_keeps_its_promises() {
    let bench = Bench::open(&options()).expect("two hosts");
    for name in GAMES {
        // An interpreter in WebAssembly takes its time.
        let episodes = if name == "mastermind" { 4 } else { 40 };
        let (_, report) = bench.check(name, Settings { episodes, seed: 0 }, &mut |_, _| {}).expect(name);
        assert!(report.is_good(), "{name}: {report:#?}");
    }
}

#[test]
fn episodes_of_games_in_other_languages_replay_on_a_host_with_another_allocation() {
    let pooled = Library::open(options()).expect("a library");
    let on_demand = Library::open_with(options(), Allocation::OnDemand).expect("a library");
    for name in GAMES {
        let task = Task::resolve_for(&TaskSpec::single(name), &pooled, Player::Random).expect(name);
        let elsewhere = Elsewhere(on_demand.game(name).expect(name));
        for seed in 0..3 {
            let finished = Episode::new(Arc::clone(&task), seed, 0).finish().expect(name);
            assert_eq!(finished.fault, None, "{name}");
            assert_eq!(replay(finished.record.bytes(), &elsewhere).expect(name), Verdict::Identical, "{name}");
        }
    }
}
