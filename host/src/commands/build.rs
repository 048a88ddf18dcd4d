//! `ludus build`: games become components.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use ludus_host::build::build;

use crate::terminal::{Columns, output};

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The folder of the game, with its ludus.toml, or of a workspace of Rust games
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Where the components go [default: the folder `built` in DIR]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  ludus build                            the game in this folder
  ludus build games-wasm                 every Rust game of the workspace
  ludus build my-game --out games-wasm/built";

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut rows = Columns::new(&["game", "hash", ">bytes", "imports", "file"]);
    for built in build(&arguments.dir, arguments.out.as_deref())? {
        rows.row(vec![
            built.name,
            built.hash.short(),
            built.bytes.to_string(),
            imports(&built.wasi),
            built.path.display().to_string(),
        ]);
    }
    rows.write(&mut output())?;
    Ok(ExitCode::SUCCESS)
}

/// Which packages of WASI, in few words.
fn imports(wasi: &[String]) -> String {
    let packages: BTreeSet<&str> = wasi.iter().filter_map(|import| import.split('/').next()).collect();
    if packages.is_empty() { "nothing".to_string() } else { packages.into_iter().collect::<Vec<_>>().join(" ") }
}
