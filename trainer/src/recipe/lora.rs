//! `[lora]`: training low-rank adapters instead of the whole network.

use serde::{Deserialize, Serialize};

use crate::model::lora::{Lora, TARGETS};

/// `[lora]`. The formula is in [`crate::model::lora`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoraRecipe {
    /// The rank of the adapters; 0 trains the whole network.
    pub rank: u32,
    /// What the adapters add is multiplied by this over the rank.
    pub alpha: f64,
    /// The projections that get adapters: of `q_proj`, `k_proj`, `v_proj`, `o_proj`, `gate_proj`, `up_proj` and `down_proj`.
    pub targets: Vec<String>,
}

impl Default for LoraRecipe {
    fn default() -> Self {
        LoraRecipe { rank: 0, alpha: 32.0, targets: TARGETS.map(str::to_string).to_vec() }
    }
}

impl LoraRecipe {
    /// The adapters that are trained; none where the whole network is.
    pub fn adapters(&self) -> Option<Lora> {
        let lora = Lora { rank: i64::from(self.rank), alpha: self.alpha, targets: self.targets.clone() };
        (self.rank > 0).then_some(lora)
    }
}
