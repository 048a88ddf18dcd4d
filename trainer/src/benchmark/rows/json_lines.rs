//! Rows of a JSON file: an object in each line, or one array of objects.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::benchmark::error::BenchmarkError;

pub(super) fn read(path: &Path) -> Result<Vec<Map<String, Value>>, BenchmarkError> {
    let text = fs::read_to_string(path).map_err(|cause| BenchmarkError::File { path: path.to_path_buf(), cause })?;
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(&text)
            .map_err(|error| BenchmarkError::malformed(path, format!("it is no array of JSON objects: {error}")));
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let row = |(line, row): (&str, usize)| {
        serde_json::from_str(line).map_err(|error| BenchmarkError::Row {
            path: path.to_path_buf(),
            row,
            problem: format!("it is no JSON object: {error}"),
        })
    };
    lines.zip(1..).map(row).collect()
}
