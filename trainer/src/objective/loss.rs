//! The losses by their names: what each makes of a token's ratio, and what it divides the sum of its terms by.
//!
//! ```text
//! loss = sum_t w_t * ( -gain_t + kl_weight * k3_t - entropy_bonus * H_t )        w_t = 1 / divisor
//!
//! grpo, bnpo, dapo, dr_grpo   one gain (`clip`), four divisors
//! cispo, sapo, gspo           three gains, with the divisor of dapo, of grpo and of grpo
//! ```
//!
//! The names are TRL's, and so are the formulas: a fixture holds what TRL makes of the same numbers.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::cispo::Cispo;
use super::clip::Clip;
use super::sapo::Sapo;
use super::{bnpo, dapo, dr_grpo, grpo};
use crate::recipe::AlgorithmRecipe;

/// A loss, as a recipe names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    Grpo,
    Bnpo,
    Dapo,
    DrGrpo,
    Cispo,
    Sapo,
    Gspo,
}

/// What a token's term is made of, with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Surrogate {
    Clip(Clip),
    Cispo(Cispo),
    Sapo(Sapo),
    /// The clip on the ratio of the whole sequence.
    Gspo(Clip),
}

/// The numbers that a term may be divided by. A sequence is what a trajectory samples in one part: in the whole task, or in
/// one stage where stages are compared by themselves.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// Tokens of the term's own sequence.
    pub own: usize,
    /// Sequences of the minibatch that have tokens.
    pub sequences: usize,
    /// Tokens of the minibatch.
    pub minibatch: usize,
    /// Tokens of all minibatches of the update.
    pub update: usize,
    pub minibatches: usize,
    /// Trajectories of the minibatch, with tokens or without.
    pub trajectories: usize,
    /// The most tokens that a trajectory can have.
    pub tokens_max: u64,
}

impl Loss {
    /// The surrogate with the settings that a recipe gives it.
    pub fn surrogate(self, recipe: &AlgorithmRecipe) -> Surrogate {
        let max = (recipe.clip_max > 0.0).then_some(recipe.clip_max);
        let clip = Clip { low: recipe.clip_low, high: recipe.clip_high, max };
        match self {
            Loss::Grpo | Loss::Bnpo | Loss::Dapo | Loss::DrGrpo => Surrogate::Clip(clip),
            Loss::Cispo => Surrogate::Cispo(Cispo { high: recipe.clip_high }),
            Loss::Sapo => Surrogate::Sapo(Sapo {
                positive: recipe.sapo_temperature_positive,
                negative: recipe.sapo_temperature_negative,
            }),
            Loss::Gspo => Surrogate::Gspo(clip),
        }
    }

    /// What a term is divided by.
    pub fn divisor(self, counts: Counts) -> f64 {
        match self {
            Loss::Grpo | Loss::Sapo | Loss::Gspo => grpo::divisor(counts),
            Loss::Bnpo => bnpo::divisor(counts),
            Loss::Dapo | Loss::Cispo => dapo::divisor(counts),
            Loss::DrGrpo => dr_grpo::divisor(counts),
        }
    }

    /// Whether a ratio is held at a bound.
    pub fn clips(self) -> bool {
        !matches!(self, Loss::Cispo | Loss::Sapo)
    }
}

impl Surrogate {
    /// What each token gains, `[tokens]`, from its ratio, its log-probability and its advantage.
    pub fn gain(&self, ratio: &Tensor, log_probabilities: &Tensor, advantages: &Tensor) -> Tensor {
        match self {
            Surrogate::Clip(clip) | Surrogate::Gspo(clip) => clip.gain(ratio, advantages),
            Surrogate::Cispo(cispo) => cispo.gain(ratio, log_probabilities, advantages),
            Surrogate::Sapo(sapo) => sapo.gain(ratio, advantages),
        }
    }

    /// The bounds between which a ratio counts as it is.
    pub fn bounds(&self) -> (f64, f64) {
        match self {
            Surrogate::Clip(clip) | Surrogate::Gspo(clip) => (1.0 - clip.low, 1.0 + clip.high),
            Surrogate::Cispo(cispo) => (0.0, 1.0 + cispo.high),
            Surrogate::Sapo(_) => (0.0, f64::INFINITY),
        }
    }
}
