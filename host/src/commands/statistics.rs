//! What many episodes of one task came to.
//!
//! ```text
//! interval of a mean     m ± 1.96 s / sqrt(n)          s: standard deviation of the sample
//! ```
//!
//! Episodes are added in the order of their seeds, so sums and the digest do not depend on how many threads played.

use std::collections::BTreeMap;
use std::io::Write;

use ludus_host::episode::Finished;
use ludus_host::hash::Hash;
use ludus_host::result::{Ended, StageResult};
use serde::Serialize;

use crate::terminal::{Columns, DIM, styled};

/// The statistics of a batch of episodes.
#[derive(Serialize)]
pub struct Statistics {
    pub episodes: u64,
    /// blake3 over all episodes' hashes in the order of their seeds: equal for equal batches.
    pub digest: Option<Hash>,
    pub task_return: Mean,
    pub combined: Mean,
    pub faults: u64,
    pub stages: Vec<StageStatistics>,
    #[serde(skip)]
    hasher: blake3::Hasher,
}

/// What the learner's seat came to in one stage.
#[derive(Default, Serialize)]
pub struct StageStatistics {
    pub game: String,
    pub score: Mean,
    /// Scores above one half.
    pub won: u64,
    /// Scores of exactly one half.
    pub drawn: u64,
    pub lost: u64,
    pub unplayed: u64,
    pub forfeited: u64,
    pub decisions: u64,
    pub illegal: u64,
    pub malformed: u64,
    /// Moves of the fallback player in other seats than the learner's.
    pub substituted: u64,
    /// What the game counted: name to times and chances.
    pub counts: BTreeMap<String, (u64, u64)>,
}

/// A mean that can say how sure it is. Serialized as `{mean, half_width, number}`.
#[derive(Clone, Copy, Default, Serialize)]
#[serde(into = "Interval")]
pub struct Mean {
    number: u64,
    sum: f64,
    sum_of_squares: f64,
}

#[derive(Serialize)]
struct Interval {
    mean: f64,
    /// Half the width of the 95 % interval.
    half_width: f64,
    number: u64,
}

impl Statistics {
    pub fn new() -> Statistics {
        Statistics {
            episodes: 0,
            digest: None,
            task_return: Mean::default(),
            combined: Mean::default(),
            faults: 0,
            stages: Vec::new(),
            hasher: blake3::Hasher::new(),
        }
    }

    pub fn add(&mut self, hash: &Hash, finished: &Finished) {
        self.episodes += 1;
        self.hasher.update(hash.as_bytes());
        self.digest = Some(Hash::from_bytes(*self.hasher.finalize().as_bytes()));
        self.task_return.add(finished.result.task_return);
        self.combined.add(finished.result.combined);
        self.faults += u64::from(finished.fault.is_some());
        self.stages.resize_with(finished.result.stages.len(), StageStatistics::default);
        for (statistics, result) in self.stages.iter_mut().zip(&finished.result.stages) {
            statistics.add(result);
        }
    }

    pub fn write(&self, output: &mut dyn Write) -> std::io::Result<()> {
        let mut rows = Columns::new(&[
            "stage",
            ">score",
            ">won",
            ">drawn",
            ">lost",
            ">decisions",
            ">illegal/decision",
            ">malformed/decision",
            ">forfeited",
        ]);
        for stage in &self.stages {
            let share = |number: u64| percent(number, stage.score.number);
            // No shares: a decision may take several tries, each of them illegal.
            let each =
                |number: u64, of: u64| if of == 0 { "-".into() } else { format!("{:.2}", number as f64 / of as f64) };
            rows.row(vec![
                stage.game.clone(),
                stage.score.written(),
                share(stage.won),
                share(stage.drawn),
                share(stage.lost),
                each(stage.decisions, stage.score.number),
                each(stage.illegal, stage.decisions),
                each(stage.malformed, stage.decisions),
                share(stage.forfeited),
            ]);
        }
        rows.write(output)?;
        for stage in &self.stages {
            for (name, (times, chances)) in &stage.counts {
                let share = percent(*times, *chances);
                writeln!(output, "{}", styled(DIM, format!("{}: {name} {times} of {chances}, {share}", stage.game)))?;
            }
            if stage.substituted > 0 {
                let line =
                    format!("{}: the fallback player moved {} times in other seats", stage.game, stage.substituted);
                writeln!(output, "{}", styled(DIM, line))?;
            }
            if stage.unplayed > 0 {
                writeln!(output, "{}", styled(DIM, format!("{}: not played {} times", stage.game, stage.unplayed)))?;
            }
        }
        let (task_return, combined) = (self.task_return.written(), self.combined.written());
        writeln!(output, "return {task_return}, combined score {combined}, episodes with faults {}", self.faults)
    }
}

impl StageStatistics {
    fn add(&mut self, result: &StageResult) {
        if self.game.is_empty() {
            self.game = result.game.clone();
        }
        if result.ended == Ended::Unplayed {
            self.unplayed += 1;
            return;
        }
        self.score.add(result.score);
        self.forfeited += u64::from(result.ended == Ended::Forfeited);
        let place = match result.score {
            score if score > 0.5 => &mut self.won,
            score if score < 0.5 => &mut self.lost,
            _ => &mut self.drawn,
        };
        *place += 1;
        self.decisions += u64::from(result.decisions);
        self.illegal += u64::from(result.illegal);
        self.malformed += u64::from(result.malformed);
        self.substituted += u64::from(result.substituted);
        for count in &result.counts {
            let (times, chances) = self.counts.entry(count.name.clone()).or_default();
            *times += u64::from(count.times);
            *chances += u64::from(count.chances);
        }
    }
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.number += 1;
        self.sum += value;
        self.sum_of_squares += value * value;
    }

    fn mean(&self) -> f64 {
        if self.number == 0 { 0.0 } else { self.sum / self.number as f64 }
    }

    fn half_width(&self) -> f64 {
        if self.number < 2 {
            return 0.0;
        }
        let number = self.number as f64;
        let variance = (self.sum_of_squares - self.sum * self.sum / number).max(0.0) / (number - 1.0);
        1.96 * (variance / number).sqrt()
    }

    fn written(&self) -> String {
        format!("{:.3} ± {:.3}", self.mean(), self.half_width())
    }
}

impl From<Mean> for Interval {
    fn from(mean: Mean) -> Interval {
        Interval { mean: mean.mean(), half_width: mean.half_width(), number: mean.number }
    }
}

fn percent(number: u64, of: u64) -> String {
    if of == 0 { "-".to_string() } else { format!("{:.1} %", 100.0 * number as f64 / of as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_what_was_computed_by_hand() {
        let mut mean = Mean::default();
        [0.0, 1.0, 1.0, 0.0].into_iter().for_each(|value| mean.add(value));
        assert_eq!(mean.mean(), 0.5);
        // s = sqrt(1/3), so 1.96 s / 2 = 0.5658.
        assert!((mean.half_width() - 0.565_803).abs() < 1e-6, "{}", mean.half_width());
    }

    #[test]
    fn without_values_a_mean_claims_nothing() {
        assert_eq!(Mean::default().written(), "0.000 ± 0.000");
        assert_eq!(percent(0, 0), "-");
    }
}
