//! Shows a run while it happens: bars with the time left where a terminal can draw them, plain lines elsewhere.
//!
//! Two bars: what is being done (evaluation, rollout or update), and the whole run in steps. The whole's time left is
//! the mean step so far times the steps that are left; the evaluation after the last step is not in it. Lines that
//! stay, one a step, go above the bars.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::evaluate::{self, Evaluated};
use crate::metrics::StepMetrics;
use crate::others::Others;
use crate::statistics::percent;
use crate::watch::{Clock, Phase, Timing, Watch};

/// A share of the processors that others have and that is worth a line.
const NOTICED: f64 = 0.15;

/// A [`Watch`] for standard output.
pub struct Display {
    steps: u32,
    /// None where standard output is no terminal.
    bars: Option<Bars>,
    /// What the last heard progress was of.
    phase: Option<Phase>,
    /// Steps that were made since the clock was started; a resumed run has made others before.
    steps_made: u32,
    clock: Option<Clock>,
    without_spread: WithoutSpread,
    others: Others,
    told_of_others: bool,
}

/// Steps in a row in which hardly any group had spread.
#[derive(Default)]
struct WithoutSpread(u32);

impl WithoutSpread {
    /// After so many it is said, once until a step has spread again.
    const SAID_AFTER: u32 = 5;

    /// Hears the share of a step's groups without spread, and answers whether it is to be said now.
    fn hear(&mut self, share: f64) -> bool {
        self.0 = if share > 0.9 { self.0 + 1 } else { 0 };
        self.0 == WithoutSpread::SAID_AFTER
    }
}

struct Bars {
    all: MultiProgress,
    part: ProgressBar,
    whole: ProgressBar,
}

impl Display {
    /// A display of a run of so many steps.
    pub fn new(steps: u32) -> Display {
        let bars = io::stdout().is_terminal().then(|| Bars::new(steps));
        let mut others = Others::default();
        others.look();
        Display {
            steps,
            bars,
            phase: None,
            steps_made: 0,
            clock: None,
            without_spread: WithoutSpread::default(),
            others,
            told_of_others: false,
        }
    }

    /// Says, once, that a step shared its processors.
    fn tell_of_others(&mut self) {
        if let Some(share) = self.others.look().filter(|share| *share > NOTICED && !self.told_of_others) {
            self.told_of_others = true;
            self.say(&format!(
                "other processes had {} of the processors, which makes steps several times slower; with \
                 `GOMP_SPINCOUNT=0` in the environment it yields them sooner",
                percent(share)
            ));
        }
    }

    /// Takes the bars away, for whatever is printed after.
    pub fn finish(&mut self) {
        if let Some(bars) = self.bars.take() {
            bars.part.finish_and_clear();
            bars.whole.finish_and_clear();
        }
    }
}

impl Watch for Display {
    fn progress(&mut self, phase: Phase, done: usize, of: usize) {
        let is_new = self.phase != Some(phase);
        self.phase = Some(phase);
        if phase == Phase::Rollout && self.clock.is_none() {
            self.clock = Some(Clock::start());
        }
        match &self.bars {
            Some(bars) => {
                if is_new {
                    bars.part.reset();
                    bars.part.set_prefix(name_of(phase));
                    bars.whole.tick();
                }
                bars.part.set_length(of as u64);
                bars.part.set_position(done as u64);
            }
            // A step has its own line; an evaluation is long and would be silent.
            None if is_new && phase == Phase::Evaluation => self.say(&format!("evaluation of {of} episodes")),
            None => {}
        }
    }

    fn step(&mut self, metrics: &StepMetrics, timing: &Timing) {
        self.steps_made += 1;
        self.phase = None;
        self.say(&metrics.summary(self.steps, timing));
        if self.without_spread.hear(metrics.without_spread_share) {
            self.say(&format!(
                "in {} steps hardly any group had members that ended differently, and others teach nothing: a higher rollout.temperature or algorithm.entropy_bonus, or a lower optimizer.learning_rate from the start, \
                 keeps replies apart",
                WithoutSpread::SAID_AFTER
            ));
        }
        self.tell_of_others();
        if let (Some(bars), Some(clock)) = (&self.bars, &self.clock) {
            let left = seconds_left(clock.seconds(), self.steps_made, self.steps.saturating_sub(metrics.step));
            bars.whole.set_position(u64::from(metrics.step));
            bars.whole.set_message(format!("{} left", duration(left)));
        }
    }

    fn evaluated(&mut self, name: &str, evaluated: &[Evaluated]) {
        self.phase = None;
        self.say(evaluate::table(&[(name, evaluated)]).trim_end());
    }

    fn say(&mut self, line: &str) {
        match &self.bars {
            // Where the terminal is gone there is nobody to tell.
            Some(bars) => drop(bars.all.println(line)),
            None => drop(writeln!(io::stdout(), "{line}")),
        }
    }
}

impl Bars {
    fn new(steps: u32) -> Bars {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        let part = all.add(ProgressBar::new(0));
        let whole = all.add(ProgressBar::new(u64::from(steps)));
        part.set_style(style("{prefix:>10} {bar:32} {pos}/{len}  {eta} left"));
        whole.set_style(style("{prefix:>10} {bar:32} {pos}/{len}  {msg}"));
        whole.set_prefix("steps");
        // A step may take minutes without news; the bars should not look dead meanwhile.
        part.enable_steady_tick(Duration::from_millis(500));
        Bars { all, part, whole }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

fn name_of(phase: Phase) -> &'static str {
    match phase {
        Phase::Evaluation => "evaluation",
        Phase::Rollout => "rollout",
        Phase::Update => "update",
    }
}

fn seconds_left(seconds: f64, steps_made: u32, steps_left: u32) -> f64 {
    seconds / f64::from(steps_made.max(1)) * f64::from(steps_left)
}

/// Seconds as people read them: `42 s`, `3 min 20 s`, `2 h 5 min`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_the_mean_step_times_the_steps_left() {
        assert_eq!(seconds_left(30.0, 3, 7), 70.0);
        assert_eq!(seconds_left(30.0, 3, 0), 0.0);
    }

    #[test]
    fn durations_read_well() {
        let cases = [(0.4, "0 s"), (59.6, "1 min 0 s"), (200.0, "3 min 20 s"), (7500.0, "2 h 5 min")];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn the_bars_templates_are_ones_that_indicatif_knows() {
        for template in ["{prefix:>10} {bar:32} {pos}/{len}  {eta} left", "{prefix:>10} {bar:32} {pos}/{len}  {msg}"] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn groups_that_do_not_differ_are_told_of_once_after_five_steps_in_a_row() {
        let mut without = WithoutSpread::default();
        let shares = [1.0, 1.0, 0.5, 1.0, 0.95, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0];
        let said: Vec<usize> = (0..shares.len()).filter(|&step| without.hear(shares[step])).collect();
        assert_eq!(said, [7]);
    }
}
