//! `ludus-train report RUN…`: one HTML file with the curves, evaluations and episodes of one or several runs.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressStyle};
use ludus_trainer::report;
use ludus_trainer::run_log::RunLog;

use super::Places;
use super::output::line;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Runs, by name or folder; several are laid over each other
    #[arg(required = true)]
    runs: Vec<String>,
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
    /// Show at most so many episodes, chosen evenly over the steps
    #[arg(long, value_name = "N", default_value_t = 200)]
    episodes: usize,
}

pub fn run(places: &Places, arguments: &Arguments) -> anyhow::Result<()> {
    let runs: Vec<RunLog> =
        arguments.runs.iter().map(|run| RunLog::read(&places.store, run)).collect::<Result<_, _>>()?;
    let output = Output::open(&arguments.output)?;
    let library = super::open_library(places)?;
    let bar = progress_bar();
    let mut progress = |done: usize, of: usize| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    };
    let html = report::html(&runs, &library, arguments.episodes, &mut progress);
    bar.finish_and_clear();
    output.write(&html?)?;
    line(arguments.output.display())
}

/// On standard error, and only where that is a terminal.
fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:>10} {bar:32} {pos}/{len}  {eta} left");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
    ProgressBar::new(0).with_style(style).with_prefix("replaying")
}

/// A file that is written beside its place and put there once it is whole.
struct Output<'a> {
    place: &'a Path,
    partial: PathBuf,
}

impl Output<'_> {
    /// Sees that the file can be written, so that a bad name costs no work.
    fn open(place: &Path) -> anyhow::Result<Output<'_>> {
        let mut partial = place.to_path_buf().into_os_string();
        partial.push(".partial");
        let output = Output { place, partial: partial.into() };
        if place.is_dir() {
            return Err(output.failed(&io::Error::from(io::ErrorKind::IsADirectory)));
        }
        fs::File::create(&output.partial).map_err(|cause| output.failed(&cause))?;
        Ok(output)
    }

    fn write(&self, html: &str) -> anyhow::Result<()> {
        let write = || -> io::Result<()> {
            let mut file = fs::File::create(&self.partial)?;
            file.write_all(html.as_bytes())?;
            file.sync_all()?;
            fs::rename(&self.partial, self.place)
        };
        write().map_err(|cause| self.failed(&cause))
    }

    fn failed(&self, cause: &io::Error) -> anyhow::Error {
        anyhow!("cannot write {}: {cause}; name another file with --output", self.place.display())
    }
}

impl Drop for Output<'_> {
    /// Nothing half-written stays. Where the file is in its place there is nothing left to remove.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.partial);
    }
}
