//! Builds the games and templates of other languages, each once, and plays them call by call.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ludus_host::build::build;
use ludus_host::component::Component;
use ludus_host::instance::Instance;
use ludus_host::library::{Library, LibraryOptions};
use ludus_host::limits::Limits;
use ludus_host::stream::Stream;
use ludus_host::turn::{Move, Outcome, Progress, Request, Setup, Turn};
use serde_json::Value;

/// The game in `games-wasm/NAME`, built.
pub fn game(name: &str) -> Arc<Component> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../games-wasm").join(name);
    static LOADED: Mutex<BTreeMap<String, Arc<Component>>> = Mutex::new(BTreeMap::new());
    // Held while building, so that two tests do not build one game at once.
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let component = loaded.entry(name.to_string()).or_insert_with(|| load(&dir, &dir.join("../built")));
    Arc::clone(component)
}

/// Builds what lies in `dir` and loads it.
pub fn load(dir: &Path, out: &Path) -> Arc<Component> {
    let built = build(dir, Some(out)).unwrap_or_else(|error| panic!("{error}"));
    library().game(built[0].path.to_str().expect("UTF-8")).unwrap_or_else(|error| panic!("{error}"))
}

/// One library for all tests: each game is compiled once, and kept between runs.
pub fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let cache_dir = Library::standard_cache_dir();
        Library::open(LibraryOptions { games_dirs: vec![], cache_dir, limits: Limits::STANDARD }).expect("a library")
    })
}

/// A game in progress, with the randomness of one seed.
pub struct Played {
    pub instance: Instance,
    pub turn: Turn,
    seed: u64,
    steps: u32,
}

/// Deals a game.
pub fn deal(component: &Arc<Component>, seats: u32, options: Value, seed: u64) -> Played {
    let options = component.check_options(&options).unwrap_or_else(|error| panic!("{error}"));
    let begun = Instance::start(component, &Setup { seats, options }, stream(seed, 0));
    let (instance, turn) = begun.unwrap_or_else(|fault| panic!("{fault}\n{}", fault.detail));
    Played { instance, turn, seed, steps: 0 }
}

impl Played {
    /// Hands in one move of each asked seat.
    pub fn step(&mut self, moves: &[(u32, &str)]) -> Progress {
        self.steps += 1;
        let moves: Vec<Move> = moves.iter().map(|(seat, text)| Move { seat: *seat, text: text.to_string() }).collect();
        let stepped = self.instance.step(&moves, stream(self.seed, self.steps));
        let progress = stepped.unwrap_or_else(|fault| panic!("{fault}\n{}", fault.detail));
        self.turn = progress.turn.clone();
        progress
    }

    /// What is asked now; nothing once the game is over.
    pub fn requests(&self) -> &[Request] {
        match &self.turn {
            Turn::Decide(requests) => requests,
            Turn::Over(_) => &[],
        }
    }

    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.turn {
            Turn::Decide(_) => None,
            Turn::Over(outcome) => Some(outcome),
        }
    }

    /// The move of a house player for a seat that is asked.
    pub fn house(&mut self, seat: u32, player: &str) -> String {
        let random = stream(self.seed, 1_000_000 + self.steps * 64 + seat);
        self.instance.house_move(seat, player, random).unwrap_or_else(|fault| panic!("{fault}\n{}", fault.detail))
    }

    /// Lets house players, one a seat, play to the end.
    pub fn play_out(&mut self, players: &[&str]) -> Outcome {
        loop {
            if let Some(outcome) = self.outcome() {
                return outcome.clone();
            }
            let seats: Vec<u32> = self.requests().iter().map(|request| request.seat).collect();
            let texts: Vec<(u32, String)> =
                seats.into_iter().map(|seat| (seat, self.house(seat, players[seat as usize]))).collect();
            let moves: Vec<(u32, &str)> = texts.iter().map(|(seat, text)| (*seat, text.as_str())).collect();
            let progress = self.step(&moves);
            assert!(progress.rejections.is_empty(), "a house player is refused: {moves:?} {:?}", progress.rejections);
        }
    }
}

pub fn stream(seed: u64, call: u32) -> Stream {
    Stream::derive(seed, &["test".into(), call.into()])
}
