//! The model that is trained, with what a step of training needs besides its plan.
//!
//! ```text
//! jobs -> trajectories -> returns compared in each group -> groups that are kept -> advantages -> packs -> gradients -> AdamW
//!         [`rolled_out`]                                    [`step`]
//! ```
//!
//! Seeds of a step are functions of the recipe's seed, the step and the group: a step can be rolled out again from its
//! checkpoint, and a run that goes on from a checkpoint goes on exactly.

mod rolled_out;
mod schedule;
mod step;

use std::sync::Arc;

use ludus_host::task::Task;
use tch::Tensor;

pub use self::rolled_out::RolledOut;
pub use self::schedule::learning_rate;
pub use self::step::{Progress, Step, StepError};
use crate::advantage::rae::Baselines;
use crate::chat::Chat;
use crate::model::llama::{Llama, Weights};
use crate::opponents::Opponents;
use crate::optimizer::{AdamW, AdamWSettings, Moments};
use crate::plan::Plan;
use crate::ranks::{Gradients, Ranks, RanksError};
use crate::rollout::{AskedTask, ReplyShape, Trajectory};

/// The model that is trained, with everything that a step needs.
pub struct Learner<'a> {
    pub plan: &'a Plan,
    pub llama: Llama,
    pub optimizer: AdamW,
    pub chat: Chat,
    /// What each role got so far, where advantages are made of that.
    pub baselines: Baselines,
    /// The networks that play beside it and do not learn.
    pub opponents: Opponents,
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

impl<'a> Learner<'a> {
    /// A learner at the start of a run.
    pub fn new(plan: &'a Plan, llama: Llama, chat: Chat) -> Learner<'a> {
        let optimizer = AdamW::new(optimizer_settings(plan), &llama.parameters);
        let weights = llama.weights();
        let tasks = plan
            .tasks
            .iter()
            .map(|planned| asked_task(plan, &planned.stages, &planned.stages, &planned.task))
            .collect();
        let baselines = Baselines::new(plan.recipe.algorithm.rae_decay);
        Learner {
            plan,
            llama,
            optimizer,
            chat,
            baselines,
            opponents: Opponents::default(),
            tasks,
            weights,
            start: None,
            ranks: Ranks::alone(),
            gradients: None,
        }
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

    /// Takes the parameters over for the next rollout or minibatch.
    pub fn refresh(&mut self) {
        self.weights.refresh();
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
