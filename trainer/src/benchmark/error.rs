//! Why a benchmark cannot be run. Each message is one sentence that says where to look.

use std::io;
use std::path::{Path, PathBuf};

use crate::chat::ChatError;

#[derive(Debug, thiserror::Error)]
pub enum BenchmarkError {
    #[error("cannot read {}: {cause}", path.display())]
    File { path: PathBuf, cause: io::Error },
    #[error("{}: {problem}", path.display())]
    Malformed { path: PathBuf, problem: String },
    /// Rows are counted from 1.
    #[error("{}, row {row}: {problem}", path.display())]
    Row { path: PathBuf, row: usize, problem: String },
    #[error("{0}")]
    Asked(String),
    #[error(transparent)]
    Chat(#[from] ChatError),
}

impl BenchmarkError {
    /// What is wrong with a file as a whole.
    pub fn malformed(path: &Path, problem: impl ToString) -> Self {
        Self::Malformed { path: path.to_path_buf(), problem: problem.to_string() }
    }
}
