//! What one training step looked like, as numbers.
//!
//! All of [`StepMetrics`] follows from the plan, so two equal runs write the same `metrics.jsonl`, byte for byte. What a
//! clock or the operating system says is [`Timing`]'s and goes to a file of its own. [`StepMetrics::of`] makes the metrics
//! of a step; [`MetricsLog`] writes them.
//!
//! Scores, returns and shares of wins are kept apart: a return holds penalties and several stages, and is never called
//! a win rate.

mod collect;
mod log;

use std::collections::BTreeMap;
use std::fmt::Write as _;

pub use log::{MetricsError, MetricsLog, read, read_timing, scalars};
use serde::{Deserialize, Serialize};

use crate::statistics::percent;
use crate::watch::Timing;

/// One step. Shares are from 0 to 1; what a step without an update does not have is None.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// Counted from 1.
    pub step: u32,

    // What was played.
    pub episodes: u64,
    pub groups: u64,
    /// Over all episodes: the combined score less penalties.
    pub return_mean: f64,
    /// Sample standard deviation over all episodes.
    pub return_std: f64,
    /// The mean over groups of the standard deviation inside each.
    pub return_std_in_groups: f64,
    /// The combined scores, without penalties.
    pub score_mean: f64,
    pub replies: u64,
    /// Of replies: the game did not take the move.
    pub illegal_share: f64,
    /// Of replies: no move could be read from it.
    pub malformed_share: f64,
    /// Of replies: it met the length limit before it ended.
    pub replies_cut_share: f64,
    pub reply_tokens_mean: f64,
    /// Of whole conversations, prompts included.
    pub conversation_tokens_mean: f64,
    pub sampled_tokens: u64,
    /// Of episodes: the context ran out.
    pub truncated_share: f64,
    /// Episodes that a misbehaving game ended.
    pub faults: u64,

    // What was trained on.
    /// Of groups: all returns are equal.
    pub without_spread_share: f64,
    pub groups_kept: u64,
    pub kept_share: f64,
    pub trained_tokens: u64,
    /// Optimizer steps; 0 where too few groups were left.
    pub updates: u32,

    // The update.
    pub learning_rate: f64,
    pub entropy_bonus: f64,
    pub loss: Option<f64>,
    /// Nats per token, weighted as the loss is.
    pub entropy: Option<f64>,
    pub ratio_mean: Option<f64>,
    pub ratio_max: Option<f64>,
    /// Of the first minibatch, which is on policy: 1 within rounding, if all is well.
    pub ratio_max_on_policy: Option<f64>,
    /// The largest distance of a ratio from 1 there, above it or below.
    pub on_policy_ratio_error: Option<f64>,
    /// Of trained tokens: held by the lower bound.
    pub clipped_low_share: Option<f64>,
    /// Of trained tokens: held by the upper bound.
    pub clipped_high_share: Option<f64>,
    /// Mean over tokens of the estimate `ratio - 1 - ln ratio`, in nats.
    pub kl_from_sampling: Option<f64>,
    /// The same estimate of the distance from the policy that training began with, on two episodes of the update.
    pub kl_from_start: Option<f64>,
    /// The global norm before clipping, mean over updates.
    pub gradient_norm: Option<f64>,

    /// By the stages' labels; a stage that nobody played is not there.
    pub stages: BTreeMap<String, StageMetrics>,
}

/// One stage in one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StageMetrics {
    /// Episodes in which it was played.
    pub episodes: u64,
    pub score_mean: f64,
    pub illegal_share: f64,
    pub malformed_share: f64,
    /// Of episodes: the learner used up its attempts at a decision.
    pub forfeited_share: f64,
    /// By the learner's seat.
    pub seats: BTreeMap<u32, SeatMetrics>,
    /// What the game counts of the learner: times over chances, where there were chances.
    pub counts: BTreeMap<String, f64>,
}

/// One seat of one stage in one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeatMetrics {
    pub episodes: u64,
    pub score_mean: f64,
    /// Episodes with score 1. None where scores are not those of wins, draws and losses.
    pub win_share: Option<f64>,
}

impl StepMetrics {
    /// One line for people.
    pub fn summary(&self, steps: u32, timing: &Timing) -> String {
        let width = steps.to_string().len();
        let mut line = format!("step {:>width$}/{steps}  return {:.3}", self.step, self.return_mean);
        for (label, stage) in &self.stages {
            // Writing to a string cannot fail.
            let _ = write!(line, "  {label} {:.3}", stage.score_mean);
        }
        let _ = write!(line, "  illegal {}  malformed {}", percent(self.illegal_share), percent(self.malformed_share));
        match (self.entropy, self.gradient_norm) {
            (Some(entropy), Some(norm)) => {
                let _ = write!(line, "  entropy {entropy:.3}  gradient {norm:.2}");
            }
            _ => line.push_str("  no update"),
        }
        let _ = write!(line, "  groups {}/{}", self.groups_kept, self.groups);
        let _ = write!(line, "  {:.0} s", timing.rollout_seconds + timing.update_seconds);
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> StepMetrics {
        let stage = StageMetrics { episodes: 64, score_mean: 0.5, ..StageMetrics::default() };
        StepMetrics {
            step: 3,
            groups: 8,
            groups_kept: 6,
            return_mean: 0.4123,
            illegal_share: 0.125,
            entropy: Some(1.0),
            gradient_norm: Some(0.25),
            stages: BTreeMap::from([("tictactoe".to_owned(), stage)]),
            ..StepMetrics::default()
        }
    }

    #[test]
    fn a_step_is_one_line_for_people() {
        let timing = Timing {
            step: 3,
            rollout_seconds: 8.1,
            update_seconds: 4.3,
            sampled_tokens_per_second: 0.0,
            trained_tokens_per_second: 0.0,
            memory_peak_bytes: 0,
        };
        assert_eq!(
            metrics().summary(40, &timing),
            "step  3/40  return 0.412  tictactoe 0.500  illegal 12.5 %  malformed 0.0 %  entropy 1.000  \
             gradient 0.25  groups 6/8  12 s"
        );
        let idle = StepMetrics { entropy: None, groups_kept: 0, ..metrics() };
        assert!(idle.summary(40, &timing).contains("no update  groups 0/8"));
    }
}
