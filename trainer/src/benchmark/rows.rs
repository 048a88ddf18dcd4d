//! Rows of Parquet, JSON lines and CSV as named values, whichever file they lie in.

mod comma_separated;
mod json_lines;
mod parquet;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::error::BenchmarkError;

/// The endings of files that can be read.
pub const ENDINGS: [&str; 5] = ["parquet", "jsonl", "ndjson", "json", "csv"];

/// A row, and where it lies.
#[derive(Clone, Debug)]
pub struct Row {
    pub path: Arc<Path>,
    /// Counted from 1: in JSON lines the line, as an editor counts it; in CSV the row without the header.
    pub number: usize,
    fields: Map<String, Value>,
}

/// Reads all rows of a file. Its ending says how.
///
/// # Errors
/// Where it cannot be read, or is not what its ending says.
pub fn read(path: &Path) -> Result<Vec<Row>, BenchmarkError> {
    // That it is not there says more than what is wrong with its name.
    path.metadata().map_err(|cause| BenchmarkError::File { path: path.to_path_buf(), cause })?;
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    let rows = match ending.as_str() {
        "parquet" => counted(parquet::read(path)?),
        "jsonl" | "ndjson" | "json" => json_lines::read(path)?,
        "csv" => counted(comma_separated::read(path)?),
        _ => {
            return Err(BenchmarkError::malformed(
                path,
                "its ending is not one of those that are read: .parquet, .jsonl, .json or .csv",
            ));
        }
    };
    let shared: Arc<Path> = path.into();
    let row = |(number, fields)| Row { path: shared.clone(), number, fields };
    Ok(rows.into_iter().map(row).collect())
}

/// Rows that lie one behind the other, with their numbers.
fn counted(rows: Vec<Map<String, Value>>) -> Vec<(usize, Map<String, Value>)> {
    (1..).zip(rows).collect()
}

impl Row {
    /// What is wrong with this row.
    pub fn problem(&self, problem: impl Into<String>) -> BenchmarkError {
        BenchmarkError::Row { path: self.path.to_path_buf(), row: self.number, problem: problem.into() }
    }

    /// The name of the row: its file's, without ending, and its number.
    pub fn name(&self) -> String {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        format!("{stem}:{}", self.number)
    }

    pub fn has(&self, name: &str) -> bool {
        self.fields.get(name).is_some_and(|value| !value.is_null())
    }

    /// A text.
    ///
    /// # Errors
    /// Where there is none of this name.
    pub fn text(&self, name: &str) -> Result<&str, BenchmarkError> {
        match self.value(name)? {
            Value::String(text) => Ok(text),
            _ => Err(self.problem(format!("its `{name}` is no text"))),
        }
    }

    /// A text, or a number as text.
    ///
    /// # Errors
    /// Where there is neither of this name.
    pub fn word(&self, name: &str) -> Result<String, BenchmarkError> {
        match self.value(name)? {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(self.problem(format!("its `{name}` is neither a text nor a number"))),
        }
    }

    /// A list of texts; in CSV, where a field is a text, the list as JSON writes it.
    ///
    /// # Errors
    /// Where there is none of this name.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, BenchmarkError> {
        let texts = match self.value(name)? {
            Value::String(text) => serde_json::from_str(text).ok(),
            list => serde_json::from_value(list.clone()).ok(),
        };
        texts.ok_or_else(|| self.problem(format!("its `{name}` is no list of texts")))
    }

    fn value(&self, name: &str) -> Result<&Value, BenchmarkError> {
        match self.fields.get(name) {
            Some(Value::Null) => Err(self.problem(format!("its `{name}` is null: fill it in or take the row out"))),
            Some(value) => Ok(value),
            None => Err(self.problem(format!("it has no `{name}`, but {}", self.known()))),
        }
    }

    /// What the row has, for people.
    fn known(&self) -> String {
        let shown = |(name, value): (&String, &Value)| {
            let null = if value.is_null() { " (null)" } else { "" };
            format!("{name}{null}")
        };
        let all: Vec<String> = self.fields.iter().map(shown).collect();
        if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
    }
}
