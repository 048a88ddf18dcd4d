//! Finding the tools of other languages, and running them.
//!
//! A tool is looked for on the PATH, then in the folder `languages` of the cache, where `just languages` puts those that
//! come from package registries.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{BuildError, Language};
use crate::library::Library;

/// A program that builds games.
pub(super) struct Tool {
    pub language: Language,
    /// What it may be called, the best first.
    pub names: &'static [&'static str],
    /// The command that installs it.
    pub install: &'static str,
}

impl Tool {
    /// # Errors
    /// Where it is not installed.
    pub fn find(&self) -> Result<PathBuf, BuildError> {
        let on_path: Vec<PathBuf> =
            std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
        let fetched = Library::standard_cache_dir().map(|cache| cache.join("languages/bin"));
        let found = on_path
            .iter()
            .chain(&fetched)
            .flat_map(|folder| self.names.iter().map(move |name| folder.join(name)))
            .find(|path| path.is_file());
        found.ok_or_else(|| BuildError::NoTool {
            language: self.language,
            tool: self.names[0],
            install: self.install.to_string(),
        })
    }
}

/// A program that is to run in `dir`, with its output where people see progress.
pub(super) fn command(program: &Path, dir: &Path, arguments: &[&OsStr]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).args(arguments).stdin(Stdio::null());
    command
}

/// Runs it to its end.
///
/// # Errors
/// Where it cannot be run, or does not succeed.
pub(super) fn run(mut command: Command) -> Result<(), BuildError> {
    let name = command.get_program().to_string_lossy().into_owned();
    // Standard output is ours; what a tool says goes where progress goes.
    let status = command
        .stdout(std::io::stderr())
        .status()
        .map_err(|source| BuildError::Program { program: name.clone(), source })?;
    if status.success() { Ok(()) } else { Err(BuildError::Failed { command: name }) }
}
