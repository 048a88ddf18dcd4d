//! Who plays beside the learner, but for the servers, which the host knows.

use serde::{Deserialize, Serialize};

/// `[models.NAME]`: a model that plays seats and does not learn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenRecipe {
    /// A checkpoint's folder, or whatever `model.source` may be.
    pub source: String,
}

/// `[self_play]`: the pool that the player `model:past` is drawn from, snapshots of the learner itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SelfPlayRecipe {
    /// Takes a snapshot before the first step and after each so many; 0 takes none.
    pub every: u32,
    /// How many of the newest snapshots are in the pool.
    pub keep: u32,
    pub draw: DrawFromPool,
}

impl SelfPlayRecipe {
    pub(super) fn is_default(&self) -> bool {
        *self == SelfPlayRecipe::default()
    }
}

impl Default for SelfPlayRecipe {
    fn default() -> Self {
        SelfPlayRecipe { every: 0, keep: 4, draw: DrawFromPool::Uniform }
    }
}

/// Which snapshot of the pool a group meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DrawFromPool {
    /// Any, all as likely.
    Uniform,
    /// The newest.
    Latest,
}
