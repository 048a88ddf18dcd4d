//! What the runs of an experiment left behind.

use std::path::{Path, PathBuf};

use super::{Experiment, Planned};
use crate::evaluate::Evaluated;
use crate::metrics::{self, MetricsError, StepMetrics};
use crate::run;
use crate::train::TrainError;
use crate::watch::Timing;

/// One run that is done.
pub struct Run {
    pub arm: usize,
    pub seed: u64,
    pub steps: Vec<StepMetrics>,
    pub timing: Vec<Timing>,
    pub before: Vec<Evaluated>,
    pub after: Vec<Evaluated>,
}

/// All runs that are done.
pub struct Found {
    pub experiment: Experiment,
    pub runs: Vec<Run>,
    /// What random play reaches on the same deals.
    pub random: Vec<Evaluated>,
    /// Runs that are not done yet.
    pub missing: usize,
}

/// Why the runs cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FoundError {
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The run of this name followed another plan.
    #[error(transparent)]
    Run(#[from] TrainError),
    #[error(
        "{} is damaged ({what}), and a report of it would be wrong: put back a copy of the file, or remove the run's folder and train it again",
        path.display()
    )]
    Damaged { path: PathBuf, what: String },
    #[error("none of the experiment's runs is done yet, so there is nothing to compare: run it without --report-only")]
    Nothing,
}

impl Found {
    /// Reads what is done of an experiment in a store.
    ///
    /// # Errors
    /// Where nothing is done, or a file cannot be read.
    pub fn read(experiment: Experiment, planned: &[Planned], store: &Path) -> Result<Found, FoundError> {
        let mut found = Found { experiment, runs: Vec::new(), random: Vec::new(), missing: 0 };
        for one in planned {
            let folder = run::folder(store, &one.name);
            if !run::is_done(&folder) {
                found.missing += 1;
                continue;
            }
            run::check_plan(&folder, &one.name, &one.plan)?;
            let run = Run {
                arm: one.arm,
                seed: one.seed,
                steps: metrics::read(&folder)?,
                timing: metrics::read_timing(&folder)?,
                before: evaluated(&folder, "before", one)?,
                after: evaluated(&folder, "after", one)?,
            };
            refuse_missing_steps(&run, one, &folder)?;
            if found.random.is_empty() {
                found.random = random(&folder)?;
            }
            found.runs.push(run);
        }
        if found.runs.is_empty() { Err(FoundError::Nothing) } else { Ok(found) }
    }

    /// The runs of an arm, in the order of seeds.
    pub fn of_arm(&self, arm: usize) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.arm == arm)
    }
}

/// An evaluation of a run that is done: it has all that its plan evaluates.
fn evaluated(folder: &Path, name: &str, run: &Planned) -> Result<Vec<Evaluated>, FoundError> {
    let found = run::read_evaluation(folder, name)?.unwrap_or_default();
    let planned = run.plan.evaluations.iter().map(|evaluation| &evaluation.name);
    if found.iter().map(|one| &one.name).eq(planned) {
        return Ok(found);
    }
    Err(FoundError::Damaged {
        path: folder.join("evaluation").join(format!("{name}.json")),
        what: "it does not have every evaluation of the plan".into(),
    })
}

/// What random play reached. Every run writes it down before it trains.
fn random(folder: &Path) -> Result<Vec<Evaluated>, FoundError> {
    let missing =
        || FoundError::Damaged { path: folder.join("evaluation").join("random.json"), what: "it is not there".into() };
    run::read_evaluation(folder, "random")?.ok_or_else(missing)
}

/// A run that is done has a line for each of its steps, and fewer steps than planned only where its tokens were bounded.
fn refuse_missing_steps(run: &Run, planned: &Planned, folder: &Path) -> Result<(), FoundError> {
    let recipe = &planned.plan.recipe;
    let counted =
        |numbers: &mut dyn Iterator<Item = u32>| numbers.enumerate().all(|(at, step)| step as usize == at + 1);
    let (lines, times) = (run.steps.len(), run.timing.len());
    let is_whole = counted(&mut run.steps.iter().map(|step| step.step))
        && (lines == recipe.steps as usize || (lines > 0 && recipe.sampled_tokens_max > 0));
    let damaged = |file: &str, what: String| Err(FoundError::Damaged { path: folder.join(file), what });
    if !is_whole {
        return damaged("metrics.jsonl", format!("it has {lines} of {} steps", recipe.steps));
    }
    if times != lines {
        return damaged("timing.jsonl", format!("it has {times} of {lines} steps"));
    }
    Ok(())
}

impl Run {
    /// The sum of a number of every step.
    pub fn total(&self, of: impl Fn(&StepMetrics) -> u64) -> u64 {
        self.steps.iter().map(of).fold(0, u64::saturating_add)
    }

    /// Training alone, without evaluations.
    pub fn seconds(&self) -> f64 {
        self.timing.iter().map(|timing| timing.rollout_seconds + timing.update_seconds).sum()
    }

    /// What it reached in an evaluation at the end.
    pub fn reached(&self, evaluation: &str) -> Option<&Evaluated> {
        self.after.iter().find(|one| one.name == evaluation)
    }
}
