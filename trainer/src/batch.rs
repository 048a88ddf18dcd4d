//! What an update trains on: which tokens of which trajectories, each with its advantage and its weight in the loss.
//!
//! ```text
//! groups that are kept -> minibatches, each a row of trajectories -> packs
//! ```
//!
//! A trajectory is trained on by the tokens that were sampled, less those of replies that the recipe leaves out because they met
//! the length limit.

use std::ops::Range;

use crate::chat::Chat;
use crate::credit::Credit;
use crate::objective::token_weights::Lengths;
use crate::overlong::CutReplies;
use crate::pack::{Pack, Sample};
use crate::plan::Plan;
use crate::recipe::AlgorithmRecipe;
use crate::rollout::Trajectory;
use crate::suspect::Suspect;

/// The trajectories of an update, group by group, since a group has most in common.
pub struct Batch<'a> {
    algorithm: &'a AlgorithmRecipe,
    trajectories: Vec<&'a Trajectory>,
    /// Of each trajectory's tokens.
    advantages: Vec<&'a [f32]>,
    trained: Vec<Vec<bool>>,
    /// For each trajectory, how many tokens are trained on in each stage.
    lengths: Vec<Vec<usize>>,
    tokens_max: u64,
    /// Its optimizer steps: each trains on a row of trajectories, in which there is at least one token to train on.
    pub minibatches: Vec<Range<usize>>,
}

impl<'a> Batch<'a> {
    /// The kept ones of a step's groups. `advantages` are of all its trajectories' tokens.
    pub fn of(
        plan: &'a Plan,
        trajectories: &'a [Trajectory],
        groups: &[Range<usize>],
        kept: &[usize],
        advantages: &'a [Vec<f32>],
    ) -> Batch<'a> {
        let algorithm = &plan.recipe.algorithm;
        let members: Vec<usize> = kept.iter().flat_map(|&group| groups[group].clone()).collect();
        let trajectories: Vec<&Trajectory> = members.iter().map(|&member| &trajectories[member]).collect();
        let trained: Vec<Vec<bool>> =
            trajectories.iter().map(|trajectory| trained(trajectory, algorithm.cut_replies)).collect();
        let lengths: Vec<Vec<usize>> =
            trajectories.iter().zip(&trained).map(|(trajectory, trained)| lengths(trajectory, trained)).collect();
        let mut minibatches = minibatches(groups, kept, algorithm.minibatches as usize);
        minibatches.retain(|row| lengths[row.clone()].iter().flatten().any(|&tokens| tokens > 0));
        Batch {
            algorithm,
            lengths,
            trajectories,
            advantages: members.iter().map(|&member| advantages[member].as_slice()).collect(),
            trained,
            tokens_max: plan.sizes.sampled_tokens_per_episode_max,
            minibatches,
        }
    }

    /// Tokens that are trained on, each counted once.
    pub fn tokens(&self) -> u64 {
        self.lengths.iter().flatten().sum::<usize>() as u64
    }

    /// The packs of a row of trajectories.
    pub fn packs(&self, row: Range<usize>) -> Vec<Pack> {
        self.packs_of(row.clone(), row)
    }

    /// How much work each trajectory of a row is, about: its tokens.
    pub fn work(&self, row: Range<usize>) -> Vec<usize> {
        self.trajectories[row].iter().map(|trajectory| trajectory.tokens.len()).collect()
    }

    /// The packs of a part of a minibatch, whose tokens weigh what they do in the whole of it.
    pub fn packs_of(&self, minibatch: Range<usize>, row: Range<usize>) -> Vec<Pack> {
        let weights = self.weights(minibatch.clone());
        let weights = &weights[row.start - minibatch.start..row.end - minibatch.start];
        let sequences: Vec<Vec<usize>> = self.trajectories[row.clone()]
            .iter()
            .map(|trajectory| match self.algorithm.credit {
                Credit::Task => vec![0; trajectory.tokens.len()],
                Credit::Stage | Credit::Reply => trajectory.stages.clone(),
            })
            .collect();
        let samples: Vec<Sample> = row
            .zip(weights)
            .zip(&sequences)
            .map(|((index, weights), sequences)| {
                let trajectory = self.trajectories[index];
                Sample {
                    tokens: &trajectory.tokens,
                    trained: &self.trained[index],
                    log_probabilities: &trajectory.log_probabilities,
                    advantages: self.advantages[index],
                    weights,
                    sequences,
                }
            })
            .collect();
        Pack::all(&samples, self.algorithm.pack_tokens as usize)
    }

    /// A row of trajectories with all that their loss is computed from.
    pub fn suspects(&self, row: Range<usize>, chat: &Chat) -> Vec<Suspect> {
        let weights = self.weights(row.clone());
        let suspect = |(index, weights): (usize, &Vec<f32>)| {
            Suspect::of(self.trajectories[index], chat, self.advantages[index], weights)
        };
        row.zip(&weights).map(suspect).collect()
    }

    /// For each trajectory of a row, the weight of each of its tokens in the loss.
    fn weights(&self, row: Range<usize>) -> Vec<Vec<f32>> {
        let lengths =
            Lengths { tokens: &self.lengths, minibatches: self.minibatches.len(), tokens_max: self.tokens_max };
        let of_stages = lengths.weights(self.algorithm.loss, self.algorithm.credit, row.clone());
        self.trajectories[row]
            .iter()
            .zip(&of_stages)
            .map(|(trajectory, weights)| trajectory.stages.iter().map(|&stage| weights[stage] as f32).collect())
            .collect()
    }
}

/// The kept groups in so many rows of trajectories, or in fewer where there are fewer groups.
fn minibatches(groups: &[Range<usize>], kept: &[usize], count: usize) -> Vec<Range<usize>> {
    let size = kept.len().div_ceil(count.max(1)).max(1);
    let mut end = 0;
    let row = |row: &[usize]| {
        let start = end;
        end += row.iter().map(|&group| groups[group].len()).sum::<usize>();
        start..end
    };
    kept.chunks(size).map(row).collect()
}

/// For each token of a trajectory, whether it is trained on.
fn trained(trajectory: &Trajectory, cut_replies: CutReplies) -> Vec<bool> {
    let mut trained = trajectory.sampled.clone();
    if cut_replies == CutReplies::Mask {
        for turn in trajectory.turns.iter().filter(|turn| turn.cut) {
            trained[turn.tokens.clone()].fill(false);
        }
    }
    trained
}

/// How many tokens are trained on in each stage.
fn lengths(trajectory: &Trajectory, trained: &[bool]) -> Vec<usize> {
    let mut lengths = vec![0; trajectory.finished.result.stages.len()];
    for (&stage, _) in trajectory.stages.iter().zip(trained).filter(|&(_, &trained)| trained) {
        lengths[stage] += 1;
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minibatches_are_rows_of_whole_groups() {
        let groups = [0..4, 4..8, 8..12, 12..16];
        assert_eq!(minibatches(&groups, &[0, 2, 3], 2), [0..8, 8..12]);
        assert_eq!(minibatches(&groups, &[1], 2).first(), Some(&(0..4)));
        assert!(minibatches(&groups, &[], 2).is_empty());
    }
}
