//! One training step: roll out groups, choose which of them teach, and update the network.
//!
//! ```text
//! jobs -> trajectories -> returns compared in each group -> groups that are kept -> advantages -> packs -> gradients -> AdamW
//! ```
//!
//! Seeds of a step are functions of the recipe's seed, the step and the group: a step can be rolled out again from its
//! checkpoint, and a run that goes on from a checkpoint goes on exactly.

use std::ops::Range;
use std::sync::Arc;

use ludus_host::stream::Stream;
use ludus_host::task::{Penalties, Task};
use tch::Tensor;

use crate::advantage::Advantage;
use crate::advantage::rae::Baselines;
use crate::batch::Batch;
use crate::chat::Chat;
use crate::credit::{Compared, Played};
use crate::filter::{Filter, Kept};
use crate::generate::Sampling;
use crate::model::llama::{Llama, Weights};
use crate::objective::kl::Kl;
use crate::objective::{LossSums, Objective};
use crate::optimizer::{AdamW, AdamWSettings, Moments, clear_gradients, clip_gradients};
use crate::out_of_memory::{OutOfMemory, guarded};
use crate::pack::Pack;
use crate::plan::Plan;
use crate::ranks::{Gradients, Ranks, RanksError};
use crate::recipe::{EntropyDecay, Recipe, Schedule};
use crate::rollout::{AskedTask, Job, ReplyShape, Rollout, RolloutError, Trajectory};
use crate::suspect::Suspect;
use crate::token_advantages;

/// The distance from the start is measured on so many episodes of a step: it takes a pass of its own, and is only logged.
const KL_EPISODES: usize = 2;

/// The model that is trained, with everything that a step needs.
pub struct Learner<'a> {
    pub plan: &'a Plan,
    pub llama: Llama,
    pub optimizer: AdamW,
    pub chat: Chat,
    /// What each role got so far, where advantages are made of that.
    pub baselines: Baselines,
    /// The plan's tasks, in its order.
    tasks: Vec<AskedTask>,
    /// The parameters in the kind of computation, as of the last update.
    weights: Weights,
    /// The parameters with which training began, where the distance from them is measured.
    start: Option<Weights>,
    /// The processes that train together; one, until it is joined to others.
    ranks: Ranks,
    /// The sums of gradients over them, where there are others.
    gradients: Option<Gradients>,
}

/// What came of one step.
pub struct Step {
    /// All episodes in the order of groups and members.
    pub trajectories: Vec<Trajectory>,
    /// The place of each group's trajectories.
    pub groups: Vec<Range<usize>>,
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

impl<'a> Learner<'a> {
    /// A learner at the start of a run.
    pub fn new(plan: &'a Plan, llama: Llama, chat: Chat) -> Learner<'a> {
        let optimizer = AdamW::new(optimizer_settings(plan), &llama.parameters);
        let weights = tch::no_grad(|| llama.weights());
        let tasks = plan
            .tasks
            .iter()
            .map(|planned| asked_task(plan, &planned.stages, &planned.stages, &planned.task))
            .collect();
        let baselines = Baselines::new(plan.recipe.algorithm.rae_decay);
        let ranks = Ranks::alone();
        Learner { plan, llama, optimizer, chat, baselines, tasks, weights, start: None, ranks, gradients: None }
    }

    /// Goes on as one of several ranks, with the parameters of the first one, and with moments of zero.
    ///
    /// # Errors
    /// Where a rank is lost.
    pub fn join(&mut self, ranks: Ranks) -> Result<(), RanksError> {
        let parameters = &self.llama.parameters;
        let tensors: Vec<&Tensor> = parameters.iter().map(|(_, tensor)| tensor).collect();
        ranks.broadcast(&tensors, &vec![0; tensors.len()])?;
        self.gradients = ranks.gradients(parameters)?;
        if self.plan.recipe.optimizer.sharded {
            let own = ranks.shards(parameters).own();
            self.optimizer = AdamW::of(optimizer_settings(self.plan), parameters, own);
        }
        self.ranks = ranks;
        self.refresh();
        Ok(())
    }

    /// The processes that train together.
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// The moments of all parameters, wherever they are: on the first rank, where the others send theirs. None on the others.
    ///
    /// # Errors
    /// Where a rank is lost.
    pub fn moments(&self) -> Result<Option<Moments>, RanksError> {
        let parameters = &self.llama.parameters;
        let Moments { updates, first, second } = self.optimizer.moments();
        let (held, owners) = (self.optimizer.held(), self.owners());
        let all = |own: &[Tensor]| -> Result<Vec<Tensor>, RanksError> {
            let mut found = Vec::new();
            for (index, ((_, parameter), &owner)) in parameters.iter().zip(&owners).enumerate() {
                let own = held.contains(&index).then(|| &own[index - held.start]);
                found.extend(self.ranks.to_first(own, parameter, owner)?);
            }
            Ok(found)
        };
        let moments = Moments { updates: *updates, first: all(first)?, second: all(second)? };
        Ok(self.ranks.is_first().then_some(moments))
    }

    /// The rank that holds each parameter's moments, the first that does where several do.
    fn owners(&self) -> Vec<u32> {
        let parameters = &self.llama.parameters;
        match self.plan.recipe.optimizer.sharded {
            true => self.ranks.shards(parameters).owners(),
            false => vec![0; parameters.len()],
        }
    }

    /// Measures the distance from these parameters from now on.
    pub fn compare_with(&mut self, start: Weights) {
        self.start = Some(start);
    }

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
        let (trajectories, groups) = self.roll_out(step, progress)?;
        if trajectories.iter().all(|trajectory| trajectory.truncated && trajectory.replies == 0) {
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
        let mut kept = self.filter(&trajectories, &groups, &spreads).groups;
        let with_spread = spreads.iter().filter(|&&spread| spread > 0.0).count();
        if kept.len() < algorithm.groups_min as usize {
            kept.clear();
        }
        let mut outcome = Step {
            trajectories,
            groups,
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
        let mut advantages: Vec<Vec<f32>> = Vec::with_capacity(outcome.trajectories.len());
        for (compared, group) in compared.iter().zip(&outcome.groups) {
            let group = &outcome.trajectories[group.clone()];
            advantages.extend(token_advantages::of_group(self.plan, compared, group, &mut self.baselines));
        }
        guarded(|| OutOfMemory::in_update(recipe), || self.update(step, &advantages, &mut outcome, progress))?;
        outcome.advantages = advantages;
        Ok(outcome)
    }

    /// Plays tasks with the network as it is, for evaluation.
    ///
    /// # Errors
    /// As `Rollout::play`.
    pub fn play(
        &self,
        task: &AskedTask,
        jobs: &[Job],
        temperature: f64,
        done: &mut dyn FnMut(usize),
    ) -> Result<Vec<Trajectory>, RolloutError> {
        let sampling = Sampling { temperature, ..self.sampling() };
        let rollout = self.rollout(std::slice::from_ref(task), sampling, "evaluation");
        let rollout = Rollout { notes_positions: false, ..rollout };
        self.play_shares(&rollout, jobs.len(), |share| jobs[share].to_vec(), done)
    }

    /// Plays this process's share of so many things in a row, each of which is some jobs. What all ranks played comes back.
    fn play_shares(
        &self,
        rollout: &Rollout<'_>,
        of: usize,
        jobs: impl Fn(Range<usize>) -> Vec<Job>,
        done: &mut dyn FnMut(usize),
    ) -> Result<Vec<Trajectory>, RolloutError> {
        let mut own = Vec::new();
        for share in self.ranks.shares(of) {
            let play = || rollout.play(&jobs(share), done);
            own.extend(guarded(|| OutOfMemory::in_rollout(&self.plan.recipe), play)?);
        }
        let played_here = own.len();
        let all: Vec<Trajectory> = self.ranks.each(own)?.into_iter().flatten().collect();
        if all.len() > played_here {
            done(all.len() - played_here);
        }
        Ok(all)
    }

    /// Rolls out a step, counted from 0: the trajectories, and the place of each group's.
    ///
    /// # Errors
    /// As `Rollout::play`.
    pub fn roll_out(
        &self,
        step: u32,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Vec<Trajectory>, Vec<Range<usize>>), RolloutError> {
        let recipe = &self.plan.recipe;
        let rollout = self.rollout(&self.tasks, self.sampling(), "training");
        let mut trajectories: Vec<Trajectory> = Vec::new();
        let mut groups = Vec::new();
        let mut episodes = 0;
        for round in 0..recipe.algorithm.oversample_max.max(1) {
            let jobs = |share: Range<usize>| {
                let numbers = share.map(|group| round * recipe.rollout.groups + group as u32);
                numbers.flat_map(|group| self.group_jobs(step, group)).collect()
            };
            let mut done = |count| {
                episodes += count;
                progress(Progress::Rollout { episodes });
            };
            trajectories.extend(self.play_shares(&rollout, recipe.rollout.groups as usize, jobs, &mut done)?);
            let size = recipe.rollout.group_size as usize;
            groups = (0..trajectories.len() / size).map(|group| group * size..(group + 1) * size).collect();
            let spread = |group: &Range<usize>| self.compared(&trajectories[group.clone()]).spread();
            let spreads: Vec<f64> = groups.iter().map(spread).collect();
            if self.filter(&trajectories, &groups, &spreads).is_full {
                break;
            }
        }
        Ok((trajectories, groups))
    }

    /// What the members of a group are compared by.
    fn compared(&self, group: &[Trajectory]) -> Compared {
        let recipe = &self.plan.recipe;
        let played: Vec<Played> =
            group.iter().map(|trajectory| token_advantages::played(self.plan, trajectory)).collect();
        let penalties = Penalties { malformed: recipe.task.malformed_penalty, illegal: recipe.task.illegal_penalty };
        recipe.algorithm.credit.compare(&played, penalties)
    }

    fn filter(&self, trajectories: &[Trajectory], groups: &[Range<usize>], spreads: &[f64]) -> Kept {
        let recipe = &self.plan.recipe;
        let (keep, scope) = (recipe.algorithm.keep_fraction, recipe.algorithm.filter_scope);
        let tasks: Vec<usize> = groups.iter().map(|group| trajectories[group.start].job.task).collect();
        Filter { keep, scope, planned: recipe.rollout.groups as usize }.choose(&tasks, spreads)
    }

    fn group_jobs(&self, step: u32, group: u32) -> impl Iterator<Item = Job> + use<> {
        let recipe = &self.plan.recipe;
        let path = ["train".into(), step.into(), group.into(), "seed".into()];
        let seed = Stream::derive(recipe.seed, &path).next_u64();
        let task = self.plan.task_of_group(step, group);
        (0..recipe.rollout.group_size).map(move |member| Job { task, group: group as usize, seed, member })
    }

    fn rollout<'b>(&'b self, tasks: &'b [AskedTask], sampling: Sampling, purpose: &str) -> Rollout<'b> {
        let recipe = &self.plan.recipe;
        Rollout {
            llama: &self.llama,
            weights: &self.weights,
            chat: &self.chat,
            tasks,
            sampling,
            sampling_seed: Stream::derive(recipe.seed, &["sampling".into(), purpose.into()]).next_u64(),
            context_tokens: recipe.rollout.context_tokens as usize,
            rows_max: recipe.rollout.batch_rows as usize,
            notes_positions: recipe.algorithm.advantage == Advantage::Gigpo,
            stop: &recipe.reply.stop,
        }
    }

    fn sampling(&self) -> Sampling {
        let rollout = &self.plan.recipe.rollout;
        Sampling {
            temperature: rollout.temperature,
            top_p: rollout.top_p,
            top_k: i64::from(rollout.top_k),
            min_p: rollout.min_p,
        }
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
        let batch = Batch::of(self.plan, &outcome.trajectories, &outcome.groups, &outcome.kept, advantages);
        outcome.trained_tokens = batch.tokens();
        let mut norms = 0.0;
        for _ in 0..algorithm.epochs {
            for minibatch in &batch.minibatches {
                let own = self.ranks.part(&batch.work(minibatch.clone()));
                let own = minibatch.start + own.start..minibatch.start + own.end;
                let packs = batch.packs_of(minibatch.clone(), own);
                // The first rank writes it down.
                if outcome.minibatches == 0 && self.ranks.is_first() {
                    outcome.kl_from_start = self.start.as_ref().filter(|_| algorithm.log_kl).map(|start| {
                        let end = minibatch.end.min(minibatch.start + KL_EPISODES);
                        let probe = batch.packs(minibatch.start..end);
                        objective.kl_from(&self.llama, start, &probe[0])
                    });
                }
                let mut sums = LossSums::default();
                for (index, pack) in packs.iter().enumerate() {
                    let last = self.gradients.as_ref().filter(|_| index + 1 == packs.len());
                    sums.add(&objective.backward_telling(&self.llama, pack, || {
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
                let norm = clip_gradients(&self.llama.parameters, bound);
                let unsound = [("loss", sums.loss), ("gradient", norm)];
                if let Some((what, _)) = unsound.iter().find(|(_, value)| !value.is_finite()) {
                    clear_gradients(&mut self.llama.parameters);
                    let batch = batch.suspects(minibatch.clone(), &self.chat);
                    return Err(StepError::NotFinite { what, step: step + 1, batch });
                }
                self.optimizer.step(&mut self.llama.parameters, outcome.learning_rate);
                if self.plan.recipe.optimizer.sharded {
                    let tensors: Vec<&Tensor> = self.llama.parameters.iter().map(|(_, tensor)| tensor).collect();
                    self.ranks.broadcast(&tensors, &self.owners())?;
                }
                clear_gradients(&mut self.llama.parameters);
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
        self.refresh();
        Ok(())
    }

    /// Takes the parameters over for the next rollout.
    pub fn refresh(&mut self) {
        self.weights = tch::no_grad(|| self.llama.weights());
    }
}

fn optimizer_settings(plan: &Plan) -> AdamWSettings {
    let recipe = &plan.recipe.optimizer;
    AdamWSettings {
        beta1: recipe.beta1,
        beta2: recipe.beta2,
        epsilon: recipe.epsilon,
        weight_decay: recipe.weight_decay,
    }
}

/// A task of the plan with the way in which the model is asked in it. `stages` are the recipe's stages that it plays, `shown`
/// those whose examples stand before it.
pub fn asked_task(plan: &Plan, stages: &[usize], shown: &[usize], task: &Arc<Task>) -> AskedTask {
    let system = &plan.recipe.reply.system;
    AskedTask {
        task: Arc::clone(task),
        system: (!system.is_empty()).then(|| system.clone()),
        // The first stage's come last: they stand right before its first turn.
        examples: shown
            .iter()
            .rev()
            .flat_map(|&stage| &plan.stages[stage].examples)
            .map(|example| (example.prompt.clone(), example.reply.clone()))
            .collect(),
        format: plan.recipe.reply.format,
        replies: stages
            .iter()
            .map(|&stage| &plan.stages[stage])
            .map(|stage| ReplyShape { prefix: stage.reply_prefix.clone(), tokens_max: stage.reply_tokens as usize })
            .collect(),
    }
}

/// The return of a trajectory, as the host computed it from the record.
pub fn task_return(trajectory: &Trajectory) -> f64 {
    trajectory.finished.result.task_return
}

/// The learning rate of a step: a linear rise over the warm-up, then the schedule down to its final fraction.
pub fn learning_rate(recipe: &Recipe, step: u32) -> f64 {
    let optimizer = &recipe.optimizer;
    if step < optimizer.warmup_steps {
        return optimizer.learning_rate * f64::from(step + 1) / f64::from(optimizer.warmup_steps + 1);
    }
    let rest = recipe.steps.saturating_sub(optimizer.warmup_steps).max(1);
    let done = f64::from(step - optimizer.warmup_steps) / f64::from(rest);
    let high = match optimizer.schedule {
        Schedule::Constant => return optimizer.learning_rate,
        Schedule::Linear => 1.0 - done,
        Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
    };
    let last = optimizer.final_fraction;
    optimizer.learning_rate * (last + (1.0 - last) * high)
}

fn entropy_bonus(recipe: &Recipe, step: u32) -> f64 {
    let bonus = recipe.algorithm.entropy_bonus;
    match recipe.algorithm.entropy_decay {
        EntropyDecay::None => bonus,
        EntropyDecay::Linear => bonus * (1.0 - f64::from(step) / f64::from(recipe.steps.max(1))),
    }
}
