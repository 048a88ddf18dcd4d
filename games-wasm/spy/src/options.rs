//! What a recipe may choose.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub const ROUNDS_MAX: u32 = 4;

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How often each player describes its word before a vote, 1 to 4.
    #[schemars(range(min = 1, max = ROUNDS_MAX))]
    pub rounds: u32,
    /// `vote`: one vote ends the game. `decided`: go on until the spy is out or two players are left.
    pub until: Until,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    Vote,
    Decided,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounds: 2, until: Until::Vote }
    }
}
