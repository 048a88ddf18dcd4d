//! Rows of a CSV file. MMLU's own files have no header: six columns, which are the question, four choices and a letter.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord};
use serde_json::{Map, Value};

use crate::benchmark::error::BenchmarkError;

/// A first line with one of these is a header.
const KNOWN: [&str; 4] = ["question", "context", "problem", "concepts"];
const WITHOUT_HEADER: [&str; 6] = ["question", "A", "B", "C", "D", "answer"];

pub(super) fn read(path: &Path) -> Result<Vec<Map<String, Value>>, BenchmarkError> {
    let failed = |error: csv::Error| BenchmarkError::malformed(path, format!("it cannot be read as CSV: {error}"));
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_path(path).map_err(failed)?;
    let mut records = reader.records().peekable();
    let names: Vec<String> = match records.peek() {
        Some(Ok(first)) if first.iter().any(|field| KNOWN.contains(&field)) => {
            let names = first.iter().map(str::to_owned).collect();
            records.next();
            names
        }
        Some(Ok(first)) if first.len() != WITHOUT_HEADER.len() => {
            let problem = format!(
                "its first line is no header and has {} columns; without one there must be {}: {}",
                first.len(),
                WITHOUT_HEADER.len(),
                WITHOUT_HEADER.join(", ")
            );
            return Err(BenchmarkError::malformed(path, problem));
        }
        _ => WITHOUT_HEADER.map(str::to_owned).to_vec(),
    };
    records.zip(1..).map(|(record, row)| named(&names, &record.map_err(failed)?, path, row)).collect()
}

fn named(
    names: &[String],
    record: &StringRecord,
    path: &Path,
    row: usize,
) -> Result<Map<String, Value>, BenchmarkError> {
    if record.len() != names.len() {
        let problem = format!("it has {} fields, and the first row has {}", record.len(), names.len());
        return Err(BenchmarkError::Row { path: path.to_path_buf(), row, problem });
    }
    Ok(names.iter().zip(record).map(|(name, field)| (name.clone(), field.into())).collect())
}
