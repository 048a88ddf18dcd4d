//! What a run consists of, as each of its ranks lives through it: steps, evaluations and checkpoints.
//!
//! All ranks compute, and the one that has the books writes. What it finds there the others are told, so that all go the same way.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use ludus_host::library::Library;

use super::endpoints::{self, Tallies};
use super::{Books, TrainError};
use crate::environment::give_back_memory;
use crate::evaluate::{self, Evaluated};
use crate::learner::{Learner, Progress, StepError};
use crate::metrics::{self, StepMetrics};
use crate::plan::Plan;
use crate::ranks::{Ranks, RanksError};
use crate::rollout::Trajectory;
use crate::watch::{Clock, Phase, Timing, Watch};

/// A run that goes on.
pub struct Life<'a> {
    /// Of the first rank alone.
    pub books: Option<Books>,
    pub ranks: &'a Ranks,
    pub stop: &'a AtomicBool,
    /// By the learner's own seats, in all steps so far.
    pub sampled_tokens: u64,
    /// What servers answered, as far as it was looked at.
    pub endpoints: Tallies,
}

impl<'a> Life<'a> {
    /// The life of a run from where its books stand.
    pub fn new(books: Option<Books>, ranks: &'a Ranks, stop: &'a AtomicBool) -> Result<Life<'a>, TrainError> {
        let sampled = books.as_ref().map(|books| metrics::read(&books.run.folder)).transpose()?;
        let sampled = sampled.map(|lines| lines.iter().map(|line| line.sampled_tokens).fold(0, u64::saturating_add));
        let sampled_tokens = ranks.of_first(sampled)?.unwrap_or_default();
        Ok(Life { books, ranks, stop, sampled_tokens, endpoints: Tallies::new() })
    }

    /// Whether somebody asked any of the ranks to stop.
    pub fn is_stopped(&self) -> Result<bool, TrainError> {
        Ok(self.ranks.any(self.stop.load(Ordering::Relaxed))?)
    }

    /// Makes a step, counted from 0, and writes it down.
    pub fn step(&mut self, learner: &mut Learner<'_>, step: u32, listener: &mut dyn Watch) -> Result<(), TrainError> {
        let plan = learner.plan;
        let clock = Clock::start();
        let mut rollout_seconds = 0.0;
        let of = (plan.recipe.rollout.groups * plan.recipe.rollout.group_size) as usize;
        let made = learner.step(step, &mut |progress| match progress {
            Progress::Rollout { episodes } => {
                rollout_seconds = clock.seconds();
                listener.progress(Phase::Rollout, episodes, of.max(episodes));
            }
            Progress::Update { packs, of } => listener.progress(Phase::Update, packs, of),
        });
        let made = match (made, &mut self.books) {
            (Err(StepError::NotFinite { what, step, batch }), Some(books)) => {
                let file = books.run.write_suspects(step, &batch)?;
                return Err(TrainError::NotFinite { what, step, file });
            }
            // All ranks have it.
            (Err(StepError::NotFinite { .. }), None) => return Err(RanksError::Another.into()),
            (made, _) => made?,
        };
        let number = step + 1;
        let own = made.rolled_out.own().iter().flat_map(|trajectory| &trajectory.sampled);
        self.sampled_tokens += own.filter(|&&sampled| sampled).count() as u64;
        if let Some(books) = &mut self.books {
            let line = StepMetrics::of(plan, number, &made);
            let timing = Timing::of(number, &made, rollout_seconds, clock.seconds());
            books.step(number, made, &line, &timing)?;
            listener.step(&line, &timing);
        }
        self.tell_failed_calls(learner, listener)
    }

    /// Tells of the calls to endpoints that failed since this was asked before.
    fn tell_failed_calls(&mut self, learner: &Learner<'_>, listener: &mut dyn Watch) -> Result<(), TrainError> {
        let now = endpoints::tallies(learner.opponents.calls(), self.ranks)?;
        for sentence in endpoints::failures(&now, &self.endpoints) {
            listener.say(&sentence);
        }
        self.endpoints = now;
        Ok(())
    }

    /// Saves the learner after a step. Returns the checkpoint's folder and the hash of its weights.
    pub fn save(&mut self, base: &Path, learner: &Learner<'_>, step: u32) -> Result<(PathBuf, String), TrainError> {
        let moments = learner.moments()?;
        let saved = match (&self.books, &moments) {
            (Some(books), Some(moments)) => Some(books.run.save(base, learner, moments, step)?),
            _ => None,
        };
        // The first has it, or ended.
        Ok(self.ranks.of_first(saved)?.unwrap_or_default())
    }

    /// What a random player reaches: as it was written down, or measured now.
    pub fn random(&mut self, plan: &Plan, library: &Library) -> Result<Vec<Evaluated>, TrainError> {
        const NAME: &str = "random";
        let random = match &self.books {
            None => None,
            Some(books) => Some(match books.run.evaluation(NAME, &evaluate::referenced(plan, library, NAME)?)? {
                Some(known) => known,
                None => {
                    let made = evaluate::reference(plan, library, NAME)?;
                    books.run.write_evaluation(NAME, &made)?;
                    made
                }
            }),
        };
        Ok(self.ranks.of_first(random)?.unwrap_or_default())
    }

    /// The evaluation of this name after a step: as it was written down, or made now. `when` is its name among the metrics.
    /// None where it was stopped.
    pub fn evaluation(
        &mut self,
        learner: &Learner<'_>,
        (name, when): (&str, &str),
        step: u32,
        listener: &mut dyn Watch,
    ) -> Result<Option<Vec<Evaluated>>, TrainError> {
        let planned: Vec<&str> = learner.plan.evaluations.iter().map(|evaluation| evaluation.name.as_str()).collect();
        let known = self.books.as_ref().map(|books| books.run.evaluation(name, &planned)).transpose()?.flatten();
        if let Some(known) = self.ranks.of_first(known)? {
            return Ok(Some(known));
        }
        let made = self.measure(learner, step, listener)?;
        give_back_memory();
        self.tell_failed_calls(learner, listener)?;
        if let (Some(books), Some(made)) = (&mut self.books, &made) {
            books.metrics.evaluation(step, when, made)?;
            books.run.write_evaluation(name, made)?;
        }
        Ok(made)
    }

    /// Evaluates the learner and stores the episodes; none where it was stopped.
    fn measure(
        &mut self,
        learner: &Learner<'_>,
        step: u32,
        listener: &mut dyn Watch,
    ) -> Result<Option<Vec<Evaluated>>, TrainError> {
        let of = learner.plan.sizes.evaluation_episodes as usize;
        let mut done = 0;
        let mut stored = Ok(());
        let mut store = |trajectories: Vec<Trajectory>| {
            if let (Some(books), Ok(())) = (&mut self.books, &stored) {
                let episodes = books.run.episodes(step, trajectories);
                stored = books.store(&episodes);
            }
        };
        let mut told = |count| {
            done += count;
            listener.progress(Phase::Evaluation, done, of);
        };
        let evaluated = evaluate::evaluate(learner, self.stop, &mut told, &mut store)?;
        stored?;
        Ok(evaluated)
    }
}
