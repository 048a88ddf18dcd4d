//! What a sampled token is credited with: the return of the whole task, or what its own stage brought.
//!
//! GIFT (2601.05633) gives every token of a nested task the task's one return. Its noise is that of all stages together: a
//! good move in a short stage drowns in the luck of a long one. Under `stage` the members of a group are compared stage by
//! stage, and a token's advantage is that of its stage. Then no stage is blamed for another's luck, and none is credited with
//! what it did for a later one. Stages also weigh the same in the loss, however many tokens they have: else a stage of one
//! decision hardly moves the network beside one of five. `reply` does the same, and leaves the penalty for a failed reply to that
//! reply's own tokens.

use ludus_host::result::EpisodeResult;
use ludus_host::task::Penalties;
use serde::{Deserialize, Serialize};

use crate::advantage::{Advantage, mean, spread};
use crate::recipe::LossNormalization;

/// What the members of a group are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Credit {
    /// The return of the whole task.
    Task,
    /// The return of each stage: its score less the penalties for what happened in it.
    Stage,
    /// The score of each stage; the penalty for a failed reply falls on the tokens of that reply alone.
    Reply,
}

/// The returns of a group that are compared.
pub struct Compared {
    stages: usize,
    credit: Credit,
    members: usize,
    /// One for the task or for each stage.
    comparisons: Vec<Comparison>,
}

#[derive(Default)]
struct Comparison {
    /// Those that take part.
    members: Vec<usize>,
    /// What they got, penalties included.
    returns: Vec<f64>,
    /// What advantages are made of.
    compared: Vec<f64>,
}

impl Credit {
    /// What is compared in a group of episodes of one task.
    pub fn compare(self, group: &[&EpisodeResult], penalties: Penalties) -> Compared {
        let stages = group.first().map_or(0, |result| result.stages.len());
        let mut comparisons: Vec<Comparison> = Vec::new();
        match self {
            Credit::Task => {
                let returns: Vec<f64> = group.iter().map(|result| result.task_return).collect();
                let members = (0..group.len()).collect();
                comparisons.push(Comparison { members, compared: returns.clone(), returns });
            }
            Credit::Stage | Credit::Reply => {
                for stage in 0..stages {
                    let mut comparison = Comparison::default();
                    for (member, result) in group.iter().enumerate() {
                        let stage = &result.stages[stage];
                        // A stage in which the learner was never asked, as behind one that was not passed, is compared with none.
                        if stage.decisions > 0 {
                            let earned = penalties.apply(stage.score, stage.malformed, stage.illegal);
                            comparison.members.push(member);
                            comparison.returns.push(earned);
                            comparison.compared.push(if self == Credit::Reply { stage.score } else { earned });
                        }
                    }
                    comparisons.push(comparison);
                }
            }
        }
        Compared { stages, credit: self, members: group.len(), comparisons }
    }

    /// For each trajectory of an update, the weight in the loss of a token that it sampled in each stage, from how many it
    /// sampled there. The weights of all tokens sum to one.
    pub fn token_weights(self, normalization: LossNormalization, counts: &[Vec<usize>]) -> Vec<Vec<f64>> {
        let stages = counts.iter().map(Vec::len).max().unwrap_or(0);
        // Stages that weigh together.
        let parts: Vec<Vec<usize>> = match self {
            Credit::Task => vec![(0..stages).collect()],
            Credit::Stage | Credit::Reply => (0..stages).map(|stage| vec![stage]).collect(),
        };
        let tokens =
            |counts: &[usize], part: &[usize]| -> usize { part.iter().filter_map(|&stage| counts.get(stage)).sum() };
        let of_all = |part: &[usize]| -> Vec<usize> { counts.iter().map(|counts| tokens(counts, part)).collect() };
        let parts: Vec<(Vec<usize>, Vec<usize>)> = parts
            .into_iter()
            .map(|part| {
                let of_all = of_all(&part);
                (part, of_all)
            })
            .filter(|(_, of_all)| of_all.iter().any(|&tokens| tokens > 0))
            .collect();
        let mut weights = vec![vec![0.0; stages]; counts.len()];
        for (part, of_all) in &parts {
            let (sum, talking) = (of_all.iter().sum::<usize>(), of_all.iter().filter(|&&tokens| tokens > 0).count());
            for (weights, &own) in weights.iter_mut().zip(of_all) {
                let equal = match normalization {
                    LossNormalization::Token => sum,
                    LossNormalization::Trajectory => talking * own.max(1),
                };
                for &stage in part {
                    weights[stage] = 1.0 / (parts.len() * equal) as f64;
                }
            }
        }
        weights
    }
}

impl Compared {
    /// How far the raw returns of the group differ: their standard deviation, under `stage` the mean of the stages'. Zero
    /// exactly where nothing differs.
    pub fn spread(&self) -> f64 {
        let spreads: Vec<f64> = self.comparisons.iter().map(|comparison| spread(&comparison.returns)).collect();
        mean(&spreads)
    }

    /// For each member, the advantage of the tokens that it sampled in each stage.
    pub fn advantages(&self, advantage: Advantage) -> Vec<Vec<f64>> {
        let mut found = vec![vec![0.0; self.stages]; self.members];
        for (index, Comparison { members, compared, .. }) in self.comparisons.iter().enumerate() {
            for (&member, value) in members.iter().zip(advantage.of_group(compared)) {
                match self.credit {
                    Credit::Task => found[member].fill(value),
                    Credit::Stage | Credit::Reply => found[member][index] = value,
                }
            }
        }
        found
    }

    /// For each stage, what the penalty of a reply counts in the advantage of its own tokens: under `reply` it is divided as
    /// the scores are (not at all, where no score differs); else it is in the returns already.
    pub fn penalty_scales(&self, advantage: Advantage) -> Vec<f64> {
        let scale = |comparison: &Comparison| match (self.credit, advantage) {
            (Credit::Task | Credit::Stage, _) => 0.0,
            (Credit::Reply, Advantage::DrGrpo) => 1.0,
            (Credit::Reply, Advantage::Grpo) => match spread(&comparison.compared) {
                0.0 => 1.0,
                spread => 1.0 / spread,
            },
        };
        match self.credit {
            Credit::Task => vec![0.0; self.stages],
            Credit::Stage | Credit::Reply => self.comparisons.iter().map(scale).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use ludus_host::result::{Ended, StageResult};

    use super::*;

    const PENALTIES: Penalties = Penalties { malformed: 0.5, illegal: 0.25 };

    fn stage(score: f64, decisions: u32, illegal: u32) -> StageResult {
        StageResult {
            game: "game".into(),
            learner_seat: 0,
            score,
            scores: vec![score],
            summary: String::new(),
            ended: if decisions > 0 { Ended::Over } else { Ended::Unplayed },
            decisions,
            moves: decisions - illegal,
            illegal,
            malformed: 0,
            counts: Vec::new(),
        }
    }

    fn episode(stages: Vec<StageResult>) -> EpisodeResult {
        let combined = mean(&stages.iter().map(|stage| stage.score).collect::<Vec<f64>>());
        let illegal: u32 = stages.iter().map(|stage| stage.illegal).sum();
        EpisodeResult { task_return: PENALTIES.apply(combined, 0, illegal), combined, stages }
    }

    #[test]
    fn task_credit_gives_every_stage_the_advantage_of_the_whole() {
        let (won, lost) = (episode(vec![stage(0.0, 1, 0), stage(1.0, 3, 0)]), episode(vec![stage(0.0, 1, 0); 2]));
        let compared = Credit::Task.compare(&[&won, &lost], PENALTIES);
        assert_eq!(compared.advantages(Advantage::DrGrpo), [[0.25, 0.25], [-0.25, -0.25]]);
    }

    #[test]
    fn stage_credit_compares_each_stage_by_itself_with_its_own_penalties() {
        let first = episode(vec![stage(1.0, 1, 0), stage(0.0, 3, 0)]);
        let second = episode(vec![stage(0.5, 2, 1), stage(1.0, 3, 0)]);
        let compared = Credit::Stage.compare(&[&first, &second], PENALTIES);
        // 1 against 0.5 less 0.25, and 0 against 1.
        assert_eq!(compared.advantages(Advantage::DrGrpo), [[0.375, -0.5], [-0.375, 0.5]]);
    }

    #[test]
    fn reply_credit_leaves_penalties_to_the_replies_that_failed() {
        let first = episode(vec![stage(1.0, 1, 0), stage(0.0, 3, 2)]);
        let second = episode(vec![stage(1.0, 2, 1), stage(1.0, 3, 0)]);
        let compared = Credit::Reply.compare(&[&first, &second], PENALTIES);
        assert_eq!(compared.advantages(Advantage::DrGrpo), [[0.0, -0.5], [0.0, 0.5]]);
        assert_eq!(compared.penalty_scales(Advantage::DrGrpo), [1.0, 1.0]);
        // The scores of the second stage have a standard deviation of one over the root of two; those of the first do not differ.
        let scales = compared.penalty_scales(Advantage::Grpo);
        assert!(scales[0] == 1.0 && (scales[1] - 2f64.sqrt()).abs() < 1e-12, "{scales:?}");
        // The filter goes by the whole returns.
        assert!(compared.spread() > 0.5);
    }

    #[test]
    fn a_member_that_did_not_get_to_a_stage_is_left_out_of_its_comparison() {
        let stopped = episode(vec![stage(0.0, 1, 0), stage(0.0, 0, 0)]);
        let (won, lost) =
            (episode(vec![stage(1.0, 1, 0), stage(1.0, 3, 0)]), episode(vec![stage(1.0, 1, 0), stage(0.0, 3, 0)]));
        let compared = Credit::Stage.compare(&[&stopped, &won, &lost], PENALTIES);
        let second: Vec<f64> = compared.advantages(Advantage::DrGrpo).iter().map(|member| member[1]).collect();
        assert_eq!(second, [0.0, 0.5, -0.5]);
    }

    #[test]
    fn a_group_whose_stages_differ_has_spread_even_where_its_task_returns_are_equal() {
        let (one, other) =
            (episode(vec![stage(1.0, 1, 0), stage(0.0, 3, 0)]), episode(vec![stage(0.0, 1, 0), stage(1.0, 3, 0)]));
        assert_eq!(Credit::Task.compare(&[&one, &other], PENALTIES).spread(), 0.0);
        assert!(Credit::Stage.compare(&[&one, &other], PENALTIES).spread() > 0.5);
    }

    /// Two trajectories of two stages, and one that did not get to the second.
    fn counts() -> Vec<Vec<usize>> {
        vec![vec![2, 6], vec![2, 10], vec![4, 0]]
    }

    #[test]
    fn under_task_credit_every_token_weighs_the_same() {
        let weights = Credit::Task.token_weights(LossNormalization::Token, &counts());
        assert!(weights.iter().flatten().all(|&weight| weight == 1.0 / 24.0), "{weights:?}");
    }

    #[test]
    fn under_stage_credit_every_stage_weighs_the_same_and_in_it_every_token() {
        let weights = Credit::Stage.token_weights(LossNormalization::Token, &counts());
        assert_eq!(weights, [[1.0 / 16.0, 1.0 / 32.0]; 3]);
    }

    #[test]
    fn the_weights_of_all_tokens_sum_to_one() {
        for credit in [Credit::Task, Credit::Stage] {
            for normalization in [LossNormalization::Token, LossNormalization::Trajectory] {
                let weights = credit.token_weights(normalization, &counts());
                let sum: f64 = weights
                    .iter()
                    .flatten()
                    .zip(counts().iter().flatten())
                    .map(|(weight, &count)| weight * count as f64)
                    .sum();
                assert!((sum - 1.0).abs() < 1e-12, "{credit:?} {normalization:?}: {sum}");
            }
        }
    }
}
