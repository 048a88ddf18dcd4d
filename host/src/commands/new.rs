//! `ludus new`: the folder of a new game, in any of the languages.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use ludus_host::build::Language;
use ludus_host::program;
use ludus_host::starter::{Start, start};

use crate::terminal::output;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The game's name, in kebab-case; the folder is called like it
    name: String,
    /// The language to write it in
    #[arg(long, short = 'l', value_name = "LANGUAGE", default_value = "rust")]
    language: LanguageName,
    /// The folder to make it in
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

const EXAMPLES: &str = "Examples:
  ludus new river-crossing --language python
  ludus new river-crossing --language c --dir games-wasm";

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum LanguageName {
    Rust,
    C,
    Zig,
    Go,
    Javascript,
    Python,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let language = match arguments.language {
        LanguageName::Rust => Start::Rust,
        LanguageName::C => Start::In(Language::C),
        LanguageName::Zig => Start::In(Language::Zig),
        LanguageName::Go => Start::In(Language::Go),
        LanguageName::Javascript => Start::In(Language::Javascript),
        LanguageName::Python => Start::In(Language::Python),
    };
    let dir = start(&arguments.dir, &arguments.name, language)?;
    let mut output = output();
    writeln!(output, "{} is a small complete game. Now:", dir.display())?;
    let (ludus, folder) = (program::typed("ludus"), program::quoted(&dir.to_string_lossy()));
    for command in ["build", "check", "play"] {
        writeln!(output, "  {ludus} {command} {folder}")?;
    }
    Ok(ExitCode::SUCCESS)
}
