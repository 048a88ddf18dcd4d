//! How well a model plays: each stage's game against fixed players, on fixed seeds that training never sees.
//!
//! The score is the game's own, from 0 to 1. Wins, draws and losses are reported only where every score is 1, 1/2 or 0: a
//! payoff is no win. Legal and malformed replies are shares of all replies, so that learning to answer and learning to
//! play can be told apart. What a game counts (`wins-taken`) is shown as times out of chances.
//!
//! Intervals are Wilson's at 95 %. For a mean of scores between 0 and 1 Wilson's is on the safe side, since no such score
//! varies more than a win-or-loss with the same mean.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use ludus_host::episode::{Episode, Finished};
use ludus_host::fault::HostFailure;
use ludus_host::library::Library;
use ludus_host::player::Player;
use ludus_host::task::{Task, TaskError};
use serde::{Deserialize, Serialize};

use crate::learner::{Learner, asked_task};
use crate::plan::{Plan, PlannedEvaluation};
use crate::rollout::{Job, RolloutError, Trajectory};
use crate::statistics::Interval;

/// One evaluation: a stage against a player.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// `tictactoe against random`.
    pub name: String,
    pub episodes: u64,
    pub score: Share,
    pub task_return: f64,
    /// None where scores are not those of wins, draws and losses.
    pub results: Option<Results>,
    /// Replies that the game took, of all replies.
    pub legal: Share,
    /// Replies without a readable move, of all replies.
    pub malformed: Share,
    /// What the game counts of the learner.
    pub counts: BTreeMap<String, Share>,
}

/// Wins, draws and losses, as shares of the episodes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    pub win: Share,
    pub draw: Share,
    pub loss: Share,
}

/// A part of a whole with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Need not be whole: a sum of scores.
    pub part: f64,
    pub whole: u64,
    pub share: f64,
    pub low: f64,
    pub high: f64,
}

impl Share {
    /// `part` of `whole`; zero of nothing has the interval from 0 to 1.
    pub fn new(part: f64, whole: u64) -> Share {
        let Interval { low, high } = Interval::wilson(part, whole);
        let share = if whole == 0 { 0.0 } else { part / whole as f64 };
        Share { part, whole, share, low, high }
    }
}

/// `71.5 % [64.9, 77.3]`
impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |value: f64| value * 100.0;
        write!(formatter, "{:5.1} % [{:.1}, {:.1}]", percent(self.share), percent(self.low), percent(self.high))
    }
}

/// Evaluates the network as it is, in the order of the plan's evaluations. `played` is handed trajectories as they are
/// finished, `done` the number of episodes that just ended. None where `stop` was set before the end.
///
/// # Errors
/// As `Rollout::play`.
pub fn evaluate(
    learner: &Learner<'_>,
    stop: &AtomicBool,
    done: &mut dyn FnMut(usize),
    played: &mut dyn FnMut(Vec<Trajectory>),
) -> Result<Option<Vec<Evaluated>>, RolloutError> {
    let plan = learner.plan;
    let mut evaluated = Vec::new();
    for evaluation in &plan.evaluations {
        // The model gets to see the examples that it saw in training, so that a conversation begins as it did there.
        let trained = plan.tasks.iter().find(|task| task.stages.contains(&evaluation.stage));
        let alone = [evaluation.stage];
        let shown = trained.map_or(alone.as_slice(), |task| &task.stages);
        let task = asked_task(plan, &alone, shown, &evaluation.task);
        let jobs: Vec<Job> = seeds(plan, evaluation).map(|seed| Job { task: 0, group: 0, seed, member: 0 }).collect();
        let mut finished: Vec<(Finished, u64)> = Vec::with_capacity(jobs.len());
        // One batch at a time, so that it can be stopped in between.
        let rows = plan.recipe.rollout.batch_rows.max(1) * learner.ranks().count();
        for jobs in jobs.chunks(rows as usize) {
            if learner.ranks().any(stop.load(Ordering::Relaxed))? {
                return Ok(None);
            }
            let trajectories = learner.play(&task, jobs, plan.recipe.evaluation.temperature, done)?;
            finished.extend(trajectories.iter().map(|played| (played.finished.clone(), u64::from(played.replies))));
            played(trajectories);
        }
        let finished = finished.iter().map(|(finished, replies)| (finished, *replies));
        evaluated.push(Evaluated::of(&evaluation.name, finished));
    }
    Ok(Some(evaluated))
}

/// Why the random player could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    #[error(transparent)]
    Task(#[from] TaskError),
    #[error(transparent)]
    Host(#[from] HostFailure),
}

/// What a uniformly random legal player reaches in the learner's place, on the same seeds.
///
/// # Errors
/// Where a game of the plan is not there any more, or this machine cannot play it to its end.
pub fn reference(plan: &Plan, library: &Library) -> Result<Vec<Evaluated>, ReferenceError> {
    let mut evaluated = Vec::new();
    for evaluation in &plan.evaluations {
        let task = Task::resolve_for(evaluation.task.spec(), library, Player::Random)?;
        let finished: Result<Vec<Finished>, HostFailure> =
            seeds(plan, evaluation).map(|seed| Episode::new(task.clone(), seed, 0).finish()).collect();
        let finished = finished?;
        let replies = |finished: &Finished| {
            finished.result.stages.iter().map(|stage| u64::from(stage.moves + stage.illegal)).sum()
        };
        let finished = finished.iter().map(|finished| (finished, replies(finished)));
        evaluated.push(Evaluated::of(&evaluation.name, finished));
    }
    Ok(evaluated)
}

fn seeds(plan: &Plan, evaluation: &PlannedEvaluation) -> impl Iterator<Item = u64> + use<> {
    let first = plan.recipe.evaluation.seed;
    (0..u64::from(evaluation.episodes)).map(move |index| first.wrapping_add(index))
}

impl Evaluated {
    /// Sums up finished episodes of one stage, each with the learner's number of replies.
    fn of<'a>(name: &str, finished: impl Iterator<Item = (&'a Finished, u64)>) -> Evaluated {
        let (mut scores, mut returns) = (Vec::new(), 0.0);
        let (mut replies, mut moves, mut malformed) = (0, 0, 0);
        let mut counts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for (finished, episode_replies) in finished {
            returns += finished.result.task_return;
            replies += episode_replies;
            for stage in &finished.result.stages {
                scores.push(stage.score);
                malformed += u64::from(stage.malformed);
                moves += u64::from(stage.illegal) + u64::from(stage.malformed);
                for count in &stage.counts {
                    let entry = counts.entry(count.name.clone()).or_default();
                    entry.0 += u64::from(count.times);
                    entry.1 += u64::from(count.chances);
                }
            }
        }
        let episodes = scores.len() as u64;
        let share_of = |score: f64| Share::new(scores.iter().filter(|&&found| found == score).count() as f64, episodes);
        let plain = scores.iter().all(|score| [0.0, 0.5, 1.0].contains(score));
        Evaluated {
            name: name.to_string(),
            episodes,
            score: Share::new(scores.iter().sum(), episodes),
            task_return: returns / episodes.max(1) as f64,
            results: plain.then(|| Results { win: share_of(1.0), draw: share_of(0.5), loss: share_of(0.0) }),
            legal: Share::new(replies.saturating_sub(moves) as f64, replies),
            malformed: Share::new(malformed as f64, replies),
            counts: counts
                .into_iter()
                .map(|(name, (times, chances))| (name, Share::new(times as f64, chances)))
                .collect(),
        }
    }

    /// The rows of a table: what was measured, and its share; wins, draws and losses only `with_results`.
    fn rows(&self, with_results: bool) -> Vec<(String, Share)> {
        let mut rows = vec![("score".to_string(), self.score)];
        if let Some(results) = self.results.as_ref().filter(|_| with_results) {
            rows.push(("win".into(), results.win));
            rows.push(("draw".into(), results.draw));
            rows.push(("loss".into(), results.loss));
        }
        rows.push(("legal replies".into(), self.legal));
        rows.push(("malformed replies".into(), self.malformed));
        rows.extend(self.counts.iter().map(|(name, share)| (name.clone(), *share)));
        rows
    }
}

/// A table of evaluations in columns (`random play`, `before`, `after`), made of the same plan in the same order.
pub fn table(columns: &[(&str, &[Evaluated])]) -> String {
    const NAME: usize = 20;
    const CELL: usize = 23;
    let mut text = String::new();
    let Some((_, first)) = columns.first() else { return text };
    for (index, evaluation) in first.iter().enumerate() {
        let title = format!("{} ({} episodes)", evaluation.name, evaluation.episodes);
        text.push_str(&format!("{title}\n{:NAME$}", ""));
        for (heading, _) in columns {
            text.push_str(&format!("{heading:>CELL$}"));
        }
        text.push('\n');
        // A game of payoffs may happen to score 0 and 1 alone in one column; then it still has no wins.
        let with_results = columns.iter().all(|(_, column)| column.get(index).is_none_or(|e| e.results.is_some()));
        let rows = |column: &[Evaluated]| column.get(index).map(|e| e.rows(with_results)).unwrap_or_default();
        let mut names: Vec<String> = Vec::new();
        for (_, evaluated) in columns {
            for (name, _) in rows(evaluated) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        for name in names {
            text.push_str(&format!("  {name:<width$}", width = NAME - 2));
            for (_, evaluated) in columns {
                let found = rows(evaluated).into_iter().find(|(known, _)| *known == name);
                let cell = found.map_or_else(|| "-".to_string(), |(_, share)| share.to_string());
                text.push_str(&format!("{cell:>CELL$}"));
            }
            text.push('\n');
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluated(results: Option<Results>) -> Vec<Evaluated> {
        let half = Share::new(5.0, 10);
        vec![Evaluated {
            name: "a game against random".into(),
            episodes: 10,
            score: half,
            task_return: 0.5,
            results,
            legal: half,
            malformed: half,
            counts: BTreeMap::new(),
        }]
    }

    #[test]
    fn wins_are_shown_where_every_column_has_them() {
        let share = Share::new(1.0, 10);
        let results = Some(Results { win: share, draw: share, loss: share });
        let (plain, payoffs) = (evaluated(results), evaluated(None));
        assert!(table(&[("before", &plain), ("after", &plain)]).contains("\n  win "));
        let mixed = table(&[("before", &payoffs), ("after", &plain)]);
        assert!(mixed.contains("\n  score ") && !mixed.contains("\n  win "), "{mixed}");
    }
}
