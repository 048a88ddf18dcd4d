//! `ludus-train compare PLAN`: trains several recipes over several seeds, and writes one report of what differs.

use std::path::{Path, PathBuf};

use ludus_host::program;
use ludus_trainer::compare::{Experiment, Found, Planned, Report, train_all};
use ludus_trainer::device;
use ludus_trainer::plan::Plan;
use ludus_trainer::progress::Display;
use std::fs;

use super::output::{line, print};
use super::{Places, interrupt};

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// An experiment: a path, or the name of a shipped one (nesting, nesting-1.5b, nesting-7b)
    #[arg(value_name = "PLAN")]
    experiment: String,
    /// Take its smaller size
    #[arg(long)]
    quick: bool,
    /// Change one value in all arms; may be given more than once
    #[arg(long = "set", value_name = "KEY=VALUE")]
    assignments: Vec<String>,
    /// Check the experiment and print what would be trained, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Train nothing; report what is done so far
    #[arg(long)]
    report_only: bool,
    /// The folder of the report [default: compare/NAME in the store]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  ludus-train compare nesting --dry-run            what would be trained, and what it takes
  ludus-train compare nesting --quick              a small size of it, in about an hour on two cores
  ludus-train compare nesting --quick              once more: goes on where it was stopped
  ludus-train compare mine.toml --report-only      the report of what is done so far

An experiment's runs are runs like any other: `ludus-train report`, `replay` and `evaluate` know them by their names.";

pub fn run(places: &Places, arguments: &Arguments) -> anyhow::Result<()> {
    let experiment = Experiment::read(&arguments.experiment, arguments.quick)?;
    let library = super::open_library(places)?;
    let runs = experiment.plan(&arguments.assignments, &library)?;
    if arguments.dry_run {
        return print(overview(&experiment, &runs));
    }
    let output = arguments.output.clone().unwrap_or_else(|| places.store.join("compare").join(&experiment.name));
    if !arguments.report_only {
        interrupt::listen(true)?;
        let of = runs.len();
        let mut begins = |number: usize, run: &Planned| -> Box<dyn ludus_trainer::watch::Watch> {
            // A line that is lost on a full disk is not worth the run.
            let _ = line(format_args!("\nrun {} of {of}: {}", number + 1, run.name));
            Box::new(Display::new(run.plan.recipe.steps))
        };
        if !train_all(&runs, &library, &places.store, &interrupt::STOP, &mut begins)? {
            line("\nstopped; the same command goes on, and --report-only reports what is done")?;
            return Ok(());
        }
    }
    let found = Found::read(experiment, &runs, &places.store)?;
    let report = Report::of(&found);
    let text = report.markdown(&command(arguments));
    write(&output, &report, &text)?;
    print(format_args!("\n{text}\nThe report lies in {}\n", output.display()))
}

/// What makes the report again.
fn command(arguments: &Arguments) -> String {
    let mut words = vec!["ludus-train".to_string(), "compare".into(), program::quoted(&arguments.experiment)];
    words.extend(arguments.quick.then(|| "--quick".to_string()));
    for assignment in &arguments.assignments {
        words.extend(["--set".to_string(), program::quoted(assignment)]);
    }
    words.join(" ")
}

/// What would be trained.
fn overview(experiment: &Experiment, runs: &[Planned]) -> String {
    let mut text = format!(
        "{}: {} runs, {} arms over {} seeds\n\n",
        experiment.name,
        runs.len(),
        experiment.arms.len(),
        experiment.seeds.len()
    );
    text.push_str(&format!(
        "{:<20}{:>8}{:>14}{:>22}{:>14}\n",
        "arm", "steps", "trajectories", "sampled tokens, most", "memory, GiB"
    ));
    for run in runs.iter().filter(|run| run.seed == experiment.seeds[0]) {
        let Plan { recipe, sizes, memory, .. } = &run.plan;
        let tokens = match recipe.sampled_tokens_max {
            0 => u64::from(recipe.steps) * sizes.sampled_tokens_max,
            most => most,
        };
        let memory =
            memory.map_or_else(|| "?".to_string(), |memory| format!("{:.1}", memory.peak as f64 / f64::from(1 << 30)));
        let arm = &experiment.arms[run.arm].name;
        text.push_str(&format!("{arm:<20}{:>8}{:>14}{tokens:>22}{memory:>14}\n", recipe.steps, sizes.episodes_of_run));
    }
    // A plan may be made for another machine.
    let refused =
        runs.iter().find_map(|run| run.plan.check_memory(device::expected(run.plan.recipe.model.device)).err());
    refused.map_or(text.clone(), |error| format!("{text}\n{error}\n"))
}

/// Writes the report's files.
fn write(output: &Path, report: &Report, text: &str) -> anyhow::Result<()> {
    let failed = |error: std::io::Error| {
        anyhow::anyhow!("cannot write {}: {error}; name another folder with --output", output.display())
    };
    fs::create_dir_all(output).map_err(failed)?;
    fs::write(output.join("report.md"), text).map_err(failed)?;
    fs::write(output.join("report.json"), serde_json::to_string_pretty(report)? + "\n").map_err(failed)?;
    for (name, picture) in &report.charts {
        fs::write(output.join(name), picture).map_err(failed)?;
    }
    Ok(())
}
