//! Games that mean harm, as their authors could write them: one in each of four languages, whose option `deed` says
//! what it does. A table names every deed with the one end that it comes to.
//!
//! Each deed is played on two hosts that differ in where instances get their memory: the game must say the same on
//! both, and an episode on one must replay on the other. Then the same component, without a deed, must play as before.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ludus_host::build::build;
use ludus_host::component::Component;
use ludus_host::engine::Allocation;
use ludus_host::episode::Episode;
use ludus_host::fault::{Call, Fault as Misdeed, FaultKind};
use ludus_host::hash::Hash;
use ludus_host::instance::Instance;
use ludus_host::library::{Library, LibraryOptions};
use ludus_host::limits::Limits;
use ludus_host::player::Player;
use ludus_host::replay::{ComponentSource, SourceError, Verdict, replay};
use ludus_host::task::{Task, TaskSpec};
use ludus_host::turn::{Move, Setup};
use serde_json::json;

use crate::harness::stream;

/// How a deed ends.
#[derive(Debug)]
enum End {
    Fault(FaultKind, Call),
    /// It can do no harm: it plays to its end, always the same, and says this on the way.
    Plays(&'static str),
}

use Call::{HouseMove, LegalMoves, Start, Step, View};
use End::{Fault, Plays};
use FaultKind::{
    BadCounts, BadHousePlayer, BadLegalMoves, BadScores, BadSeats, BadText, BoundaryTooLarge, DrewRandomness,
    OutOfFuel, OutOfMemory, StackOverflow, TooManySteps, Trap,
};

#[test]
fn every_hostile_game_in_c_comes_to_its_expected_end_and_the_host_goes_on() {
    check(
        "c",
        &[
            ("loops", Fault(OutOfFuel, Start)),
            ("recurses", Fault(StackOverflow, Step)),
            // The stack for what has an address ends where the memory begins.
            ("recurses-in-memory", Fault(Trap, Step)),
            ("allocates-for-ever", Fault(OutOfMemory, Step)),
            ("writes-where-malloc-failed", Fault(Trap, Step)),
            ("writes-past-an-array", Fault(Trap, Step)),
            ("writes-over-everything", Fault(Trap, Step)),
            ("reads-past-its-memory", Fault(Trap, Step)),
            ("frees-twice", Plays("Over")),
            ("calls-a-number", Fault(Trap, Step)),
            ("prints-for-ever", Fault(OutOfFuel, Step)),
            ("aborts", Fault(Trap, Step)),
            ("exits", Fault(Trap, Step)),
            ("scores-nan", Fault(BadScores, Step)),
            ("scores-too-much", Fault(BadScores, Step)),
            ("asks-seat-99", Fault(Trap, Start)),
            ("never-ends", Fault(TooManySteps, Step)),
            ("breaks-utf-8", Fault(Trap, Start)),
            ("talks-10-mb", Fault(BoundaryTooLarge, Start)),
            ("lists-too-many", Fault(BadLegalMoves, LegalMoves)),
            ("has-no-player", Fault(BadHousePlayer, HouseMove)),
            ("draws-in-a-view", Fault(DrewRandomness, View)),
            // While the host gives back what it was returned.
            ("loops-after-a-view", Fault(OutOfFuel, View)),
            ("draws-after-a-step", Fault(Trap, Step)),
            // Also what nobody wrote yet, after others have filled their memories.
            ("tells-its-memory", Plays("tails? ")),
            ("counts-episodes", Plays("0 played before")),
            ("asks-the-library", Plays("at 946684800, then 946688400")),
            ("looks-around", Plays("tails? 0 0 0")),
        ],
    );
}

#[test]
fn every_hostile_game_in_javascript_comes_to_its_expected_end_and_the_host_goes_on() {
    check(
        "javascript",
        &[
            ("loops", Fault(OutOfFuel, Step)),
            ("loops-at-once", Fault(OutOfFuel, Start)),
            ("backtracks", Fault(OutOfFuel, Step)),
            ("recurses", Fault(StackOverflow, Step)),
            ("catches-its-recursion", Fault(StackOverflow, Step)),
            ("doubles-a-text", Fault(Trap, Step)),
            ("fills-memory", Fault(OutOfMemory, Step)),
            ("catches-its-lack-of-memory", Fault(OutOfMemory, Step)),
            ("throws-null", Fault(Trap, Step)),
            ("throws-a-number", Fault(Trap, Start)),
            ("throws-a-text", Fault(Trap, HouseMove)),
            ("throws-what-throws", Fault(Trap, Start)),
            ("refuses-with-an-object", Fault(Trap, HouseMove)),
            ("scores-nan", Fault(BadScores, Step)),
            ("scores-less-than-nothing", Fault(BadScores, Step)),
            ("scores-texts", Fault(Trap, Step)),
            ("scores-what-shifts", Fault(Trap, Step)),
            ("turns-to-nothing", Fault(Trap, Start)),
            ("turns-to-a-promise", Fault(Trap, Start)),
            ("asks-seat-99", Fault(BadSeats, Start)),
            ("asks-a-seat-twice", Fault(BadSeats, Start)),
            ("never-ends", Fault(TooManySteps, Step)),
            ("asks-with-an-object", Fault(Trap, Start)),
            ("talks-too-long", Fault(BadText, Start)),
            ("talks-3-mb", Fault(BoundaryTooLarge, Start)),
            ("lists-half-a-letter", Fault(Trap, LegalMoves)),
            ("lists-holes", Fault(Trap, LegalMoves)),
            ("draws-in-a-view", Fault(DrewRandomness, View)),
            ("spoils-every-list", Fault(Trap, Step)),
            ("counts-episodes", Plays("0 played before")),
            ("asks-the-library", Plays("at 2000-01-01T00:00:00.000Z, 946684800000")),
            ("looks-around", Plays("tails? undefined,undefined,undefined,undefined,undefined")),
            ("evaluates", Plays("tails? 42")),
        ],
    );
}

#[test]
fn every_hostile_game_in_python_comes_to_its_expected_end_and_the_host_goes_on() {
    check(
        "python",
        &[
            ("loops", Fault(OutOfFuel, Step)),
            ("backtracks", Fault(OutOfFuel, Step)),
            ("raises-to-a-huge-power", Fault(OutOfFuel, Step)),
            ("prints-for-ever", Fault(OutOfFuel, Step)),
            ("recurses", Fault(Trap, Step)),
            ("catches-its-recursion", Plays("tails? 99")),
            ("parses-deep", Fault(StackOverflow, Step)),
            ("fills-a-list", Fault(OutOfMemory, Step)),
            ("catches-its-lack-of-memory", Fault(OutOfMemory, Step)),
            ("raises-exit", Fault(Trap, HouseMove)),
            ("exits", Fault(Trap, Step)),
            ("raises-what-raises", Fault(Trap, Step)),
            ("runs-nonsense", Fault(Trap, Step)),
            ("scores-nan", Fault(BadScores, Step)),
            ("scores-nobody", Fault(BadScores, Step)),
            ("scores-for-ever", Fault(OutOfFuel, Step)),
            ("scores-a-huge-number", Fault(Trap, Step)),
            ("turns-to-a-generator", Plays("Over")),
            ("asks-seat-99", Fault(BadSeats, Start)),
            ("asks-seat-minus-1", Fault(Trap, Start)),
            ("never-ends", Fault(TooManySteps, Step)),
            ("asks-with-bytes", Fault(Trap, Start)),
            ("asks-with-half-a-letter", Fault(Trap, Start)),
            ("talks-10-mb", Fault(BoundaryTooLarge, Start)),
            ("lists-a-text", Fault(Trap, LegalMoves)),
            ("draws-in-a-view", Fault(DrewRandomness, View)),
            ("lists-files", Fault(Trap, Step)),
            ("opens-a-socket", Fault(Trap, Step)),
            ("spoils-the-builtins", Fault(Trap, Step)),
            ("counts-episodes", Plays("0 played before")),
            ("asks-the-library", Plays("at 947684800.0")),
            ("tells-hashes", Plays("object at 0x")),
            ("looks-around", Plays("FileNotFoundError ModuleNotFoundError OSError RuntimeError")),
        ],
    );
}

#[test]
fn every_hostile_game_in_rust_comes_to_its_expected_end_and_the_host_goes_on() {
    check(
        "rust",
        &[
            ("loops", Fault(OutOfFuel, Step)),
            ("loops-in-its-panic", Fault(OutOfFuel, Step)),
            ("panics", Fault(Trap, Step)),
            // The stack for what has an address ends where the memory begins.
            ("recurses", Fault(Trap, Step)),
            ("grows-a-list", Fault(OutOfMemory, Step)),
            ("reserves-too-much", Fault(OutOfMemory, Step)),
            ("writes-to-nowhere", Fault(Trap, Step)),
            // Address 0 is the far end of its stack.
            ("writes-to-null", Plays("Over")),
            ("calls-a-number", Fault(Trap, Step)),
            ("exits", Fault(Trap, Step)),
            ("reads-the-clock", Fault(Trap, Step)),
            ("starts-a-thread", Fault(Trap, Step)),
            ("scores-nan", Fault(BadScores, Step)),
            ("scores-one-seat", Fault(BadScores, Step)),
            ("counts-nonsense", Fault(BadCounts, Step)),
            ("asks-seat-99", Fault(BadSeats, Start)),
            ("asks-backwards", Fault(Trap, Start)),
            ("never-ends", Fault(TooManySteps, Step)),
            ("breaks-utf-8", Fault(Trap, Start)),
            ("talks-10-mb", Fault(BoundaryTooLarge, Start)),
            ("lists-twice", Plays("heads\", \"heads")),
            ("lists-too-many", Fault(BadLegalMoves, LegalMoves)),
            ("draws-in-legal-moves", Fault(DrewRandomness, LegalMoves)),
            ("draws-in-a-view", Fault(DrewRandomness, View)),
            ("draws-below-nothing", Fault(Trap, Step)),
            ("hashes-in-any-order", Plays("tails? [")),
            ("counts-episodes", Plays("0 played before")),
            ("looks-around", Plays("tails? [false, false, false, false]")),
        ],
    );
}

/// Builds the game in one language, and lets it do each of its deeds.
fn check(language: &str, deeds: &[(&str, End)]) {
    let folder = tempfile::tempdir().expect("a folder");
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/languages/hostile").join(language);
    copy(&source, folder.path()).expect("a copy of the game");
    let built = build(folder.path(), None).unwrap_or_else(|error| panic!("{error}"));
    let path = built[0].path.to_str().expect("UTF-8");
    let [host, other_host] = [Allocation::STANDARD, Allocation::OnDemand].map(open);
    let [game, elsewhere] =
        [&host, &other_host].map(|host| host.game(path).unwrap_or_else(|error| panic!("{language}: {error}")));

    // What is no deed of the game would be refused, and what is not in the table would never be tried.
    let names: Vec<&str> = ["none"].into_iter().chain(deeds.iter().map(|(deed, _)| *deed)).collect();
    assert_eq!(game.manifest.options_schema["properties"]["deed"]["enum"], json!(names), "{language}");

    let good = play(&game, "none");
    assert_eq!(good.misdeed, None, "{language}");
    let mut wrong = Vec::new();
    for (deed, end) in deeds {
        let story = play(&game, deed);
        if !end.is_of(&story) {
            wrong.push(format!("{deed} ends otherwise: {story:#?}"));
        }
        if play(&game, deed).said != story.said || play(&elsewhere, deed).said != story.said {
            wrong.push(format!("{deed} goes another way the second time"));
        }
        let (misdeed, verdict) = record_and_replay(&host, path, &elsewhere, deed);
        if misdeed != end.without_queries() || verdict != Verdict::Identical {
            wrong.push(format!("{deed} in an episode: {misdeed:?}, {verdict:?}"));
        }
        if play(&game, "none").said != good.said {
            wrong.push(format!("{deed} leaves something behind"));
        }
    }
    assert!(wrong.is_empty(), "{language}: {}", wrong.join("\n"));
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() { copy(&path, &copied) } else { fs::copy(&path, &copied).map(drop) }?;
    }
    Ok(())
}

/// Keeps no compiled code: interpreters differ with every build of them.
fn open(allocation: Allocation) -> Library {
    let options = LibraryOptions { games_dirs: vec![], cache_dir: None, limits: Limits::STANDARD };
    Library::open_with(options, allocation).expect("a library")
}

/// What a game answered to every call, the last of which may be a misdeed.
#[derive(Debug)]
struct Story {
    said: Vec<String>,
    misdeed: Option<Misdeed>,
}

impl End {
    fn is_of(&self, story: &Story) -> bool {
        match (self, &story.misdeed) {
            (Fault(kind, call), Some(misdeed)) => (*kind, *call) == (misdeed.kind, misdeed.call),
            (Plays(part), None) => story.said.iter().any(|said| said.contains(part)),
            _ => false,
        }
    }

    /// The misdeed where nobody asks the game anything but to start and step.
    fn without_queries(&self) -> Option<(FaultKind, Call)> {
        match self {
            Fault(kind, call @ (Start | Step)) => Some((*kind, *call)),
            _ => None,
        }
    }
}

fn play(game: &Arc<Component>, deed: &str) -> Story {
    let mut said = Vec::new();
    let misdeed = play_to_the_end(game, deed, &mut said).err();
    said.extend(misdeed.iter().map(|misdeed| format!("{} in {}", misdeed.kind, misdeed.call)));
    Story { said, misdeed }
}

/// Every call, to the end of the game or its first misdeed.
fn play_to_the_end(game: &Arc<Component>, deed: &str, said: &mut Vec<String>) -> Result<(), Misdeed> {
    let options = game.check_options(&json!({ "deed": deed })).expect("a deed of the game");
    let (mut instance, turn) = Instance::start(game, &Setup { seats: 2, options }, stream(1, 0))?;
    said.push(format!("{turn:?}"));
    for step in 1.. {
        said.push(instance.view(None)?);
        let mut moves = Vec::new();
        for seat in instance.asked().to_vec() {
            said.push(format!("{:?}", instance.legal_moves(seat)?));
            moves.push(Move { seat, text: instance.house_move(seat, "random", stream(1, 1_000 * step + seat))? });
        }
        if moves.is_empty() {
            break;
        }
        said.push(format!("{:?}", instance.step(&moves, stream(1, step))?));
    }
    Ok(())
}

/// An episode on one host, executed again on the other.
fn record_and_replay(
    host: &Library,
    path: &str,
    elsewhere: &Arc<Component>,
    deed: &str,
) -> (Option<(FaultKind, Call)>, Verdict) {
    let mut spec = TaskSpec::single(path);
    spec.stages[0].options = json!({ "deed": deed });
    spec.stages[0].players = vec!["script:heads,tails".to_string()];
    let learner = Player::Script(vec!["heads".to_string()]);
    let task = Task::resolve_for(&spec, host, learner).unwrap_or_else(|error| panic!("{deed}: {error}"));
    let finished = Episode::new(task, 1, 0).finish().unwrap_or_else(|error| panic!("{deed}: {error}"));
    let verdict = replay(finished.record.bytes(), &Elsewhere(Arc::clone(elsewhere)));
    let misdeed = finished.fault.map(|misdeed| (misdeed.kind, misdeed.call));
    (misdeed, verdict.unwrap_or_else(|error| panic!("{deed}: {error}")))
}

struct Elsewhere(Arc<Component>);

impl ComponentSource for Elsewhere {
    fn component(&self, _: &Hash) -> Result<Arc<Component>, SourceError> {
        Ok(Arc::clone(&self.0))
    }
}
