//! What commands print and write: an output that cannot be written is an error like any other.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use serde::Serialize;

/// Prints a text to standard output.
///
/// # Errors
/// Where it cannot be written, as on a full disk.
pub fn print(text: impl fmt::Display) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    let written = write!(output, "{text}").and_then(|()| output.flush());
    written.map_err(|cause| anyhow!("cannot write to standard output: {cause}"))
}

/// Prints a line to standard output.
///
/// # Errors
/// As [`print()`].
pub fn line(text: impl fmt::Display) -> anyhow::Result<()> {
    print(format_args!("{text}\n"))
}

/// Files that get what the terminal gets.
#[derive(Debug, clap::Args)]
pub struct FilesToo {
    /// Also write all numbers to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write the tables to this file, as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

impl FilesToo {
    /// Opens what was named, before the work whose result it gets.
    ///
    /// # Errors
    /// Where one cannot be written.
    pub fn open(&self) -> anyhow::Result<OpenFiles> {
        let json = JsonFile::open(self.json.as_deref())?;
        Ok(OpenFiles { json, markdown: TextFile::open("--markdown", self.markdown.as_deref())? })
    }
}

/// The files of [`FilesToo`].
pub struct OpenFiles {
    json: JsonFile,
    markdown: TextFile,
}

impl OpenFiles {
    /// Writes the result and its tables.
    ///
    /// # Errors
    /// Where one cannot be written.
    pub fn write(self, result: &impl Serialize, tables: impl FnOnce() -> String) -> anyhow::Result<()> {
        self.markdown.write(|| Ok(tables()))?;
        self.json.write(result)
    }
}

/// A file that `--json` names. It is opened before the work whose result it gets, so that a bad name costs no work.
pub struct JsonFile(TextFile);

impl JsonFile {
    /// Opens what was named, if something was. What is in it stays until [`JsonFile::write`].
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn open(path: Option<&Path>) -> anyhow::Result<JsonFile> {
        Ok(JsonFile(TextFile::open("--json", path)?))
    }

    /// Writes the result, in place of what was there.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(self, result: &impl Serialize) -> anyhow::Result<()> {
        self.0.write(|| Ok(serde_json::to_string_pretty(result)? + "\n"))
    }
}

/// A file that an option names, opened before the work as [`JsonFile`] is.
pub struct TextFile {
    option: &'static str,
    file: Option<(PathBuf, File)>,
}

impl TextFile {
    /// Opens what the option named, if it named something. What is in it stays until [`TextFile::write`].
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn open(option: &'static str, path: Option<&Path>) -> anyhow::Result<TextFile> {
        let Some(path) = path else { return Ok(TextFile { option, file: None }) };
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|cause| failed(option, path, &cause))?;
        Ok(TextFile { option, file: Some((path.to_path_buf(), file)) })
    }

    /// Writes a text, in place of what was there.
    ///
    /// # Errors
    /// Where it cannot be made or written.
    pub fn write(self, text: impl FnOnce() -> anyhow::Result<String>) -> anyhow::Result<()> {
        let Some((path, mut file)) = self.file else { return Ok(()) };
        let text = text()?;
        // A pipe has no length.
        let is_regular = file.metadata().is_ok_and(|found| found.is_file());
        let emptied = if is_regular { file.set_len(0) } else { Ok(()) };
        emptied.and_then(|()| file.write_all(text.as_bytes())).map_err(|cause| failed(self.option, &path, &cause))
    }
}

/// The error of a file that an option names and that cannot be written.
pub fn failed(option: &str, path: &Path, cause: &io::Error) -> anyhow::Error {
    anyhow!("cannot write {}: {cause}; name another {option} file", path.display())
}
