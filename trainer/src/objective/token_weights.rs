//! How much each sampled token weighs in the loss.
//!
//! A loss says what a term is divided by; what is credited says which terms are divided together. Under `task` these are all
//! tokens of a trajectory. Where stages are compared by themselves, each stage has its own sums, and stages weigh the same,
//! however many tokens they have: else a stage of one decision hardly moves the network beside one of five. Dr. GRPO's constant
//! knows no stages: there every token weighs the same.
//!
//! The weights follow from the counts of the whole update, never from packs.

use std::ops::Range;

use super::loss::{Counts, Loss};
use crate::credit::Credit;

/// What the weights of an update follow from.
pub struct Lengths<'a> {
    /// For each trajectory of the update, how many tokens it trains on in each stage.
    pub tokens: &'a [Vec<usize>],
    pub minibatches: usize,
    /// The most tokens that a trajectory can have.
    pub tokens_max: u64,
}

impl Lengths<'_> {
    /// For each trajectory of a minibatch, the weight of a token that it trains on in each stage. But for `dr_grpo`, the
    /// weights of all tokens of all minibatches sum to the number of minibatches.
    pub fn weights(&self, loss: Loss, credit: Credit, minibatch: Range<usize>) -> Vec<Vec<f64>> {
        let stages = self.tokens.iter().map(Vec::len).max().unwrap_or(0);
        let parts = if loss == Loss::DrGrpo { Credit::Task } else { credit }.parts(stages);
        let batch = &self.tokens[minibatch];
        let played: Vec<&Vec<usize>> =
            parts.iter().filter(|part| batch.iter().any(|tokens| within(tokens, part) > 0)).collect();
        let mut weights = vec![vec![0.0; stages]; batch.len()];
        for &part in &played {
            let own: Vec<usize> = batch.iter().map(|tokens| within(tokens, part)).collect();
            let counts = Counts {
                own: 0,
                sequences: own.iter().filter(|&&tokens| tokens > 0).count(),
                minibatch: own.iter().sum(),
                update: self.tokens.iter().map(|tokens| within(tokens, part)).sum(),
                minibatches: self.minibatches,
                trajectories: batch.len(),
                tokens_max: self.tokens_max,
            };
            for (weights, own) in weights.iter_mut().zip(own) {
                let divisor = loss.divisor(Counts { own, ..counts });
                for &stage in part {
                    weights[stage] = 1.0 / (played.len() as f64 * divisor);
                }
            }
        }
        weights
    }
}

/// The tokens of a trajectory in some stages.
fn within(tokens: &[usize], part: &[usize]) -> usize {
    part.iter().filter_map(|&stage| tokens.get(stage)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY_LOSS: [Loss; 7] =
        [Loss::Grpo, Loss::Bnpo, Loss::Dapo, Loss::DrGrpo, Loss::Cispo, Loss::Sapo, Loss::Gspo];

    /// Two trajectories of two stages, and one that did not get to the second.
    const TOKENS: [[usize; 2]; 3] = [[2, 6], [2, 10], [4, 0]];

    /// The weights under minibatches that end behind these trajectories.
    fn weights(loss: Loss, credit: Credit, ends: &[usize]) -> Vec<Vec<f64>> {
        let tokens = TOKENS.map(Vec::from);
        let lengths = Lengths { tokens: &tokens, minibatches: ends.len(), tokens_max: 100 };
        let starts = [0].iter().chain(ends);
        starts.zip(ends).flat_map(|(&start, &end)| lengths.weights(loss, credit, start..end)).collect()
    }

    fn sum(weights: &[Vec<f64>]) -> f64 {
        weights.iter().flatten().zip(TOKENS.iter().flatten()).map(|(weight, &count)| weight * count as f64).sum()
    }

    #[test]
    fn under_task_credit_every_token_weighs_the_same() {
        let found = weights(Loss::Dapo, Credit::Task, &[3]);
        assert!(found.iter().flatten().all(|&weight| weight == 1.0 / 24.0), "{found:?}");
    }

    #[test]
    fn under_stage_credit_every_stage_weighs_the_same_and_in_it_every_token() {
        assert_eq!(weights(Loss::Dapo, Credit::Stage, &[3]), [[1.0 / 16.0, 1.0 / 32.0]; 3]);
    }

    #[test]
    fn under_grpo_every_sequence_weighs_the_same() {
        let expected = [[1.0 / 24.0; 2], [1.0 / 36.0; 2], [1.0 / 12.0; 2]];
        assert_eq!(weights(Loss::Grpo, Credit::Task, &[3]), expected);
    }

    #[test]
    fn under_dr_grpo_a_token_weighs_the_same_whatever_else_was_sampled() {
        for credit in [Credit::Task, Credit::Stage] {
            let found = weights(Loss::DrGrpo, credit, &[3]);
            assert!(found.iter().flatten().all(|&weight| weight == 1.0 / 300.0), "{found:?}");
        }
    }

    #[test]
    fn minibatches_share_the_divisor_of_dapo_and_have_each_their_own_under_bnpo() {
        let minibatches = [2, 3];
        let found = weights(Loss::Dapo, Credit::Task, &minibatches);
        assert!(found.iter().flatten().all(|&weight| weight == 1.0 / 12.0), "{found:?}");
        let expected = [[1.0 / 20.0; 2], [1.0 / 20.0; 2], [1.0 / 4.0; 2]];
        assert_eq!(weights(Loss::Bnpo, Credit::Task, &minibatches), expected);
    }

    #[test]
    fn the_weights_of_all_tokens_sum_to_the_number_of_minibatches() {
        for loss in EVERY_LOSS.into_iter().filter(|&loss| loss != Loss::DrGrpo) {
            for (credit, ends) in [(Credit::Task, vec![3]), (Credit::Task, vec![2, 3]), (Credit::Stage, vec![3])] {
                let sum = sum(&weights(loss, credit, &ends));
                assert!((sum - ends.len() as f64).abs() < 1e-12, "{loss:?} {credit:?}: {sum}");
            }
        }
    }
}
