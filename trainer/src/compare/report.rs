//! What an experiment says: tables as Markdown, numbers as JSON, learning curves as SVG.
//!
//! The interval of an arm's score is a bootstrap over its seeds and their episodes; that of a difference, over seeds and the
//! deals that both arms met. With one seed it says nothing of other seeds, and the report says so.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;

use super::charts::{Curve, Point, svg};
use super::{Equal, Found, Run};
use crate::advantage::mean;
use crate::evaluate::escaped;
use crate::metrics::StepMetrics;
use crate::statistics::Interval;

/// So many means make a bootstrap interval.
const RESAMPLES: usize = 10_000;

/// A bootstrap of fewer deals is too narrow to say that a difference is none of chance.
const DEALS_TO_MARK: usize = 20;

/// What came of an experiment.
#[derive(Serialize)]
pub struct Report {
    pub experiment: String,
    pub seeds: Vec<u64>,
    pub missing_runs: usize,
    pub costs: Vec<Cost>,
    pub scores: Vec<Scores>,
    pub differences: Vec<Difference>,
    /// File names and pictures.
    #[serde(skip)]
    pub charts: Vec<(String, String)>,
    #[serde(skip)]
    equal: Equal,
}

/// What the runs of an arm took, in the mean.
#[derive(Serialize)]
pub struct Cost {
    pub arm: String,
    pub runs: usize,
    pub steps: f64,
    pub trajectories: f64,
    pub sampled_tokens: f64,
    pub trained_tokens: f64,
    /// Rollouts and updates, without evaluations.
    pub seconds: f64,
    pub memory_peak_bytes: u64,
}

/// What was reached in one evaluation.
#[derive(Serialize)]
pub struct Scores {
    pub evaluation: String,
    pub episodes: u64,
    pub random: Option<f64>,
    pub arms: Vec<Score>,
}

/// The score of an arm at the end.
#[derive(Serialize)]
pub struct Score {
    pub arm: String,
    /// Over seeds.
    pub mean: f64,
    pub interval: Interval,
    pub by_seed: Vec<f64>,
    /// Before training, over seeds: arms that show other examples begin elsewhere.
    pub before: f64,
    /// The share of legal replies, over seeds.
    pub legal: f64,
    pub legal_before: f64,
}

/// An arm less the baseline, on the same seeds and deals.
#[derive(Serialize)]
pub struct Difference {
    pub evaluation: String,
    pub arm: String,
    pub baseline: String,
    pub mean: f64,
    pub interval: Interval,
    /// Episodes of each, over all seeds.
    pub deals: usize,
    /// Seeds in which the arm was better, and in which it was worse.
    pub better: usize,
    pub worse: usize,
}

impl Report {
    /// Works out what the runs say.
    pub fn of(found: &Found) -> Report {
        let experiment = &found.experiment;
        let done = (0..experiment.arms.len()).filter(|arm| found.of_arm(*arm).next().is_some());
        let arms: Vec<usize> = done.collect();
        let evaluations: Vec<String> = found.runs[0].after.iter().map(|one| one.name.clone()).collect();
        let baseline = experiment.baseline();
        let others = || arms.iter().copied().filter(|arm| *arm != baseline);
        Report {
            experiment: experiment.name.clone(),
            seeds: experiment.seeds.clone(),
            missing_runs: found.missing,
            costs: arms.iter().map(|arm| cost(found, *arm)).collect(),
            scores: evaluations.iter().map(|name| scores(found, &arms, name)).collect(),
            differences: evaluations
                .iter()
                .flat_map(|name| others().filter_map(move |arm| difference(found, arm, baseline, name)))
                .collect(),
            charts: charts(found, &arms),
            equal: experiment.equal,
        }
    }

    /// The report as Markdown. `command` is what makes it again.
    pub fn markdown(&self, command: &str) -> String {
        let mut text = format!("# {}\n\n`{command}` made this page.\n\n", escaped(&self.experiment));
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        let what = match self.equal {
            Equal::Trajectories => "steps and trajectories",
            Equal::SampledTokens => "sampled tokens",
        };
        let _ = writeln!(text, "Seeds: {}. All arms have as many {what}.\n", seeds.join(", "));
        if self.missing_runs > 0 {
            let _ = writeln!(text, "**{} runs are not done yet; what follows is of the others.**\n", self.missing_runs);
        }
        if self.seeds.len() == 1 {
            text.push_str(
                "There is one seed: the intervals are of its episodes alone, and say nothing of how other seeds would end.\n\n",
            );
        }
        self.write_scores(&mut text);
        self.write_differences(&mut text);
        text.push_str("## Learning curves\n\n");
        for (file, _) in &self.charts {
            let _ = writeln!(text, "![{}]({file})\n", file.trim_end_matches(".svg"));
        }
        self.write_costs(&mut text);
        text
    }

    fn write_scores(&self, text: &mut String) {
        text.push_str(
            "## Scores at the end\n\nThe mean score over seeds in percent, with its 95 % interval, and what the arm began with: an arm \
             that trains on other games shows other examples.\n\n",
        );
        let arms: Vec<String> = self.costs.iter().map(|cost| escaped(&cost.arm)).collect();
        let _ = writeln!(text, "| evaluation | episodes | random play | {} |", arms.join(" | "));
        let _ = writeln!(text, "|---|---|---|{}", "---|".repeat(arms.len()));
        for scores in &self.scores {
            let random = scores.random.map(percent).unwrap_or_default();
            let cells: Vec<String> = scores
                .arms
                .iter()
                .map(|score| {
                    let (after, before) = (percent(score.mean), percent(score.before));
                    format!("{after} {}, from {before}", range(&score.interval, false))
                })
                .collect();
            let name = escaped(&scores.evaluation);
            let _ = writeln!(text, "| {name} | {} | {random} | {} |", scores.episodes, cells.join(" | "));
        }
        text.push_str("\nThe share of legal replies at the end and before, in percent.\n\n");
        let _ = writeln!(text, "| evaluation | {} |", arms.join(" | "));
        let _ = writeln!(text, "|---|{}", "---|".repeat(arms.len()));
        for scores in &self.scores {
            let cells: Vec<String> = scores
                .arms
                .iter()
                .map(|score| format!("{}, from {}", percent(score.legal), percent(score.legal_before)))
                .collect();
            let _ = writeln!(text, "| {} | {} |", escaped(&scores.evaluation), cells.join(" | "));
        }
        text.push('\n');
    }

    fn write_differences(&self, text: &mut String) {
        let Some(first) = self.differences.first() else { return };
        let baseline = escaped(&first.baseline);
        let _ = writeln!(
            text,
            "## Differences\n\nEach arm less {baseline}, in points of a hundred, on the same seeds and deals. There are {} \
             comparisons: at 95 % one in twenty is beside zero by chance.\n",
            self.differences.len()
        );
        text.push_str("| evaluation | arm | points | 95 % | seeds better | worse |\n|---|---|---|---|---|---|\n");
        for one in &self.differences {
            let is_beside_zero = one.interval.low > 0.0 || one.interval.high < 0.0;
            let mark = if is_beside_zero && one.deals >= DEALS_TO_MARK { "**" } else { "" };
            let _ = writeln!(
                text,
                "| {} | {} | {mark}{:+.1}{mark} | {} | {} | {} |",
                escaped(&one.evaluation),
                escaped(&one.arm),
                one.mean * 100.0,
                range(&one.interval, true),
                one.better,
                one.worse
            );
        }
        text.push('\n');
    }

    fn write_costs(&self, text: &mut String) {
        text.push_str("## What a run took\n\nMeans over seeds; time is that of rollouts and updates.\n\n");
        text.push_str(
            "| arm | runs | steps | trajectories | sampled tokens | tokens trained on | minutes | peak GiB |\n",
        );
        text.push_str("|---|---|---|---|---|---|---|---|\n");
        for cost in &self.costs {
            let _ = writeln!(
                text,
                "| {} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} | {:.1} |",
                escaped(&cost.arm),
                cost.runs,
                cost.steps,
                cost.trajectories,
                cost.sampled_tokens,
                cost.trained_tokens,
                cost.seconds / 60.0,
                cost.memory_peak_bytes as f64 / f64::from(1 << 30)
            );
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}", share * 100.0)
}

fn range(interval: &Interval, signed: bool) -> String {
    let (low, high) = (interval.low * 100.0, interval.high * 100.0);
    if signed { format!("[{low:+.1}, {high:+.1}]") } else { format!("[{low:.1}, {high:.1}]") }
}

fn mean_of(runs: &[&Run], of: impl Fn(&Run) -> f64) -> f64 {
    mean(&runs.iter().map(|run| of(run)).collect::<Vec<_>>())
}

fn cost(found: &Found, arm: usize) -> Cost {
    let runs: Vec<&Run> = found.of_arm(arm).collect();
    let total = |of: fn(&StepMetrics) -> u64| mean_of(&runs, |run| run.total(of) as f64);
    let peaks = runs.iter().flat_map(|run| &run.timing).map(|timing| timing.memory_peak_bytes);
    Cost {
        arm: found.experiment.arms[arm].name.clone(),
        runs: runs.len(),
        steps: mean_of(&runs, |run| run.steps.len() as f64),
        trajectories: total(|step| step.episodes),
        sampled_tokens: total(|step| step.sampled_tokens),
        trained_tokens: total(|step| step.trained_tokens),
        seconds: mean_of(&runs, Run::seconds),
        memory_peak_bytes: peaks.max().unwrap_or(0),
    }
}

fn scores(found: &Found, arms: &[usize], evaluation: &str) -> Scores {
    let score_of = |column: &[crate::evaluate::Evaluated]| {
        column.iter().find(|one| one.name == evaluation).map(|one| one.score.share)
    };
    let of_arm = |arm: &usize| {
        let reached: Vec<_> = found.of_arm(*arm).filter_map(|run| run.reached(evaluation)).collect();
        let by_seed: Vec<f64> = reached.iter().map(|one| one.score.share).collect();
        let episodes: Vec<Vec<f64>> = reached.iter().map(|one| one.scores.clone()).collect();
        let legal: Vec<f64> = reached.iter().map(|one| one.legal.share).collect();
        let begun = || found.of_arm(*arm).filter_map(|run| run.before.iter().find(|one| one.name == evaluation));
        Score {
            arm: found.experiment.arms[*arm].name.clone(),
            mean: mean(&by_seed),
            interval: Interval::bootstrap_of_groups(&episodes, RESAMPLES, 0),
            by_seed,
            before: mean(&begun().map(|one| one.score.share).collect::<Vec<_>>()),
            legal: mean(&legal),
            legal_before: mean(&begun().map(|one| one.legal.share).collect::<Vec<_>>()),
        }
    };
    Scores {
        evaluation: evaluation.to_string(),
        episodes: found.runs[0].reached(evaluation).map_or(0, |one| one.episodes),
        random: score_of(&found.random),
        arms: arms.iter().map(of_arm).collect(),
    }
}

/// None where no seed of both is done.
fn difference(found: &Found, arm: usize, baseline: usize, evaluation: &str) -> Option<Difference> {
    let mut by_seed: Vec<Vec<f64>> = Vec::new();
    for run in found.of_arm(arm) {
        let other = found.of_arm(baseline).find(|other| other.seed == run.seed);
        if let (Some(one), Some(other)) = (run.reached(evaluation), other.and_then(|run| run.reached(evaluation))) {
            by_seed.push(one.scores.iter().zip(&other.scores).map(|(one, other)| one - other).collect());
        }
    }
    let means: Vec<f64> = by_seed.iter().map(|differences| mean(differences)).collect();
    (!means.is_empty()).then(|| Difference {
        evaluation: evaluation.to_string(),
        arm: found.experiment.arms[arm].name.clone(),
        baseline: found.experiment.arms[baseline].name.clone(),
        mean: mean(&means),
        interval: Interval::bootstrap_of_groups(&by_seed, RESAMPLES, 0),
        deals: by_seed.iter().map(Vec::len).sum(),
        better: means.iter().filter(|mean| **mean > 0.0).count(),
        worse: means.iter().filter(|mean| **mean < 0.0).count(),
    })
}

/// The score of every stage while training, over steps and over sampled tokens; illegal replies and entropy over steps.
fn charts(found: &Found, arms: &[usize]) -> Vec<(String, String)> {
    let labels: BTreeSet<&String> =
        found.runs.iter().flat_map(|run| &run.steps).flat_map(|step| step.stages.keys()).collect();
    let mut charts = Vec::new();
    for label in labels {
        let score = |step: &StepMetrics| step.stages.get(label.as_str()).map(|stage| stage.score_mean);
        let title = format!("{label}: score in training");
        // A stage is called what its metrics call it, and those may be somebody else's.
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        let label: String = label.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect();
        let by_steps = curves(found, arms, &|step, _| f64::from(step.step), &score);
        charts.push((format!("{label}-by-steps.svg"), svg(&title, "step", "score", &by_steps)));
        let by_tokens = curves(found, arms, &|_, sampled| sampled, &score);
        charts.push((format!("{label}-by-tokens.svg"), svg(&title, "sampled tokens", "score", &by_tokens)));
    }
    let illegal = curves(found, arms, &|step, _| f64::from(step.step), &|step| Some(step.illegal_share));
    charts.push(("illegal.svg".into(), svg("Illegal replies", "step", "share of replies", &illegal)));
    let entropy = curves(found, arms, &|step, _| f64::from(step.step), &|step| step.entropy);
    charts.push(("entropy.svg".into(), svg("Entropy", "step", "nats a token", &entropy)));
    charts
}

/// A curve for each arm: `x` of a step and the tokens sampled so far, `y` of a step, where it has one. Steps of the same number
/// are put together over seeds.
fn curves(
    found: &Found,
    arms: &[usize],
    x: &dyn Fn(&StepMetrics, f64) -> f64,
    y: &dyn Fn(&StepMetrics) -> Option<f64>,
) -> Vec<Curve> {
    let curve = |arm: &usize| {
        let runs: Vec<&Run> = found.of_arm(*arm).collect();
        let steps = runs.iter().map(|run| run.steps.len()).min().unwrap_or(0);
        let mut sampled = vec![0.0; runs.len()];
        let mut points = Vec::new();
        for step in 0..steps {
            let (mut xs, mut ys) = (Vec::new(), Vec::new());
            for (run, sampled) in runs.iter().zip(&mut sampled) {
                let line = &run.steps[step];
                *sampled += line.sampled_tokens as f64;
                if let Some(value) = y(line) {
                    xs.push(x(line, *sampled));
                    ys.push(value);
                }
            }
            if !ys.is_empty() {
                let (low, high) = ys
                    .iter()
                    .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
                points.push(Point { x: mean(&xs), mean: mean(&ys), low, high });
            }
        }
        Curve { name: found.experiment.arms[*arm].name.clone(), points }
    };
    arms.iter().map(curve).collect()
}
