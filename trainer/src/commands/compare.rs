//! `ludus-train compare PLAN`: trains several recipes over several seeds, and writes one report of what differs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ludus_host::{program, shown};
use ludus_trainer::compare::{Experiment, Found, Planned, Report, train_all};
use ludus_trainer::device;
use ludus_trainer::machine::format_bytes;
use ludus_trainer::plan::work::{PlannedWork, Speed};
use ludus_trainer::plan::{Plan, thousands};
use ludus_trainer::progress::Display;
use ludus_trainer::ranks::Place;

use super::output::{line, print};
use super::{Places, interrupt, time};

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
  ludus-train compare nesting --quick              a small size of it, in about half an hour on two cores
  ludus-train compare nesting --quick              once more: goes on where it was stopped
  ludus-train compare mine.toml --report-only      the report of what is done so far

An experiment's runs are runs like any other: `ludus-train report`, `replay` and `evaluate` know them by their names.";

pub fn run(places: &Places, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let Some(place) = Place::from_environment()? {
        anyhow::bail!(
            "compare trains its runs in one process, and torchrun started {}: start it by itself",
            place.ranks
        );
    }
    let experiment = Experiment::read(&arguments.experiment, arguments.quick)?;
    let library = super::open_library(places)?;
    let runs = experiment.plan(&arguments.assignments, &library)?;
    if arguments.dry_run {
        return print(overview(&experiment, &runs)).map(|()| ExitCode::SUCCESS);
    }
    let output = arguments.output.clone().unwrap_or_else(|| places.store.join("compare").join(&experiment.name));
    // Noticed before hours of training.
    fs::create_dir_all(&output).map_err(|error| unwritable(&output, &error))?;
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
            return Ok(ExitCode::from(interrupt::INTERRUPTED));
        }
    }
    let found = Found::read(experiment, &runs, &places.store)?;
    let report = Report::of(&found);
    let text = report.markdown(&command(places, arguments));
    write(&output, &report, &text)?;
    print(format_args!("\n{}\nThe report lies in {}\n", shown::clean(&text), output.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// What makes the report again.
fn command(places: &Places, arguments: &Arguments) -> String {
    let mut words = vec!["ludus-train".to_string()];
    let path = |path: &Path| program::quoted(&path.to_string_lossy());
    if places.store != Path::new(program::STORE) {
        words.extend(["--store".to_string(), path(&places.store)]);
    }
    for folder in &places.games_dirs {
        words.extend(["--games".to_string(), path(folder)]);
    }
    words.extend(["compare".to_string(), program::quoted(&arguments.experiment)]);
    words.extend(arguments.quick.then(|| "--quick".to_string()));
    for assignment in &arguments.assignments {
        words.extend(["--set".to_string(), program::quoted(assignment)]);
    }
    words.extend(arguments.report_only.then(|| "--report-only".to_string()));
    if let Some(output) = &arguments.output {
        words.extend(["--output".to_string(), path(output)]);
    }
    words.join(" ")
}

fn unwritable(output: &Path, error: &std::io::Error) -> anyhow::Error {
    anyhow::anyhow!("cannot write {}: {error}; name another folder with --output", output.display())
}

/// What would be trained, and what it takes.
fn overview(experiment: &Experiment, runs: &[Planned]) -> String {
    let (arms, seeds) = (experiment.arms.len(), experiment.seeds.len());
    let here = runs.first().and_then(|run| time::here(&run.plan));
    let titles = ["arm", "steps", "trajectories", "sampled tokens", "memory"].into_iter();
    let titles = titles.chain(here.map(|_| "time here")).chain(["one H100, at least"]);
    let mut rows: Vec<Vec<String>> = vec![titles.map(String::from).collect()];
    let speeds: Vec<Speed> = here.into_iter().chain([time::h100()]).collect();
    let mut seconds = vec![0.0; speeds.len()];
    for run in runs.iter().filter(|run| run.seed == experiment.seeds[0]) {
        let Plan { recipe, sizes, memory, .. } = &run.plan;
        let tokens = match recipe.sampled_tokens_max {
            0 => u64::from(recipe.steps) * sizes.sampled_tokens_max,
            most => most,
        };
        let unknown = || "?".to_string();
        let mut row = vec![
            experiment.arms[run.arm].name.clone(),
            recipe.steps.to_string(),
            thousands(sizes.episodes_of_run),
            thousands(tokens),
            memory.map_or_else(unknown, |memory| format_bytes(memory.peak)),
        ];
        let work = PlannedWork::of(&run.plan);
        for (speed, sum) in speeds.iter().zip(&mut seconds) {
            let of_run = work.map(|work| work.run.seconds(*speed));
            *sum += of_run.unwrap_or(f64::NAN) * seeds as f64;
            row.push(of_run.map_or_else(unknown, time::duration));
        }
        rows.push(row);
    }
    let widths: Vec<usize> =
        (0..rows[0].len()).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0)).collect();
    let mut text = format!(
        "{}: {} runs, {arms} arms over {}; sampled tokens and memory are the most that each takes, times are estimates\n\n",
        experiment.name,
        runs.len(),
        if seeds == 1 { "1 seed".to_owned() } else { format!("{seeds} seeds") },
    );
    for row in &rows {
        text.push_str(&format!("{:<1$}", row[0], widths[0]));
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            text.push_str(&format!("  {cell:>width$}"));
        }
        text.push('\n');
    }
    if seconds.iter().all(|seconds| seconds.is_finite()) {
        let places =
            if here.is_some() { vec!["on this CPU", "at least on one H100"] } else { vec!["at least on one H100"] };
        let times =
            seconds.into_iter().zip(places).map(|(seconds, place)| format!("{} {place}", time::duration(seconds)));
        text.push_str(&format!("\nall runs: about {}\n", times.collect::<Vec<_>>().join(", ")));
    }
    // A run's checkpoints stay when it has ended.
    let kept = runs
        .iter()
        .map(|run| run.plan.memory.map(|memory| u64::from(run.plan.recipe.checkpoint.keep) * memory.checkpoint()));
    if let Some(bytes) = kept.sum::<Option<u64>>() {
        text.push_str(&format!("their checkpoints: about {} on disk\n", format_bytes(bytes)));
    }
    // A plan may be made for another machine.
    let refused =
        runs.iter().find_map(|run| run.plan.check_memory(device::expected(run.plan.recipe.model.device)).err());
    refused.map_or(text.clone(), |error| format!("{text}\n{error}\n"))
}

/// Writes the report's files.
fn write(output: &Path, report: &Report, text: &str) -> anyhow::Result<()> {
    let failed = |error: std::io::Error| unwritable(output, &error);
    fs::create_dir_all(output).map_err(failed)?;
    fs::write(output.join("report.md"), text).map_err(failed)?;
    fs::write(output.join("report.json"), serde_json::to_string_pretty(report)? + "\n").map_err(failed)?;
    for (name, picture) in &report.charts {
        fs::write(output.join(name), picture).map_err(failed)?;
    }
    Ok(())
}
