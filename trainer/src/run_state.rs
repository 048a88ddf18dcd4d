//! How far a run is, as a few lines for a terminal: steps, time left, and the course of the numbers that matter.

use ludus_host::shown;

use crate::progress::duration;
use crate::run_log::{Line, RunLog};
use crate::statistics::percent;

/// Characters of a curve.
const CURVE: usize = 40;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What is shown of a run at one moment.
pub struct RunState {
    /// `quickstart  step 12 of 40  about 3 min 20 s left`
    pub head: String,
    /// A line for each number: its name, its last value, its course.
    pub curves: Vec<String>,
}

/// A number, under the name that people read.
struct Number {
    title: String,
    name: String,
    is_share: bool,
}

impl RunState {
    pub fn of(log: &RunLog) -> RunState {
        let numbers = numbers(&log.metrics);
        let width = numbers.iter().map(|number| number.title.chars().count()).max().unwrap_or(0);
        RunState { head: head(log), curves: numbers.iter().filter_map(|number| curve(log, number, width)).collect() }
    }
}

/// One line of what a step came to, for where no terminal redraws lines.
pub fn step_line(log: &RunLog, line: &Line) -> String {
    let values = numbers(std::slice::from_ref(line)).into_iter().filter_map(|number| {
        let value = line.values.get(&number.name)?;
        Some(format!("  {} {}", number.title, number.written(*value)))
    });
    let of = log.steps().map(|steps| format!("/{steps}")).unwrap_or_default();
    shown::clean(&format!("step {}{of}{}", line.step, values.collect::<String>())).replace('\n', " ")
}

fn head(log: &RunLog) -> String {
    let (done, steps) = (log.steps_done(), log.steps());
    let of = steps.map(|steps| format!(" of {steps}")).unwrap_or_default();
    let state = match seconds_left(log) {
        _ if log.is_finished() => "finished".to_string(),
        _ if !log.goes_on => "stopped".to_string(),
        _ if steps == Some(done) => "evaluation".to_string(),
        Some(seconds) => format!("about {} left", duration(seconds)),
        None => "begun".to_string(),
    };
    shown::clean(&format!("{}  step {done}{of}  {state}", log.name())).replace('\n', " ")
}

/// The mean step so far times the steps that are left; evaluations are not in it.
fn seconds_left(log: &RunLog) -> Option<f64> {
    let seconds = |line: &Line| -> f64 {
        ["time/rollout_seconds", "time/update_seconds"].iter().filter_map(|name| line.values.get(*name)).sum()
    };
    let left = log.steps()?.saturating_sub(log.steps_done());
    let all: f64 = log.timing.iter().map(seconds).sum();
    (!log.timing.is_empty()).then(|| all / log.timing.len() as f64 * f64::from(left))
}

/// The numbers that are shown: a stage that was played in no step has none.
fn numbers(lines: &[Line]) -> Vec<Number> {
    let number = |title: &str, name: &str, is_share| Number { title: title.into(), name: name.into(), is_share };
    let mut stages: Vec<&str> = lines
        .iter()
        .flat_map(|line| line.values.keys())
        .filter_map(|name| name.strip_prefix("train/stages/")?.strip_suffix("/score_mean"))
        .filter(|stage| !stage.contains("/seats/"))
        .collect();
    stages.sort_unstable();
    stages.dedup();
    let mut numbers = vec![number("return", "train/return_mean", false)];
    numbers.extend(stages.into_iter().map(|stage| number(stage, &format!("train/stages/{stage}/score_mean"), false)));
    numbers.push(number("illegal", "train/illegal_share", true));
    numbers.push(number("malformed", "train/malformed_share", true));
    numbers.push(number("entropy", "train/entropy", false));
    numbers
}

impl Number {
    fn written(&self, value: f64) -> String {
        // What no run writes, but a damaged file may hold.
        if value.abs() >= 1e6 {
            return format!("{value:.2e}");
        }
        if self.is_share { percent(value) } else { format!("{value:.3}") }
    }
}

/// `return      0.412  ▁▂▃▅▇  0.120 to 0.612`
fn curve(log: &RunLog, number: &Number, width: usize) -> Option<String> {
    let values: Vec<f64> = log.metrics.iter().filter_map(|line| line.values.get(&number.name).copied()).collect();
    let last = number.written(*values.last()?);
    let (low, high) = range(&values);
    let course = sparkline(&values, low, high);
    let (low, high) = (number.written(low), number.written(high));
    let line = format!("{:width$}  {last:>8}  {course:CURVE$}  {low} to {high}", number.title);
    Some(shown::clean(&line).replace('\n', " "))
}

fn range(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)))
}

/// The course of values as a row of bars, each the mean of as many steps as fit. What never changes is a flat line.
fn sparkline(values: &[f64], low: f64, high: f64) -> String {
    let columns = values.len().min(CURVE);
    let bar = |column: usize| {
        let part = &values[column * values.len() / columns..(column + 1) * values.len() / columns];
        let mean = part.iter().sum::<f64>() / part.len() as f64;
        let height = if high > low { (mean - low) / (high - low) } else { 0.0 };
        BARS[((height * 8.0) as usize).min(7)]
    };
    (0..columns).map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_rises_with_its_values_and_is_flat_where_nothing_changes() {
        assert_eq!(sparkline(&[0.0, 0.5, 1.0], 0.0, 1.0), "▁▅█");
        assert_eq!(sparkline(&[0.3, 0.3], 0.3, 0.3), "▁▁");
        let long: Vec<f64> = (0..1000).map(f64::from).collect();
        let line = sparkline(&long, 0.0, 999.0);
        assert_eq!(line.chars().count(), CURVE);
        assert!(line.starts_with("▁▁▁▁▁") && line.ends_with("█████"), "{line}");
    }

    #[test]
    fn a_number_of_any_size_fits_into_a_line() {
        let number = |is_share| Number { title: String::new(), name: String::new(), is_share };
        assert_eq!([number(false).written(-1e300), number(true).written(1e300)], ["-1.00e300", "1.00e300"]);
        assert_eq!([number(false).written(-1.5), number(true).written(0.25)], ["-1.500", "25.0 %"]);
    }

    #[test]
    fn a_stage_has_one_curve_whatever_its_seats() {
        let names = ["return_mean", "stages/nim/score_mean", "stages/nim/seats/0/score_mean", "illegal_share"];
        let values = names.map(|name| (format!("train/{name}"), 0.25)).into();
        let titles: Vec<String> = numbers(&[Line { step: 1, values }]).into_iter().map(|number| number.title).collect();
        assert_eq!(titles, ["return", "nim", "illegal", "malformed", "entropy"]);
    }
}
