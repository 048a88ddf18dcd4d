//! From the episodes and sums of one step to its metrics.

use std::collections::BTreeMap;

use ludus_host::result::{Ended, StageResult};

use super::{SeatMetrics, StageMetrics, StepMetrics};
use crate::advantage::{mean, spread};
use crate::learner::{Step, task_return};
use crate::plan::Plan;
use crate::rollout::Trajectory;

impl StepMetrics {
    /// The metrics of a step, counted from 1.
    pub fn of(plan: &Plan, step: u32, outcome: &Step) -> StepMetrics {
        // What was played, seen from the learner's own seats.
        let trajectories = outcome.rolled_out.own();
        let episodes = trajectories.len() as u64;
        let groups = outcome.rolled_out.groups.len() as u64;
        let returns: Vec<f64> = trajectories.iter().map(task_return).collect();
        let own_groups = outcome.rolled_out.own_groups();
        let in_groups: Vec<f64> = own_groups.iter().map(|group| spread(&returns[group.clone()])).collect();
        let combined: Vec<f64> = trajectories.iter().map(|trajectory| trajectory.finished.result.combined).collect();
        let sum = |of: &dyn Fn(&Trajectory) -> u64| trajectories.iter().map(of).sum::<u64>();
        let replies = sum(&|trajectory| u64::from(trajectory.replies));
        let sampled_tokens = sum(&sampled);
        let kept = outcome.kept.len() as u64;
        let sums = &outcome.sums;
        // What an update measured is there only after an update.
        let updated = |value: f64| (outcome.minibatches > 0).then_some(value);
        StepMetrics {
            step,
            episodes,
            groups,
            return_mean: mean(&returns),
            return_std: spread(&returns),
            return_std_in_groups: mean(&in_groups),
            score_mean: mean(&combined),
            replies,
            illegal_share: share(sum(&|trajectory| u64::from(trajectory.finished.result.illegal())), replies),
            malformed_share: share(sum(&|trajectory| u64::from(trajectory.finished.result.malformed())), replies),
            replies_cut_share: share(sum(&|trajectory| u64::from(trajectory.replies_cut)), replies),
            reply_tokens_mean: share(sampled_tokens, replies),
            conversation_tokens_mean: share(sum(&|trajectory| trajectory.tokens.len() as u64), episodes),
            sampled_tokens,
            truncated_share: share(sum(&|trajectory| u64::from(trajectory.truncated)), episodes),
            faults: sum(&|trajectory| u64::from(trajectory.finished.fault.is_some())),
            without_spread_share: share(groups - outcome.with_spread as u64, groups),
            groups_kept: kept,
            kept_share: share(kept, groups),
            trained_tokens: outcome.trained_tokens,
            updates: outcome.minibatches,
            learning_rate: outcome.learning_rate,
            entropy_bonus: outcome.entropy_bonus,
            loss: updated(sums.loss / f64::from(outcome.minibatches.max(1))),
            entropy: updated(if sums.weight > 0.0 { sums.entropy / sums.weight } else { 0.0 }),
            ratio_mean: updated(sums.per_token(sums.ratio)),
            ratio_max: updated(sums.ratio_max),
            ratio_max_on_policy: updated(outcome.on_policy.ratio_max),
            on_policy_ratio_error: updated(outcome.on_policy.ratio_off_max),
            clipped_low_share: updated(share(sums.clipped_low, sums.tokens)),
            clipped_high_share: updated(share(sums.clipped_high, sums.tokens)),
            kl_from_sampling: updated(sums.per_token(sums.kl_from_sampling)),
            kl_from_start: outcome.kl_from_start,
            gradient_norm: updated(outcome.gradient_norm),
            stages: stages(plan, trajectories),
        }
    }
}

fn stages(plan: &Plan, trajectories: &[Trajectory]) -> BTreeMap<String, StageMetrics> {
    let mut results: BTreeMap<usize, Vec<&StageResult>> = BTreeMap::new();
    let mut replies: BTreeMap<usize, u64> = BTreeMap::new();
    for trajectory in trajectories {
        let places = &plan.tasks[trajectory.job.task].stages;
        for turn in &trajectory.turns {
            *replies.entry(places[turn.stage]).or_default() += 1;
        }
        for (place, result) in places.iter().zip(&trajectory.finished.result.stages) {
            if result.ended != Ended::Unplayed {
                results.entry(*place).or_default().push(result);
            }
        }
    }
    let replies_of = |place: usize| replies.get(&place).copied().unwrap_or_default();
    let metrics = |(place, results): (usize, Vec<&StageResult>)| {
        (plan.stages[place].label.clone(), stage(&results, replies_of(place)))
    };
    results.into_iter().map(metrics).collect()
}

/// Of a stage's results, and how many replies the model gave in it: moves that somebody made in its place are none.
fn stage(results: &[&StageResult], replies: u64) -> StageMetrics {
    let sum = |of: &dyn Fn(&StageResult) -> u64| results.iter().map(|result| of(result)).sum::<u64>();
    let illegal = sum(&|result| u64::from(result.illegal));
    let malformed = sum(&|result| u64::from(result.malformed));
    // Every seat by the same rule: one fractional score anywhere means that scores are not wins.
    let are_wins = results.iter().all(|result| [0.0, 0.5, 1.0].contains(&result.score));
    let mut seats: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    let mut counts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for result in results {
        seats.entry(result.learner_seat).or_default().push(result.score);
        for count in &result.counts {
            let (times, chances) = counts.entry(count.name.clone()).or_default();
            *times += u64::from(count.times);
            *chances += u64::from(count.chances);
        }
    }
    let scores: Vec<f64> = results.iter().map(|result| result.score).collect();
    StageMetrics {
        episodes: results.len() as u64,
        score_mean: mean(&scores),
        illegal_share: share(illegal, replies),
        malformed_share: share(malformed, replies),
        forfeited_share: share(sum(&|result| u64::from(result.ended == Ended::Forfeited)), results.len() as u64),
        seats: seats.into_iter().map(|(number, scores)| (number, seat(&scores, are_wins))).collect(),
        counts: counts
            .into_iter()
            .filter(|(_, (_, chances))| *chances > 0)
            .map(|(name, (times, chances))| (name, share(times, chances)))
            .collect(),
    }
}

fn seat(scores: &[f64], are_wins: bool) -> SeatMetrics {
    let wins = scores.iter().filter(|score| **score == 1.0).count() as u64;
    SeatMetrics {
        episodes: scores.len() as u64,
        score_mean: mean(scores),
        win_share: are_wins.then(|| share(wins, scores.len() as u64)),
    }
}

fn sampled(trajectory: &Trajectory) -> u64 {
    trajectory.sampled.iter().filter(|sampled| **sampled).count() as u64
}

/// A part of a whole; 0 of nothing.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(seat: u32, score: f64, moves: u32, illegal: u32) -> StageResult {
        StageResult {
            game: "tictactoe".into(),
            learner_seat: seat,
            score,
            scores: vec![score, 1.0 - score],
            summary: String::new(),
            ended: Ended::Over,
            decisions: moves,
            moves,
            illegal,
            malformed: 0,
            counts: Vec::new(),
            substituted: 0,
            further_seats: Vec::new(),
        }
    }

    #[test]
    fn a_stage_keeps_its_seats_apart() {
        let results = [result(0, 1.0, 3, 1), result(0, 0.5, 4, 0), result(1, 0.0, 2, 0)];
        let metrics = stage(&results.iter().collect::<Vec<_>>(), 10);
        assert_eq!((metrics.episodes, metrics.score_mean, metrics.illegal_share), (3, 0.5, 0.1));
        assert_eq!(metrics.seats[&0], SeatMetrics { episodes: 2, score_mean: 0.75, win_share: Some(0.5) });
        assert_eq!(metrics.seats[&1].win_share, Some(0.0));
    }

    #[test]
    fn a_payoff_is_no_win() {
        let results = [result(0, 1.0, 1, 0), result(1, 0.6, 1, 0)];
        let metrics = stage(&results.iter().collect::<Vec<_>>(), 2);
        assert!(metrics.seats.values().all(|seat| seat.win_share.is_none()));
    }
}
