//! `ludus-train replay RUN STEP`: rolls out a step again, and says whether it sampled the same tokens and played the same
//! episodes.

use std::path::PathBuf;
use std::process::ExitCode;

use ludus_trainer::progress::Display;
use ludus_trainer::replay::replay;
use ludus_trainer::watch::{Phase, Watch as _};

use super::output::{JsonFile, print};
use super::{BROKEN, Places};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The run's name
    run: String,
    /// The step, counted from 1
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    step: u32,
    /// Also write the verdict to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub fn run(places: &Places, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let json = JsonFile::open(arguments.json.as_deref())?;
    let library = super::open_library(places)?;
    let mut display = Display::new(0);
    let mut progress = |done, of| display.progress(Phase::Rollout, done, of);
    let replayed = replay(&places.store, &arguments.run, arguments.step, &library, &mut progress);
    display.finish();
    let replayed = replayed?;
    print(&replayed)?;
    json.write(&replayed)?;
    Ok(if replayed.identical { ExitCode::SUCCESS } else { ExitCode::from(BROKEN) })
}
