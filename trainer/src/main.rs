//! The program `ludus-train`: trains language models on hosted games, and measures them.
//!
//! Each command is a file of `commands/`. Errors become one sentence on standard error here, and nowhere else: exit
//! code 2 where what was asked cannot be done, 1 where a run broke off; 130 is that of one that Ctrl-C stopped.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ludus_host::shown;
use ludus_trainer::environment;
use ludus_trainer::out_of_memory::{self, OutOfMemory, guarded};
use ludus_trainer::ranks;

mod commands;

/// Trains language models on games that are WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "ludus-train", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    places: commands::Places,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  ludus-train train quickstart                     train the default model on two games
  ludus-train train quickstart --dry-run           print what that would do, and do nothing
  ludus-train train my.toml --set seed=2 --name b  train by a recipe of your own, with one change
  ludus-train train quickstart --resume            go on with a run that was stopped
  ludus-train watch quickstart                     show how far a run is, and its curves
  ludus-train report quickstart                    write its curves, evaluations and episodes into report.html
  ludus-train replay quickstart 1                  roll out its first step again: are the tokens the same?
  ludus-train compare nesting --quick              train several recipes under equal budgets and report what differs
  ludus-train doctor                               say what is here and what is missing";

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a model by a recipe
    Train(commands::train::Arguments),
    /// Measure a model on a recipe's games, without training it
    Evaluate(commands::evaluate::Arguments),
    /// Train several recipes over several seeds under equal budgets, and report what differs
    Compare(commands::compare::Arguments),
    /// Let players and models meet in one game, everybody against everybody, and rate them
    Tournament(commands::tournament::Arguments),
    /// Measure what models know and can work out, by MMLU, MMLU-Pro, SocialIQA, CommonGen, MATH-500 or GSM8K in local files
    Benchmark(commands::benchmark::Arguments),
    /// Roll out a step of a run again and compare its episodes and tokens; exit code 0 only where they are identical
    Replay(commands::replay::Arguments),
    /// Write what runs did into one HTML file: curves, evaluations and episodes
    Report(commands::report::Arguments),
    /// Show how far a run is that goes on in another process
    Watch(commands::watch::Arguments),
    /// Ask a model for one reply
    Ask(commands::ask::Arguments),
    /// Import a model into a folder that Ludus and transformers load
    Import(commands::import::Arguments),
    /// Write a checkpoint as a model by itself, adapters merged, in float32 or bfloat16
    Export(commands::export::Arguments),
    /// Say what was found here and what is missing
    Doctor,
}

fn main() -> ExitCode {
    environment::settle();
    environment::end_quietly_on_a_closed_pipe();
    let arguments = Arguments::parse();
    out_of_memory::expect_it();
    match guarded(OutOfMemory::elsewhere, || run(&arguments)).map_err(commands::in_plain_words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ludus-train: {}", shown::sentence(&error));
            let code = commands::exit_code(&error);
            if ranks::were_joined() {
                // SAFETY: it takes a number and does not return.
                unsafe { libc::_exit(code.into()) }
            }
            ExitCode::from(code)
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let places = &arguments.places;
    match &arguments.command {
        Command::Train(arguments) => return commands::train::run(places, arguments),
        Command::Evaluate(arguments) => commands::evaluate::run(places, arguments)?,
        Command::Compare(arguments) => return commands::compare::run(places, arguments),
        Command::Tournament(arguments) => commands::tournament::run(places, arguments)?,
        Command::Benchmark(arguments) => commands::benchmark::run(arguments)?,
        Command::Replay(arguments) => return commands::replay::run(places, arguments),
        Command::Report(arguments) => commands::report::run(places, arguments)?,
        Command::Watch(arguments) => commands::watch::run(places, arguments)?,
        Command::Ask(arguments) => commands::ask::run(arguments)?,
        Command::Import(arguments) => commands::import::run(arguments)?,
        Command::Export(arguments) => commands::export::run(arguments)?,
        Command::Doctor => commands::doctor::run(places)?,
    }
    Ok(ExitCode::SUCCESS)
}
