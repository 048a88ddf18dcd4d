//! One training step: roll out groups, choose which of them teach, and update the network.

use tch::Tensor;

use super::Learner;
use super::rolled_out::RolledOut;
use super::schedule::{entropy_bonus, learning_rate};
use crate::batch::Batch;
use crate::credit::Compared;
use crate::environment::give_back_memory;
use crate::gradients;
use crate::objective::kl::Kl;
use crate::objective::{LossSums, Objective};
use crate::out_of_memory::{OutOfMemory, guarded};
use crate::pack::Pack;
use crate::ranks::RanksError;
use crate::rollout::RolloutError;
use crate::suspect::Suspect;
use crate::token_advantages;

/// The distance from the start is measured on so many episodes of a step: it takes a pass of its own, and is only logged.
const KL_EPISODES: usize = 2;

/// What came of one step.
pub struct Step {
    pub rolled_out: RolledOut,
    /// The groups that entered the update.
    pub kept: Vec<usize>,
    /// For each trajectory, the advantage of each of its tokens; zero where none was sampled.
    pub advantages: Vec<Vec<f32>>,
    /// Groups whose returns differ.
    pub with_spread: usize,
    /// Tokens that the update trains on, each counted once.
    pub trained_tokens: u64,
    /// Of the first minibatch, which is on policy.
    pub on_policy: LossSums,
    /// Of all minibatches.
    pub sums: LossSums,
    pub minibatches: u32,
    /// Tokens that went through the network in the update, each pass counted.
    pub packed_tokens: usize,
    /// The mean over minibatches of the gradients' global norm before clipping.
    pub gradient_norm: f64,
    /// The KL of the policy from the one that training began with, in nats a token, on the first episodes of the update.
    pub kl_from_start: Option<f64>,
    pub learning_rate: f64,
    pub entropy_bonus: f64,
}

/// Why a step could not be made.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error(transparent)]
    Rollout(#[from] RolloutError),
    #[error(
        "the {what} of step {step} is not finite; lower optimizer.learning_rate, or compute in float32 \
         (model.precision = \"float32\")"
    )]
    NotFinite {
        what: &'static str,
        /// Counted from 1.
        step: u32,
        /// The trajectories that it was computed from.
        batch: Vec<Suspect>,
    },
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    #[error(transparent)]
    Ranks(#[from] RanksError),
    #[error("no prompt fits into rollout.context_tokens = {0}: raise it, or shorten the examples")]
    NothingFits(u32),
}

/// Where a step is. Both numbers count what is done.
pub enum Progress {
    Rollout { episodes: usize },
    Update { packs: usize, of: usize },
}

impl Learner<'_> {
    /// Makes one step, counted from 0. `progress` hears of every episode and pack that is done.
    ///
    /// # Errors
    /// Where the chat template fails, or the loss or a gradient is not finite. The parameters are then as they were before
    /// the update that failed.
    ///
    /// # Panics
    /// Where the loss has a KL term and [`Learner::compare_with`] was never called.
    pub fn step(&mut self, step: u32, progress: &mut dyn FnMut(Progress)) -> Result<Step, StepError> {
        let recipe = &self.plan.recipe;
        let rolled_out = self.roll_out(step, progress)?;
        give_back_memory();
        let RolledOut { trajectories, groups, .. } = &rolled_out;
        if rolled_out.own().iter().all(|trajectory| trajectory.truncated && trajectory.replies == 0) {
            return Err(StepError::NothingFits(recipe.rollout.context_tokens));
        }
        // A group without spread would keep it from the loss, and the run would go on with noise.
        if !trajectories.iter().flat_map(|trajectory| &trajectory.log_probabilities).all(|value| value.is_finite()) {
            let batch = trajectories.iter().map(|trajectory| Suspect::of(trajectory, &self.chat, &[], &[])).collect();
            return Err(StepError::NotFinite { what: "probability of a sampled token", step: step + 1, batch });
        }
        let algorithm = &recipe.algorithm;
        let compared: Vec<Compared> = groups.iter().map(|group| self.compared(&trajectories[group.clone()])).collect();
        let spreads: Vec<f64> = compared.iter().map(Compared::spread).collect();
        let mut kept = self.filter(trajectories, groups, &spreads).groups;
        let with_spread = spreads.iter().filter(|&&spread| spread > 0.0).count();
        if kept.len() < algorithm.groups_min as usize {
            kept.clear();
        }
        let mut outcome = Step {
            rolled_out,
            kept,
            advantages: Vec::new(),
            with_spread,
            trained_tokens: 0,
            on_policy: LossSums::default(),
            sums: LossSums::default(),
            minibatches: 0,
            packed_tokens: 0,
            gradient_norm: 0.0,
            kl_from_start: None,
            learning_rate: learning_rate(recipe, step),
            entropy_bonus: entropy_bonus(recipe, step),
        };
        let RolledOut { trajectories, groups, .. } = &outcome.rolled_out;
        let mut advantages: Vec<Vec<f32>> = Vec::with_capacity(trajectories.len());
        for (compared, group) in compared.iter().zip(groups) {
            let group = &trajectories[group.clone()];
            advantages.extend(token_advantages::of_group(self.plan, compared, group, &mut self.baselines));
        }
        guarded(|| OutOfMemory::in_update(recipe), || self.update(step, &advantages, &mut outcome, progress))?;
        give_back_memory();
        outcome.advantages = advantages;
        Ok(outcome)
    }

    fn update(
        &mut self,
        step: u32,
        advantages: &[Vec<f32>],
        outcome: &mut Step,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), StepError> {
        let algorithm = &self.plan.recipe.algorithm;
        let kl = (algorithm.kl_weight > 0.0).then(|| Kl {
            weight: algorithm.kl_weight,
            start: self.start.as_ref().expect("a KL term needs the parameters that training began with"),
        });
        let objective = Objective {
            surrogate: algorithm.loss.surrogate(algorithm),
            kl,
            entropy_bonus: outcome.entropy_bonus,
            temperature: self.plan.recipe.rollout.temperature,
            recompute: algorithm.recompute,
        };
        let RolledOut { trajectories, groups, .. } = &outcome.rolled_out;
        let batch = Batch::of(self.plan, trajectories, groups, &outcome.kept, advantages);
        outcome.trained_tokens = batch.tokens();
        let mut norms = 0.0;
        for _ in 0..algorithm.epochs {
            for minibatch in &batch.minibatches {
                let own = self.ranks.part(&batch.work(minibatch.clone()));
                let own = minibatch.start + own.start..minibatch.start + own.end;
                let packs = batch.packs_of(minibatch.clone(), own);
                // The first rank writes it down.
                if outcome.minibatches == 0 && self.ranks.is_first() {
                    outcome.kl_from_start = self.start.as_ref().filter(|_| algorithm.log_kl).and_then(|start| {
                        let end = minibatch.end.min(minibatch.start + KL_EPISODES);
                        objective.kl_from(&self.llama, start, &batch.packs(minibatch.start..end))
                    });
                }
                let mut sums = LossSums::default();
                for (index, pack) in packs.iter().enumerate() {
                    let last = self.gradients.as_ref().filter(|_| index + 1 == packs.len());
                    sums.add(&objective.backward_telling(&self.llama, &self.weights, pack, || {
                        last.inspect(|gradients| gradients.begin());
                    }));
                    progress(Progress::Update { packs: index + 1, of: packs.len() });
                }
                let mut packed_tokens = packs.iter().map(Pack::length).sum::<usize>();
                if let Some(gradients) = &self.gradients {
                    gradients.finish()?;
                    let of_ranks = self.ranks.each((sums, packed_tokens))?;
                    (sums, packed_tokens) = (LossSums::default(), 0);
                    for (of_rank, tokens) in &of_ranks {
                        sums.add(of_rank);
                        packed_tokens += tokens;
                    }
                }
                let bound = match self.plan.recipe.optimizer.gradient_clip {
                    0.0 => f64::INFINITY,
                    clip => clip,
                };
                let norm = gradients::clip(&self.llama.parameters, bound);
                let unsound = [("loss", sums.loss), ("gradient", norm)];
                if let Some((what, _)) = unsound.iter().find(|(_, value)| !value.is_finite()) {
                    gradients::clear(&mut self.llama.parameters);
                    let batch = batch.suspects(minibatch.clone(), &self.chat);
                    return Err(StepError::NotFinite { what, step: step + 1, batch });
                }
                self.optimizer.step(&mut self.llama.parameters, outcome.learning_rate);
                if self.plan.recipe.optimizer.sharded {
                    let tensors: Vec<&Tensor> = self.llama.parameters.iter().map(|(_, tensor)| tensor).collect();
                    self.ranks.broadcast(&tensors, &self.owners())?;
                }
                gradients::clear(&mut self.llama.parameters);
                self.weights.refresh();
                if outcome.minibatches == 0 {
                    outcome.on_policy = sums;
                }
                outcome.sums.add(&sums);
                outcome.packed_tokens += packed_tokens;
                outcome.minibatches += 1;
                norms += norm;
            }
        }
        outcome.gradient_norm = norms / f64::from(outcome.minibatches.max(1));
        Ok(())
    }
}
