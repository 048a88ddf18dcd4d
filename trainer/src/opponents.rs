//! Who plays beside the learner and does not learn: models that the recipe names, here or behind servers, and the learner as
//! it was.
//!
//! A player `model:NAME` is the model of `[models.NAME]`. `model:past` is a snapshot of the learner itself, drawn for each group
//! from the pool that `[self_play]` describes. The pool of a step follows from the step alone: snapshots are taken after fixed
//! steps, and the newest of them stay. So a step that is rolled out again meets the same opponents.

use ludus_host::endpoint::Calls;
use ludus_host::stream::Stream;

use crate::chat::Chat;
use crate::model::llama::{Llama, Weights};
use crate::recipe::{DrawFromPool, Recipe, SelfPlayRecipe};
use crate::rollout::{Job, Network};

/// The name of the model that is a past self of the learner.
pub const PAST: &str = "past";

/// A model that does not learn.
pub struct Frozen {
    pub name: String,
    pub llama: Llama,
    pub weights: Weights,
    pub chat: Chat,
}

/// All networks that do not learn.
#[derive(Default)]
pub struct Opponents {
    models: Vec<Frozen>,
    /// The learner's weights after so many steps, the oldest first.
    pool: Vec<(u32, Weights)>,
    /// Models behind servers, where the recipe has any.
    calls: Option<Calls>,
}

impl Opponents {
    /// Adds a model.
    pub fn add(&mut self, model: Frozen) {
        self.models.push(model);
    }

    /// Adds the models behind servers.
    pub fn call(&mut self, calls: Calls) {
        self.calls = Some(calls);
    }

    /// The models behind servers.
    pub fn calls(&self) -> Option<&Calls> {
        self.calls.as_ref()
    }

    /// Adds the learner's weights after a step, and forgets those that no later step can meet.
    pub fn remember(&mut self, step: u32, weights: Weights, keep: u32) {
        self.pool.push((step, weights));
        let surplus = self.pool.len().saturating_sub(keep as usize);
        self.pool.drain(..surplus);
    }

    /// All networks: the models, then the learner's past selves.
    pub fn networks<'a>(&'a self, learner: Network<'a>) -> Vec<Network<'a>> {
        let models =
            self.models.iter().map(|model| Network { llama: &model.llama, weights: &model.weights, chat: &model.chat });
        let past = self.pool.iter().map(|(_, weights)| Network { weights, ..learner });
        models.chain(past).collect()
    }

    /// The place of a model among the networks. The plan made sure that it is there.
    pub fn place_of(&self, name: &str) -> usize {
        self.models.iter().position(|model| model.name == name).unwrap_or(0)
    }

    /// The place of the network that speaks for a model in a group of a step, counted from 0.
    pub fn place_in_step(&self, name: &str, recipe: &Recipe, step: u32, job: &Job) -> usize {
        if name != PAST || self.pool.is_empty() {
            return self.place_of(name);
        }
        let newest = self.pool.len() - 1;
        let drawn = match recipe.self_play.draw {
            DrawFromPool::Latest => newest,
            DrawFromPool::Uniform => {
                let path = ["train".into(), step.into(), job.group.into(), "past".into()];
                Stream::derive(recipe.seed, &path).below(self.pool.len() as u32) as usize
            }
        };
        self.models.len() + drawn
    }
}

impl SelfPlayRecipe {
    /// Whether the learner is remembered as it is after so many steps.
    pub fn is_due(&self, steps_done: u32) -> bool {
        self.every > 0 && steps_done.is_multiple_of(self.every)
    }

    /// The steps after which the snapshots were taken that are in the pool once so many are done, the oldest first.
    pub fn pool_after(&self, steps_done: u32) -> Vec<u32> {
        if self.every == 0 {
            return Vec::new();
        }
        let newest = steps_done / self.every;
        let oldest = (newest + 1).saturating_sub(self.keep);
        (oldest..=newest).map(|number| number * self.every).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_of_a_step_is_the_newest_snapshots_before_it() {
        let recipe = SelfPlayRecipe { every: 5, keep: 3, draw: DrawFromPool::Uniform };
        assert_eq!(recipe.pool_after(0), [0]);
        assert_eq!(recipe.pool_after(4), [0]);
        assert_eq!(recipe.pool_after(11), [0, 5, 10]);
        assert_eq!(recipe.pool_after(15), [5, 10, 15]);
        assert!(SelfPlayRecipe { every: 0, ..recipe }.pool_after(9).is_empty());
    }
}
