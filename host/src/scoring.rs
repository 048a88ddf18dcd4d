//! What a task makes of its stages' scores.
//!
//! ```text
//! combined = combine(s_1 … s_K)            s_k from 0 to 1; a stage that was not played counts 0
//! return   = combined - p_malformed * malformed - p_illegal * illegal
//! ```
//!
//! `mean` is what GIFT's code computes; `product` is a true AND; `all` is 1 only where each stage reached its threshold.
//! The sums run in stage order, so the result is the same on every machine.

use serde::{Deserialize, Serialize};

/// How the scores of a task's stages become one number from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Combine {
    #[default]
    Mean,
    Product,
    Min,
    All,
}

impl Combine {
    /// Combines one score a stage; `thresholds` (as many) matter for `all` alone.
    pub fn apply(self, scores: &[f64], thresholds: &[f64]) -> f64 {
        match self {
            Combine::Mean => scores.iter().sum::<f64>() / scores.len().max(1) as f64,
            Combine::Product => scores.iter().product(),
            Combine::Min => scores.iter().copied().fold(1.0, f64::min),
            Combine::All => {
                let passed = scores.iter().zip(thresholds).all(|(score, threshold)| score >= threshold);
                f64::from(u8::from(passed))
            }
        }
    }
}

/// What failed replies cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Penalties {
    pub malformed: f64,
    pub illegal: f64,
}

impl Penalties {
    /// The return of an episode.
    pub fn apply(self, combined: f64, malformed: u32, illegal: u32) -> f64 {
        combined - self.malformed * f64::from(malformed) - self.illegal * f64::from(illegal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: [f64; 3] = [0.5; 3];

    #[test]
    fn each_combination_gives_what_was_computed_by_hand() {
        let scores = [1.0, 0.5, 0.25];
        assert_eq!(Combine::Mean.apply(&scores, &HALF), 1.75 / 3.0);
        assert_eq!(Combine::Product.apply(&scores, &HALF), 0.125);
        assert_eq!(Combine::Min.apply(&scores, &HALF), 0.25);
        assert_eq!(Combine::All.apply(&scores, &HALF), 0.0);
        assert_eq!(Combine::All.apply(&scores, &[0.5, 0.5, 0.25]), 1.0);
    }

    #[test]
    fn a_stage_that_was_not_played_sinks_all_but_the_mean() {
        let scores = [1.0, 0.0];
        assert_eq!(Combine::Mean.apply(&scores, &HALF), 0.5);
        for combine in [Combine::Product, Combine::Min, Combine::All] {
            assert_eq!(combine.apply(&scores, &HALF), 0.0);
        }
    }

    #[test]
    fn failed_replies_cost_their_own_penalties() {
        let penalties = Penalties { malformed: 0.25, illegal: 0.125 };
        assert_eq!(penalties.apply(0.5, 0, 0), 0.5);
        assert_eq!(penalties.apply(0.5, 1, 2), 0.0);
        assert_eq!(penalties.apply(0.0, 3, 0), -0.75);
    }
}
