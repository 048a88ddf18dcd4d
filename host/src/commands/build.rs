//! `ludus build`: a workspace of Rust games becomes components.

use std::path::PathBuf;
use std::process::ExitCode;

use ludus_host::build::build_games;

use crate::terminal::{Columns, output};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  ludus build games-wasm      builds games-wasm/built/*.wasm")]
pub struct Arguments {
    /// The folder with the workspace's Cargo.toml; the components go to its folder `built`
    dir: PathBuf,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut rows = Columns::new(&["game", "hash", ">bytes", "file"]);
    for built in build_games(&arguments.dir)? {
        rows.row(vec![built.name, built.hash.short(), built.bytes.to_string(), built.path.display().to_string()]);
    }
    rows.write(&mut output())?;
    Ok(ExitCode::SUCCESS)
}
