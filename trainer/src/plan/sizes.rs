//! The numbers that follow from a recipe: episodes, tokens and optimizer steps.

use std::sync::Arc;

use ludus_host::component::Component;
use serde::Serialize;

use super::{PlannedEvaluation, PlannedTask};
use crate::filter::FilterScope;
use crate::recipe::{Recipe, TaskKind};

/// The numbers that follow from a recipe. Each is for one step unless its name says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sizes {
    pub episodes: u64,
    /// Groups that pass the filter, at most.
    pub groups_kept_max: u64,
    pub trajectories_trained_max: u64,
    pub optimizer_steps_max: u64,
    /// Replies of the learner in one episode, at most.
    pub replies_per_episode_max: u64,
    pub sampled_tokens_per_episode_max: u64,
    pub sampled_tokens_max: u64,
    /// Prompts and replies together.
    pub context_tokens_max: u64,
    pub episodes_of_run: u64,
    pub optimizer_steps_of_run_max: u64,
    /// Of one evaluation, all stages and players.
    pub evaluation_episodes: u64,
}

impl Sizes {
    /// Works the numbers out.
    pub(super) fn of(
        recipe: &Recipe,
        components: &[Arc<Component>],
        tasks: &[PlannedTask],
        evaluations: &[PlannedEvaluation],
    ) -> Sizes {
        let (rollout, algorithm) = (&recipe.rollout, &recipe.algorithm);
        let groups = u64::from(rollout.groups) * u64::from(algorithm.oversample_max);
        let episodes = groups * u64::from(rollout.group_size);
        let groups_kept_max = kept_groups_max(recipe);
        let optimizer_steps_max = u64::from(algorithm.epochs) * u64::from(algorithm.minibatches);
        let context_tokens = u64::from(rollout.context_tokens);
        // Each call of a game's `step` asks the learner at most once, and each decision may be tried several times.
        let replies_of =
            |stage: usize| u64::from(components[stage].manifest.steps_max) * u64::from(recipe.stages[stage].attempts);
        let tokens_of = |stage: usize| {
            let written = &recipe.stages[stage];
            replies_of(stage) * u64::from(written.reply_tokens.unwrap_or(recipe.reply.tokens))
        };
        let longest = |of: &dyn Fn(usize) -> u64| {
            tasks.iter().map(|task| task.stages.iter().map(|stage| of(*stage)).sum()).max().unwrap_or(0_u64)
        };
        let sampled_per_episode = longest(&tokens_of).min(context_tokens);
        Sizes {
            episodes,
            groups_kept_max,
            trajectories_trained_max: groups_kept_max * u64::from(rollout.group_size),
            optimizer_steps_max,
            replies_per_episode_max: longest(&replies_of).min(context_tokens),
            sampled_tokens_per_episode_max: sampled_per_episode,
            sampled_tokens_max: episodes * sampled_per_episode,
            context_tokens_max: episodes * context_tokens,
            episodes_of_run: u64::from(recipe.steps) * episodes,
            optimizer_steps_of_run_max: u64::from(recipe.steps) * optimizer_steps_max,
            evaluation_episodes: evaluations.iter().map(|evaluation| u64::from(evaluation.episodes)).sum(),
        }
    }
}

/// The most groups of a step that the filter keeps: the fraction, rounded up, so that one stays; once for each task where tasks
/// do not compete.
pub fn kept_groups_max(recipe: &Recipe) -> u64 {
    let groups = recipe.rollout.groups;
    let all = (f64::from(groups) * recipe.algorithm.keep_fraction).ceil() as u64;
    match (recipe.algorithm.filter_scope, recipe.task.kind) {
        // Each task rounds up by less than one.
        (FilterScope::Task, TaskKind::Mixed) => (all + recipe.stages.len() as u64 - 1).min(u64::from(groups)),
        _ => all,
    }
}
