//! The host's own rows: tic-tac-toe under random legal play, by layer.

use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::time::Instant;

use ludus_host::component::Component;
use ludus_host::component_files::StoredComponents;
use ludus_host::episode::{Episode, Finished};
use ludus_host::instance::Instance;
use ludus_host::library::{Library, LibraryOptions};
use ludus_host::limits::Limits;
use ludus_host::player::Player;
use ludus_host::replay::{Replayer, Verdict};
use ludus_host::store::{Labels, Store, StoredEpisode};
use ludus_host::stream::Stream;
use ludus_host::task::{Task, TaskSpec};
use ludus_host::turn::{Move, Setup, Turn};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What a contender does with a number of episodes: how many steps they took, and nanoseconds.
type Work = Box<dyn FnMut(u64) -> Result<(u64, u64)>>;

/// The rows, as `speed contender NAME` knows them and as people read them.
pub const ALL: [(&str, &str); 4] = [
    ("instance", "ludus: a fresh instance an episode, prompts and legal moves"),
    ("episode", "ludus: whole episodes, players and hashed record included"),
    ("replay", "ludus: replays, compared byte by byte"),
    ("store", "ludus: records appended to the store, 256 at a time"),
];

/// The games of this repository, and the cache of compiled ones.
pub fn library() -> Result<Library> {
    Ok(Library::open(LibraryOptions {
        games_dirs: Library::standard_dirs(&[]),
        cache_dir: Library::standard_cache_dir(),
        limits: Limits::STANDARD,
    })?)
}

/// Answers each number of episodes on the input with steps and nanoseconds.
pub fn serve(name: &str) -> Result<()> {
    let mut work = contender(name)?;
    for line in std::io::stdin().lock().lines() {
        let (steps, nanoseconds) = work(line?.trim().parse()?)?;
        println!("{steps} {nanoseconds}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn contender(name: &str) -> Result<Work> {
    let library = Arc::new(library()?);
    let task = || Task::resolve_for(&TaskSpec::single("tictactoe"), &library, Player::Random);
    match name {
        "instance" => {
            let component = library.game("tictactoe")?;
            let setup = Setup { seats: 2, options: component.check_options(&serde_json::json!({}))? };
            Ok(Box::new(move |episodes| {
                timed(|| (0..episodes).map(|seed| play_instance(&component, &setup, seed)).sum())
            }))
        }
        "episode" => {
            let task = task()?;
            Ok(Box::new(move |episodes| {
                timed(|| {
                    let play = |seed| -> Result<u64> {
                        let finished = Episode::new(Arc::clone(&task), seed, 0).finish()?;
                        black_box(finished.record.hash());
                        Ok(steps(&finished))
                    };
                    (0..episodes).map(play).sum()
                })
            }))
        }
        "replay" => {
            let task = task()?;
            let folder = tempfile::tempdir()?;
            Store::open(folder.path())?.put_component(task.stages()[0].component.bytes())?;
            Ok(Box::new(move |episodes| {
                let store = Store::open_read_only(folder.path())?;
                let components = StoredComponents::new(store.components(), &library);
                let played = play_all(&task, episodes)?;
                let mut replayer = Replayer::new(&components);
                timed(|| {
                    for finished in &played {
                        if replayer.replay(finished.record.bytes())? != Verdict::Identical {
                            return Err("a replay differs".into());
                        }
                    }
                    Ok(played.iter().map(steps).sum())
                })
            }))
        }
        "store" => {
            let task = task()?;
            Ok(Box::new(move |episodes| {
                let played = play_all(&task, episodes)?;
                let steps = played.iter().map(steps).sum();
                let stored: Vec<StoredEpisode> = played.into_iter().map(stored).collect();
                // Beside the clone, where stores usually lie: a folder for temporary files may be memory.
                let folder = tempfile::tempdir_in(".")?;
                let mut store = Store::open(folder.path())?;
                timed(|| {
                    stored.chunks(256).try_for_each(|batch| store.append(batch))?;
                    Ok(steps)
                })
            }))
        }
        _ => Err(format!("there is no contender `{name}`").into()),
    }
}

#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn timed(work: impl FnOnce() -> Result<u64>) -> Result<(u64, u64)> {
    let began = Instant::now();
    let steps = work()?;
    Ok((steps, began.elapsed().as_nanos() as u64))
}

fn play_instance(component: &Arc<Component>, setup: &Setup, seed: u64) -> Result<u64> {
    let mut random = Stream::derive(seed, &[]);
    let (mut instance, mut turn) = Instance::start(component, setup, random.clone())?;
    let mut steps = 0;
    while let Turn::Decide(requests) = turn {
        let seat = requests[0].seat;
        black_box(&requests[0].prompt);
        let mut legal = instance.legal_moves(seat)?.ok_or("tic-tac-toe lists its moves")?;
        let text = legal.swap_remove(random.below(legal.len() as u32) as usize);
        turn = instance.step(&[Move { seat, text }], random.clone())?.turn;
        steps += 1;
    }
    Ok(steps)
}

fn play_all(task: &Arc<Task>, episodes: u64) -> Result<Vec<Finished>> {
    (0..episodes).map(|seed| Ok(Episode::new(Arc::clone(task), seed, 0).finish()?)).collect()
}

/// Every step of tic-tac-toe asks one seat.
fn steps(finished: &Finished) -> u64 {
    let lines = finished.record.bytes().split(|byte| *byte == b'\n');
    lines.filter(|line| line.starts_with(br#"{"line":"ask""#)).count() as u64
}

fn stored(finished: Finished) -> StoredEpisode {
    let labels = Labels { run: "bench".to_string(), step: None, task: "tictactoe".to_string() };
    StoredEpisode { finished, labels, engine: "bench".to_string(), created_at_s: 0 }
}
