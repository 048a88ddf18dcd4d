//! What an evaluation found.

use std::collections::BTreeMap;
use std::fmt;

use ludus_host::episode::Finished;
use serde::{Deserialize, Serialize};

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
    /// Of each episode, in the order of seeds and, where every seat is played, of seats.
    #[serde(default)]
    pub scores: Vec<f64>,
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

impl Evaluated {
    /// Sums up finished episodes of one stage, each with the learner's number of replies.
    pub fn of<'a>(name: &str, finished: impl Iterator<Item = (&'a Finished, u64)>) -> Evaluated {
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
            scores,
        }
    }

    /// The rows of a table: what was measured, and its share; wins, draws and losses only `with_results`.
    pub(super) fn rows(&self, with_results: bool) -> Vec<(String, Share)> {
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
