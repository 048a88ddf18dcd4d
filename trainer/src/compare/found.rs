//! What the runs of an experiment left behind.

use std::path::Path;

use super::{Experiment, Planned};
use crate::evaluate::Evaluated;
use crate::metrics::{self, MetricsError, StepMetrics};
use crate::run;
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
            let evaluation = |name: &str| run::read_evaluation(&folder, name);
            let (Some(before), Some(after)) = (evaluation("before"), evaluation("after")) else {
                found.missing += 1;
                continue;
            };
            if found.random.is_empty() {
                found.random = evaluation("random").unwrap_or_default();
            }
            let (steps, timing) = (metrics::read(&folder)?, metrics::read_timing(&folder)?);
            found.runs.push(Run { arm: one.arm, seed: one.seed, steps, timing, before, after });
        }
        if found.runs.is_empty() { Err(FoundError::Nothing) } else { Ok(found) }
    }

    /// The runs of an arm, in the order of seeds.
    pub fn of_arm(&self, arm: usize) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.arm == arm)
    }
}

impl Run {
    /// The sum of a number of every step.
    pub fn total(&self, of: impl Fn(&StepMetrics) -> u64) -> u64 {
        self.steps.iter().map(of).sum()
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
