//! `ludus check`: plays a game in every way that should make no difference, and says which promises it keeps.

use std::io::Write as _;
use std::process::ExitCode;

use ludus_host::conformance::{Bench, Facts, Promise, Report, Settings};
use ludus_host::manifest::Manifest;
use ludus_host::shown;
use serde_json::json;

use crate::Places;
use crate::commands::{BROKEN, library_options};
use crate::terminal::{self, BAD, BOLD, GOOD, clean, styled};

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A game's name or a component's file
    game: String,
    /// How many episodes to play with the options left alone; other options and numbers of seats get a twentieth each
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    episodes: u64,
    /// The seed of the first episode
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  ludus check tictactoe
  ludus check my-game/built/my-game.wasm --episodes 10000
  ludus check spy --json

The exit code is 0 only where the game keeps every promise, 1 where it breaks one or the machine has no room for it, and 2 where it may not be played at all.";

pub fn run(places: &Places, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let bench = Bench::open(&library_options(places))?;
    let bar = terminal::progress_bar(arguments.episodes, "episodes");
    let settings = Settings { episodes: arguments.episodes, seed: arguments.seed };
    let checked = bench.check(&arguments.game, settings, &mut |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let (manifest, report) = checked?;
    let mut output = terminal::output();
    if arguments.json {
        let object =
            json!({ "game": manifest.name, "version": manifest.version, "good": report.is_good(), "report": report });
        writeln!(output, "{}", shown::json(&object)?)?;
    } else {
        write(&manifest, &report, &mut output)?;
    }
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::from(BROKEN) })
}

fn write(manifest: &Manifest, report: &Report, output: &mut dyn std::io::Write) -> std::io::Result<()> {
    writeln!(output, "{} {}", styled(BOLD, &manifest.name), manifest.version)?;
    for promise in Promise::ALL {
        let Some(kept) = report.promises.get(&promise) else { continue };
        let mark = match &kept.broken {
            Some(_) => styled(BAD, "broken"),
            None if kept.times == 0 => styled(BAD, "unseen"),
            None => styled(GOOD, "kept  "),
        };
        writeln!(output, "  {mark} {} ({} times)", promise.sentence(), kept.times)?;
        if let Some(case) = &kept.broken {
            writeln!(output, "         {}", clean(case))?;
        }
    }
    let Facts { episodes, variants, variants_refused, steps_longest, prompt_bytes_longest, fuel_most, .. } =
        report.facts;
    let Facts { hidden_pairs, bad_moves_taken, bad_moves_refused, .. } = report.facts;
    writeln!(
        output,
        "  {episodes} episodes, {variants} variants of options and seats, {variants_refused} of them refused by the game"
    )?;
    writeln!(
        output,
        "  longest episode {steps_longest} steps of {}, longest prompt {prompt_bytes_longest} bytes",
        manifest.steps_max
    )?;
    writeln!(
        output,
        "  bad moves: {bad_moves_refused} refused, {bad_moves_taken} taken; {hidden_pairs} pairs of moments with something hidden"
    )?;
    writeln!(output, "  most expensive episode {:.1} million units of fuel", fuel_most as f64 / 1e6)
}
