//! The program `ludus`: plays, records, lists and replays episodes of games.
//!
//! Each command is a file of `commands/`. Errors become one sentence on standard error here, and nowhere else:
//! exit code 2 where what was asked cannot be done, 1 where something that was recorded is not as it was.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ludus_host::program;

mod clock;
mod commands;
mod interruption;
mod terminal;

/// Plays games that are WebAssembly components, records every episode, and replays it bit for bit.
#[derive(Debug, Parser)]
#[command(name = "ludus", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    places: Places,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  ludus games                            what there is to play
  ludus play tictactoe                   play against the house
  ludus run tictactoe --episodes 1000    let random players play, and measure them
  ludus replay --all                     execute every recorded episode again";

/// Where things lie.
#[derive(Debug, clap::Args)]
pub struct Places {
    /// A folder of games; may be given more than once [default: LUDUS_GAMES, else games-wasm/built, here or above]
    #[arg(long = "games", value_name = "DIR", global = true)]
    games_dirs: Vec<PathBuf>,
    /// The folder of recorded episodes
    #[arg(long, value_name = "DIR", global = true, env = "LUDUS_STORE", default_value = program::STORE)]
    store: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the games that are there
    Games(commands::games::Arguments),
    /// Begin a new game
    New(commands::new::Arguments),
    /// Build games into components
    Build(commands::build::Arguments),
    /// Check that a game keeps the promises that every game makes
    Check(commands::check::Arguments),
    /// Play a game in the terminal
    Play(commands::play::Arguments),
    /// Let players play a task many times, and print what came out
    Run(commands::run::Arguments),
    /// Execute recorded episodes again, bit for bit
    Replay(commands::replay::Arguments),
    /// List recorded episodes
    Episodes(commands::episodes::Arguments),
    /// Show a recorded episode as a person would read it
    Show(commands::show::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let places = &arguments.places;
    let outcome = match &arguments.command {
        Command::Games(arguments) => commands::games::run(places, arguments),
        Command::New(arguments) => commands::new::run(arguments),
        Command::Build(arguments) => commands::build::run(arguments),
        Command::Check(arguments) => commands::check::run(places, arguments),
        Command::Play(arguments) => commands::play::run(places, arguments),
        Command::Run(arguments) => commands::run::run(places, arguments),
        Command::Replay(arguments) => commands::replay::run(places, arguments),
        Command::Episodes(arguments) => commands::episodes::run(places, arguments),
        Command::Show(arguments) => commands::show::run(places, arguments),
    };
    match outcome {
        Ok(code) => code,
        // Somebody has read enough, as `ludus episodes | head` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::complain(&error);
            ExitCode::from(commands::exit_code(&error))
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
