//! Rows of a Parquet file, uncompressed or compressed with Snappy or Zstandard.

use std::fs::File;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Map, Value};

use crate::benchmark::error::BenchmarkError;

pub(super) fn read(path: &Path) -> Result<Vec<Map<String, Value>>, BenchmarkError> {
    let file = File::open(path).map_err(|cause| BenchmarkError::File { path: path.to_path_buf(), cause })?;
    // The library indexes what it reads by what it read before: of a damaged file that may be a panic.
    let rows = panic::catch_unwind(AssertUnwindSafe(|| rows(file)));
    let rows = rows.map_err(|_| BenchmarkError::malformed(path, "it is damaged: fetch it again"))?;
    rows.map_err(|error| BenchmarkError::malformed(path, format!("it is damaged or no Parquet file: {error}")))
}

fn rows(file: File) -> Result<Vec<Map<String, Value>>, ParquetError> {
    let reader = SerializedFileReader::new(file)?;
    let mut rows = Vec::new();
    for row in reader.get_row_iter(None)? {
        match row?.to_json_value() {
            Value::Object(fields) => rows.push(fields),
            other => return Err(ParquetError::General(format!("a row is {other}"))),
        }
    }
    Ok(rows)
}
