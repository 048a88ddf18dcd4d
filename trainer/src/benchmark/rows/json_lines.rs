//! Rows of a JSON file: an object in each line, or one array of objects. A row of the former is numbered as its line, empty lines
//! counted: so an editor finds it.

use std::path::Path;

use ludus_host::regular_file;
use serde_json::{Map, Value};

use super::counted;
use crate::benchmark::error::BenchmarkError;

/// A row and its line in the file, counted from 1.
pub(super) type NumberedRow = (usize, Map<String, Value>);

pub(super) fn read(path: &Path) -> Result<Vec<NumberedRow>, BenchmarkError> {
    let text = regular_file::read_text(path, u64::MAX)
        .map_err(|cause| BenchmarkError::File { path: path.to_path_buf(), cause })?;
    // Some programs mark the beginning of a text.
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text)
            .map(counted)
            .map_err(|error| BenchmarkError::malformed(path, format!("it is no array of JSON objects: {error}")));
    }
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let row = |(row, line): (usize, &str)| {
        serde_json::from_str(line).map(|fields| (row, fields)).map_err(|error| BenchmarkError::Row {
            path: path.to_path_buf(),
            row,
            problem: format!("it is no JSON object: {error}"),
        })
    };
    lines.map(row).collect()
}
