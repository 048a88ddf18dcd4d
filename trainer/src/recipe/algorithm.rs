//! `[algorithm]`: from episodes to an update. The formulas are where they are computed.

use serde::{Deserialize, Serialize};

use crate::advantage::Advantage;
use crate::credit::Credit;
use crate::filter::FilterScope;
use crate::objective::loss::Loss;
use crate::overlong::{CutReplies, Overlong};

/// `[algorithm]`. The defaults are StarPO\*'s.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlgorithmRecipe {
    /// What a token's ratio gains, and what the sum over tokens is divided by: `grpo`, `bnpo`, `dapo`, `dr_grpo`, `cispo`,
    /// `sapo` or `gspo`.
    pub loss: Loss,
    /// How returns become advantages: `grpo` (over the group's standard deviation), `dr-grpo` (not), `rloo` (against the others
    /// of the group), `rae` (against what the seat got before) or `gigpo` (also among replies in the same position).
    pub advantage: Advantage,
    /// What a group is compared by, and so what a token is credited with: the return of the whole `task` (GIFT), that of each
    /// `stage` by itself, or each stage's score, with the penalty for a failed `reply` on that reply alone.
    pub credit: Credit,
    /// Of `gigpo`: the weight of the advantage among replies in the same position, at least 0.
    pub gigpo_weight: f64,
    /// Of `gigpo`: what a return counts one reply earlier, above 0 and at most 1.
    pub gigpo_discount: f64,
    /// Of `rae`: how much of a baseline stays with each return, from 0 to below 1.
    pub rae_decay: f64,
    /// The share of groups that is trained on: those with the largest standard deviation of raw returns. Groups whose
    /// returns are all equal never enter; 1 keeps all others.
    pub keep_fraction: f64,
    /// Which groups compete for that share: `all` of a step, or those of the same `task`.
    pub filter_scope: FilterScope,
    /// With fewer groups than this left after the filters, the step makes no update.
    pub groups_min: u32,
    /// Dynamic sampling: a step rolls out at most this many times `rollout.groups` groups until enough have spread.
    /// 1 turns it off.
    pub oversample_max: u32,
    /// The ratio of new to old probability is clipped below at 1 minus this.
    pub clip_low: f64,
    /// The ratio of new to old probability is clipped above at 1 plus this.
    pub clip_high: f64,
    /// The ratio is held at this also where the advantage is negative (two-sided clip); 0 turns it off, else it is above
    /// 1 plus `clip_high`.
    pub clip_max: f64,
    /// Of `sapo`: how fast its gate closes where the advantage is positive; above 0.
    pub sapo_temperature_positive: f64,
    /// Of `sapo`: the same where it is not.
    pub sapo_temperature_negative: f64,
    /// The weight of the KL divergence from the policy that training began with; 0 leaves the term out.
    pub kl_weight: f64,
    /// The weight of the mean token entropy in the objective.
    pub entropy_bonus: f64,
    /// How the entropy bonus goes on: `none` keeps it, `linear` brings it to 0 at the last step.
    pub entropy_decay: EntropyDecay,
    /// A reply that met the length limit: `keep` trains on it, `mask` leaves its tokens out of the loss, `penalize` takes a cost
    /// from its return, as it does for replies near the limit.
    pub cut_replies: CutReplies,
    /// Under `penalize`: over how many tokens before the limit the cost rises.
    pub overlong_tokens: u32,
    /// Under `penalize`: what a reply costs at the limit (return points).
    pub overlong_penalty: f64,
    /// Whether what the learner does in further seats (`players = ["learner"]`) is trained on, too.
    #[serde(skip_serializing_if = "is_true")]
    pub train_further_seats: bool,
    /// Passes over one rollout's trajectories.
    pub epochs: u32,
    /// Optimizer steps in one such pass.
    pub minibatches: u32,
    /// Keeps the first weights and logs how far the policy has moved from them (`kl_from_start`), on two episodes a step. It is
    /// not part of the loss, which `kl_weight` is for.
    pub log_kl: bool,
    /// The most tokens that go through the network at once in an update; gradients of such packs are summed. A memory
    /// limit: it changes results only by rounding. A longer trajectory makes a pack by itself.
    pub pack_tokens: u32,
    /// Recomputes activations in the backward pass instead of keeping them: an update takes about a third longer and a fraction of
    /// the memory. It changes no result.
    pub recompute: bool,
}

impl Default for AlgorithmRecipe {
    fn default() -> Self {
        AlgorithmRecipe {
            loss: Loss::Dapo,
            advantage: Advantage::Grpo,
            credit: Credit::Task,
            gigpo_weight: 1.0,
            gigpo_discount: 0.95,
            rae_decay: 0.95,
            keep_fraction: 0.25,
            filter_scope: FilterScope::All,
            groups_min: 1,
            oversample_max: 1,
            clip_low: 0.2,
            clip_high: 0.28,
            clip_max: 0.0,
            sapo_temperature_positive: 1.0,
            sapo_temperature_negative: 1.05,
            kl_weight: 0.0,
            entropy_bonus: 0.001,
            entropy_decay: EntropyDecay::None,
            cut_replies: CutReplies::Keep,
            overlong_tokens: 0,
            overlong_penalty: 0.0,
            train_further_seats: true,
            epochs: 1,
            minibatches: 1,
            log_kl: true,
            pack_tokens: 4096,
            recompute: false,
        }
    }
}

impl AlgorithmRecipe {
    /// Whether the first weights are needed beside those that are trained.
    pub fn keeps_start(&self) -> bool {
        self.log_kl || self.kl_weight > 0.0
    }

    /// What long replies cost, where they do.
    pub fn overlong(&self) -> Option<Overlong> {
        let overlong = Overlong { weight: self.overlong_penalty, ramp: self.overlong_tokens };
        (self.cut_replies == CutReplies::Penalize).then_some(overlong)
    }
}

/// How the entropy bonus goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntropyDecay {
    None,
    Linear,
}

fn is_true(value: &bool) -> bool {
    *value
}
