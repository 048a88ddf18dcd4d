//! `ludus replay`: executes recorded episodes again and says whether they are the same, bit for bit.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

use anyhow::bail;
use ludus_host::component_files::StoredComponents;
use ludus_host::hash::Hash;
use ludus_host::replay::{Difference, Replayer, Verdict};
use ludus_host::store::Store;

use crate::Places;
use crate::commands::{BROKEN, JOBS_MAX, open_library, standard_jobs};
use crate::terminal::{self, BAD, GOOD, clean, complain, styled};

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Episodes, by hash or the beginning of one; or --all
    #[arg(value_name = "HASH", required_unless_present_any = ["all", "run"])]
    hashes: Vec<String>,
    /// Every episode in the store
    #[arg(long, conflicts_with = "hashes")]
    all: bool,
    /// Every episode of this run
    #[arg(long, value_name = "NAME", conflicts_with = "hashes")]
    run: Option<String>,
    /// How many threads replay [default: as many as there are cores]
    #[arg(long, short = 'j', value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=JOBS_MAX))]
    jobs: Option<u16>,
}

const EXAMPLES: &str = "Examples:
  ludus replay 3f9a2c
  ludus replay --all
  ludus replay --run first-try

The exit code is 0 only where every episode is identical.";

/// What came of one episode.
enum Outcome {
    Identical,
    Differs(Difference),
    Broken(anyhow::Error),
}

pub fn run(places: &Places, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let store = Store::open_read_only(&places.store)?;
    let library = open_library(places)?;
    let all = arguments.all || arguments.run.is_some();
    // A damaged page may hide episodes, so those that are found do not speak for all.
    let damage = if all { store.check_structure().err() } else { None };
    damage.iter().for_each(|error| complain(error));
    let hashes = if all {
        store.each_hash(arguments.run.as_deref())?
    } else {
        arguments.hashes.iter().map(|prefix| store.find(prefix).map(Ok)).collect::<Result<Vec<_>, _>>()?
    };
    let (readable, unreadable): (Vec<_>, Vec<_>) = hashes.into_iter().partition(Result::is_ok);
    let hashes: Vec<Hash> = readable.into_iter().flatten().collect();
    unreadable.iter().flat_map(|hash| hash.as_ref().err()).for_each(|error| complain(error));
    if hashes.is_empty() && unreadable.is_empty() {
        match &arguments.run {
            Some(run) => bail!("the store has no episodes of a run `{run}`; `ludus episodes` lists what is there"),
            None => bail!("the store has no episodes yet; `ludus run` makes some"),
        }
    }
    let jobs = arguments.jobs.map_or_else(standard_jobs, usize::from).min(hashes.len().max(1));
    let components = StoredComponents::new(store.components(), &library);
    // Each thread has a connection of its own; opening them here lets an error be told once.
    let stores = (0..jobs).map(|_| Store::open_read_only(&places.store)).collect::<Result<Vec<_>, _>>()?;

    let next = AtomicUsize::new(0);
    let (sender, receiver) = sync_channel(4 * jobs);
    let bar = terminal::progress_bar(hashes.len() as u64, "episodes");
    let mut outcomes: Vec<(usize, Outcome)> = Vec::new();
    std::thread::scope(|scope| {
        for store in stores {
            let (sender, next, hashes, components) = (sender.clone(), &next, &hashes, &components);
            scope.spawn(move || {
                let mut replayer = Replayer::new(components);
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(hash) = hashes.get(index) else { break };
                    if sender.send((index, replay_one(&store, &mut replayer, hash))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (index, outcome) in receiver {
            bar.inc(1);
            // Identical ones are only counted where there are many.
            if !(arguments.all && matches!(outcome, Outcome::Identical)) {
                outcomes.push((index, outcome));
            }
        }
    });
    bar.finish_and_clear();
    outcomes.sort_by_key(|(index, _)| *index);
    let verdict = report(&hashes, &outcomes, unreadable.len(), arguments.all)?;
    Ok(if damage.is_some() { ExitCode::from(BROKEN) } else { verdict })
}

fn replay_one(store: &Store, replayer: &mut Replayer<'_>, hash: &Hash) -> Outcome {
    let mut verdict = || anyhow::Ok(replayer.replay(&store.record(hash)?)?);
    match verdict() {
        Ok(Verdict::Identical) => Outcome::Identical,
        Ok(Verdict::Differs(difference)) => Outcome::Differs(difference),
        Err(error) => Outcome::Broken(error),
    }
}

fn report(hashes: &[Hash], outcomes: &[(usize, Outcome)], unreadable: usize, all: bool) -> anyhow::Result<ExitCode> {
    let mut output = terminal::output();
    let mut failures = unreadable;
    for (index, outcome) in outcomes {
        let hash = hashes[*index];
        match outcome {
            Outcome::Identical => writeln!(output, "{} {hash}", styled(GOOD, "identical"))?,
            Outcome::Differs(difference) => {
                failures += 1;
                writeln!(output, "{} {hash}", styled(BAD, "differs"))?;
                writeln!(output, "  line {}: {}", difference.line, clean(&difference.place))?;
            }
            Outcome::Broken(error) => {
                failures += 1;
                complain(&format!("episode {} cannot be replayed: {error}", hash.short()));
            }
        }
    }
    if all {
        let number = hashes.len() + unreadable;
        let same = number - failures;
        let style = if failures == 0 { GOOD } else { BAD };
        writeln!(output, "{}", styled(style, format!("{same} of {number} episodes are identical")))?;
    }
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::from(BROKEN) })
}
