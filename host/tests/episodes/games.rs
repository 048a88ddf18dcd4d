//! What these tests play with: the games of this repository, built once, and tasks whose results are known by hand.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use ludus_host::build::build;
use ludus_host::component::Component;
use ludus_host::episode::{Decision, Episode, Finished};
use ludus_host::hash::Hash;
use ludus_host::library::{Library, LibraryOptions};
use ludus_host::limits::Limits;
use ludus_host::replay::{ComponentSource, SourceError};
use ludus_host::task::{LearnerSeat, StageSpec, Task, TaskSpec};
use serde_json::json;

/// The folder with the built games.
pub fn built_dir() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let games = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../games-wasm");
            // Where they are fresh, cargo only looks at the dates.
            build(&games, None).expect("the games are built");
            games.join("built")
        })
        .clone()
}

/// One library for all tests: each game is compiled once.
pub fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let games_dirs = vec![built_dir()];
        Library::open(LibraryOptions { games_dirs, cache_dir: None, limits: Limits::STANDARD }).expect("a library")
    })
}

/// Tic-tac-toe in which the learner has seat 0 and moves first, against moves that are written down.
pub fn tictactoe(opponent: &str) -> StageSpec {
    StageSpec {
        options: json!({ "first": "seat-0" }),
        learner: LearnerSeat::Seat(0),
        players: vec![opponent.to_string()],
        ..StageSpec::new("tictactoe")
    }
}

/// The learner wins with `1 2 3`, loses with `1 2 9`, and can fail in many ways.
pub const ROW_PLAYER: &str = "script:4,5,6";
pub const WIN: [&str; 3] = ["1", "2", "3"];
pub const LOSS: [&str; 3] = ["1", "2", "9"];

/// The learner draws with `DRAW`.
pub const DRAW_PLAYER: &str = "script:5,2,7,6";
pub const DRAW: [&str; 5] = ["1", "9", "8", "3", "4"];

/// The prisoner's dilemma, in which the learner has seat 0. Its score is 0.6 for A against A, 1 for B against A, 0 for A
/// against B, 0.2 for B against B.
pub fn dilemma(opponent: &str) -> StageSpec {
    StageSpec {
        options: json!({ "game": "prisoners-dilemma", "shuffle_labels": false, "row_seat": "seat-0" }),
        learner: LearnerSeat::Seat(0),
        players: vec![opponent.to_string()],
        ..StageSpec::new("matrix")
    }
}

pub fn task(stages: Vec<StageSpec>) -> TaskSpec {
    TaskSpec { name: "test".to_string(), stages, ..TaskSpec::default() }
}

pub fn begin(spec: &TaskSpec, seed: u64, member: u32) -> Episode {
    Episode::new(Task::resolve(spec, library()).expect("a task"), seed, member)
}

/// Plays with these replies in this order, and keeps what was asked.
pub fn play(spec: &TaskSpec, replies: &[&str]) -> (Finished, Vec<Decision>) {
    play_seed(spec, 1, 0, replies)
}

pub fn play_seed(spec: &TaskSpec, seed: u64, member: u32, replies: &[&str]) -> (Finished, Vec<Decision>) {
    let mut episode = begin(spec, seed, member);
    let mut asked = Vec::new();
    let mut replies = replies.iter();
    while !episode.is_over() {
        for decision in episode.pending().to_vec() {
            episode.answer(decision.seat, replies.next().expect("a reply for every decision"));
            asked.push(decision);
        }
    }
    assert_eq!(replies.next(), None, "every reply was asked for");
    (episode.finish().unwrap(), asked)
}

/// Plays the learner's seat by always taking the first legal move.
pub fn play_first_moves(spec: &TaskSpec, seed: u64, member: u32) -> Finished {
    let mut episode = begin(spec, seed, member);
    while !episode.is_over() {
        for decision in episode.pending().to_vec() {
            let moves = episode.legal_moves(decision.seat).expect("a list of moves");
            episode.answer(decision.seat, &moves[0]);
        }
    }
    episode.finish().unwrap()
}

/// The components of the library, whatever the hash: the one that a replay asks for, or another in its place.
pub struct Components {
    pub all: Vec<Arc<Component>>,
    pub in_place_of_all: Option<Arc<Component>>,
}

impl Components {
    pub fn built() -> Components {
        let all = ["tictactoe", "matrix", "spy", "math"].map(|name| library().game(name).expect("a built game"));
        Components { all: all.to_vec(), in_place_of_all: None }
    }

    pub fn of(component: &Arc<Component>) -> Components {
        Components { all: vec![Arc::clone(component)], in_place_of_all: None }
    }
}

impl ComponentSource for Components {
    fn component(&self, hash: &Hash) -> Result<Arc<Component>, SourceError> {
        let wanted = self.all.iter().find(|component| component.hash == *hash);
        self.in_place_of_all.as_ref().or(wanted).cloned().ok_or_else(|| "it is not there".into())
    }
}
