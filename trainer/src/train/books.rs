//! Where a run that goes on writes down what happens: the first rank's work.

use ludus_host::store::{Store, StoredEpisode};

use super::{TrainError, TrainOptions};
use crate::learner::Step;
use crate::metrics::{MetricsLog, StepMetrics};
use crate::plan::Plan;
use crate::run::Run;
use crate::sampled::SampledEpisode;
use crate::watch::Timing;

/// The folder of a run and its store, open for writing.
pub struct Books {
    pub run: Run,
    store: Store,
    pub metrics: MetricsLog,
}

impl Books {
    /// Of a run of which `steps_done` steps stay.
    pub fn open(run: Run, plan: &Plan, options: &TrainOptions<'_>, steps_done: u32) -> Result<Books, TrainError> {
        let store = Store::open(&options.store)?;
        for component in plan.components() {
            store.put_component(component.bytes())?;
        }
        let metrics = MetricsLog::open(&run.folder, steps_done)?;
        Ok(Books { run, store, metrics })
    }

    /// Writes down a step, counted from 1.
    pub fn step(&mut self, number: u32, made: Step, line: &StepMetrics, timing: &Timing) -> Result<(), TrainError> {
        let sampled = SampledEpisode::of_step(&made);
        let mut trajectories = made.rolled_out.trajectories;
        // Those of further seats are of the same episodes.
        trajectories.truncate(made.rolled_out.episodes);
        // The metrics last: whatever a line of them speaks of can be replayed.
        self.store.append(&self.run.episodes(number, trajectories))?;
        self.run.write_rollout(number, &sampled)?;
        self.metrics.append(line, timing)?;
        Ok(())
    }

    /// Stores episodes of an evaluation.
    pub fn store(&mut self, episodes: &[StoredEpisode]) -> Result<(), TrainError> {
        Ok(self.store.append(episodes)?)
    }
}
