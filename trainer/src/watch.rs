//! What a run tells whoever watches it, and how long its parts took.
//!
//! Wall-clock time is for people. Nothing that a run computes depends on it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::evaluate::Evaluated;
use crate::learner::Step;
use crate::machine;
use crate::metrics::StepMetrics;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Evaluation,
    Rollout,
    Update,
}

/// Hears what a run does.
pub trait Watch {
    /// So many episodes or packs of a phase are done.
    fn progress(&mut self, phase: Phase, done: usize, of: usize);
    /// A step is done.
    fn step(&mut self, metrics: &StepMetrics, timing: &Timing);
    /// An evaluation is done.
    fn evaluated(&mut self, name: &str, evaluated: &[Evaluated]);
    /// Something to say in a line of its own.
    fn say(&mut self, line: &str);
}

/// Hears of everything and tells nobody.
pub struct Silent;

impl Watch for Silent {
    fn progress(&mut self, _: Phase, _: usize, _: usize) {}
    fn step(&mut self, _: &StepMetrics, _: &Timing) {}
    fn evaluated(&mut self, _: &str, _: &[Evaluated]) {}
    fn say(&mut self, _: &str) {}
}

/// How long a step took, and what it needed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Counted from 1.
    pub step: u32,
    pub rollout_seconds: f64,
    pub update_seconds: f64,
    pub sampled_tokens_per_second: f64,
    /// Tokens that went through the network in the update, each pass counted, over its time.
    pub trained_tokens_per_second: f64,
    /// The most memory that the program held so far.
    pub memory_peak_bytes: u64,
}

impl Timing {
    /// Of a step that took `seconds`, of which the rollout took `rollout_seconds`.
    pub fn of(number: u32, step: &Step, rollout_seconds: f64, seconds: f64) -> Timing {
        let sampled: usize = step
            .rolled_out
            .trajectories
            .iter()
            .map(|trajectory| trajectory.sampled.iter().filter(|&&sampled| sampled).count())
            .sum();
        let update_seconds = seconds - rollout_seconds;
        let rate = |tokens: usize, seconds: f64| if seconds > 0.0 { tokens as f64 / seconds } else { 0.0 };
        Timing {
            step: number,
            rollout_seconds,
            update_seconds,
            sampled_tokens_per_second: rate(sampled, rollout_seconds),
            trained_tokens_per_second: rate(step.packed_tokens, update_seconds),
            memory_peak_bytes: machine::memory_peak_bytes().unwrap_or(0),
        }
    }
}

/// A stopwatch.
pub struct Clock(Instant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "how long a step takes is shown, and nothing is computed from it")]
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    pub fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// Waits, where somebody looks at what another process does.
#[expect(clippy::disallowed_methods, reason = "how often one looks decides nothing")]
pub fn pause(duration_ms: u64) {
    std::thread::sleep(Duration::from_millis(duration_ms));
}

/// For the label that says when an episode was stored; it is outside every hash.
#[expect(clippy::disallowed_methods, reason = "a label for people, outside every hash")]
pub fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |duration| duration.as_secs())
}
