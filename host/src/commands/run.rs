//! `ludus run`: sandboxed players and endpoints play a task many times.
//!
//! Worker threads take the next seed, play its episode and send it back; this thread puts them in the order of their
//! seeds, adds them up and hands them in batches to a thread that stores them, so that nobody waits for the disk. Neither
//! statistics nor store depend on the number of threads, and whoever ends the run early leaves whole episodes behind.
//!
//! Where endpoints play, each worker has many episodes going on (`drive`), and all of them share the endpoints' bounds.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::bail;
use ludus_host::drive;
use ludus_host::endpoint::{Calls, Tally};
use ludus_host::episode::Finished;
use ludus_host::fault::HostFailure;
use ludus_host::hash::Hash;
use ludus_host::player::Player;
use ludus_host::shown;
use ludus_host::store::{Labels, StoreError};
use ludus_host::task::Task;
use serde_json::json;

use crate::Places;
use crate::clock::Stopwatch;
use crate::commands::seating::{Opponent, Seating};
use crate::commands::shelf::Shelf;
use crate::commands::statistics::Statistics;
use crate::commands::{JOBS_MAX, open_library, standard_jobs};
use crate::interruption::{self, INTERRUPTED};
use crate::terminal::{self, DIM, clean, styled};

/// So often somebody looks whether the run is to end, and what waits to be stored, also where no episode is over.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A game's name, a component's file, or a task file (.toml or .json)
    task: String,
    /// How many episodes; episode i has the seed SEED + i
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    episodes: u64,
    /// The seed of the first episode
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// How many threads play [default: as many as there are cores]; the episodes are the same with any number
    #[arg(long, short = 'j', value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=JOBS_MAX))]
    jobs: Option<u16>,
    /// How many episodes are going on at the same time where endpoints play
    #[arg(long, value_name = "NUMBER", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=2048))]
    at_once: u16,
    /// Who plays the learner's seats: random, house:NAME, script:MOVE,MOVE, search:PLAYOUTS or endpoint:NAME
    #[arg(long, value_name = "PLAYER", default_value = "random")]
    learner: String,
    #[command(flatten)]
    seating: Seating,
    /// The run's name in the store
    #[arg(long, value_name = "NAME", default_value = "")]
    run: String,
    /// Keep no records
    #[arg(long)]
    no_store: bool,
    /// Print the statistics as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  ludus run tictactoe --episodes 1000 --seed 7
  ludus run tictactoe --learner house:optimal --against house:fallible:0.2
  ludus run spy --seats 5 --against house:clues --json
  ludus run nested.toml -n 10000 --no-store
  ludus run spy --against endpoint:rival --endpoints endpoints.toml

Scores above one half count as won, exactly one half as drawn.";

pub fn run(places: &Places, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let learner = Player::parse(&arguments.learner)?;
    let library = open_library(places)?;
    let (task, endpoints) = arguments.seating.task(&arguments.task, &library, learner, Opponent::Random)?;
    task.refuse_unasked(|player| matches!(player, Player::Endpoint(_)))?;
    let calls = drive::open_calls(&task, &endpoints)?;
    if arguments.seed.checked_add(arguments.episodes).is_none() {
        bail!(
            "the seeds from {} on do not suffice for {} episodes; use a smaller --seed",
            arguments.seed,
            arguments.episodes
        );
    }
    let shelf = if arguments.no_store {
        None
    } else {
        let labels = Labels { run: arguments.run.clone(), step: None, task: task.name().to_string() };
        Some(Shelf::open(&places.store, &task, labels, library.engine_fingerprint())?)
    };
    let mut jobs = arguments.jobs.map_or_else(standard_jobs, usize::from);
    if !drive::endpoints_of(&task).is_empty() {
        // Each thread has one episode going on at least.
        jobs = jobs.min(usize::from(arguments.at_once));
    }
    let watch = Stopwatch::start();
    let (statistics, outcome) = play_all(&task, &calls, arguments, jobs, shelf)?;
    let seconds = watch.elapsed_s();
    let rate = statistics.episodes as f64 / seconds.max(1e-9);

    let mut output = terminal::output();
    if arguments.json {
        let mut object = serde_json::to_value(&statistics)?;
        object["task"] = json!(task.name());
        object["learner"] = json!(arguments.learner);
        object["seed"] = json!(arguments.seed);
        object["seconds"] = json!(seconds);
        object["episodes_per_s"] = json!(rate);
        object["endpoints"] = json!(calls.tallies());
        writeln!(output, "{}", shown::json(&object)?)?;
    } else {
        statistics.write(&mut output)?;
        for (name, tally) in calls.tallies() {
            writeln!(output, "{}", told(&name, &tally))?;
        }
        // Episodes against a server may take minutes.
        let digits = if rate < 10.0 { 2 } else { 0 };
        let threads = if jobs == 1 { "1 thread".to_string() } else { format!("{jobs} threads") };
        let episodes = statistics.episodes;
        writeln!(output, "{episodes} episodes in {seconds:.1} s on {threads}: {rate:.digits$} episodes/s")?;
        if let Some(digest) = statistics.digest {
            writeln!(output, "{} {digest}", styled(DIM, "digest"))?;
        }
    }
    outcome?;
    if statistics.episodes < arguments.episodes {
        let stopped = format!("Stopped after {} of {} episodes.", statistics.episodes, arguments.episodes);
        // Nothing may stand behind JSON.
        if arguments.json {
            eprintln!("{stopped}")
        } else {
            writeln!(output, "{stopped}")?
        }
        return Ok(ExitCode::from(INTERRUPTED));
    }
    Ok(ExitCode::SUCCESS)
}

/// What an endpoint did.
fn told(name: &str, tally: &Tally) -> String {
    let Tally { replies, failed, repeated, last_failure } = tally;
    let mut line =
        format!("endpoint {}: {replies} replies, {failed} calls failed, {repeated} tries repeated", clean(name));
    if let Some(reason) = last_failure {
        line += &format!("; the last failure: {reason}");
    }
    line
}

/// Plays, adds up and stores. What was played before a failure is as good as ever, so it comes with the failure.
fn play_all(
    task: &Arc<Task>,
    calls: &Calls,
    arguments: &Arguments,
    jobs: usize,
    shelf: Option<Shelf>,
) -> anyhow::Result<(Statistics, anyhow::Result<()>)> {
    // Episodes that were begun are finished, which the fuel of an episode bounds, and the time limits of endpoints.
    interruption::listen()?;
    let next = AtomicU64::new(0);
    let seed = || {
        let index = (!interruption::came()).then(|| next.fetch_add(1, Ordering::Relaxed))?;
        (index < arguments.episodes).then(|| arguments.seed + index)
    };
    let (sender, receiver) = sync_channel(4 * jobs);
    let bar = terminal::progress_bar(arguments.episodes, "episodes");
    let mut kept = Kept { statistics: Statistics::new(), shelf };
    let failure = std::thread::scope(|scope| {
        let mut workers = Vec::new();
        for worker in 0..jobs {
            // Its part of the episodes that are going on.
            let at_once = usize::from(arguments.at_once);
            let share = (at_once / jobs + usize::from(worker < at_once % jobs)).max(1);
            let (sender, calls) = (sender.clone(), calls.another());
            workers.push(scope.spawn(move || {
                let done = |seed, finished: Result<Finished, HostFailure>| {
                    let finished = finished.map(|finished| (finished.record.hash(), finished));
                    // Nobody listens any more where storing failed.
                    sender.send((seed, finished)).is_ok()
                };
                drive::play(task, calls, share, std::iter::from_fn(seed), done)
            }));
        }
        drop(sender);
        let mut early: BTreeMap<u64, (Hash, Finished)> = BTreeMap::new();
        let mut due = arguments.seed;
        let mut failure = None;
        let mut is_asked_to_end = false;
        loop {
            match receiver.recv_timeout(LOOK) {
                Ok((seed, Ok(finished))) => drop(early.insert(seed, finished)),
                Ok((_, Err(host))) => {
                    failure = Some(anyhow::Error::from(host));
                    break;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while let Some(finished) = early.remove(&due) {
                kept.put(finished)?;
                due += 1;
            }
            bar.set_position(due - arguments.seed);
            let was_asked_to_end = std::mem::replace(&mut is_asked_to_end, interruption::came());
            kept.send_what_waits(is_asked_to_end && !was_asked_to_end)?;
        }
        // Workers must not wait for somebody who listens no more.
        drop(receiver);
        for worker in workers {
            let stopped = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).err();
            failure = failure.or(stopped.map(anyhow::Error::from));
        }
        // Where a run broke off, some are there without those before them.
        early.into_values().try_for_each(|finished| kept.put(finished))?;
        anyhow::Ok(failure)
    })?;
    bar.finish_and_clear();
    kept.shelf.map_or(Ok(()), Shelf::finish)?;
    Ok((kept.statistics, failure.map_or(Ok(()), Err)))
}

/// What is left of episodes that are over.
struct Kept {
    statistics: Statistics,
    shelf: Option<Shelf>,
}

impl Kept {
    fn put(&mut self, (hash, finished): (Hash, Finished)) -> Result<(), StoreError> {
        self.statistics.add(&hash, &finished);
        self.shelf.as_mut().map_or(Ok(()), |shelf| shelf.put(finished))
    }

    fn send_what_waits(&mut self, is_urgent: bool) -> Result<(), StoreError> {
        self.shelf.as_mut().map_or(Ok(()), |shelf| shelf.send_what_waits(is_urgent))
    }
}
