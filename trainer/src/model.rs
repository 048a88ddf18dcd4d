//! The language model: what it is (`config`), where it comes from (`import`), its numbers on disk
//! (`weights`), the network itself (`llama`, `pass`, `attention`, `cache`, `rope`), its adapters (`lora`)
//! and how it is trained in less memory (`recompute`).
//!
//! On disk a model is always a folder in the Hugging Face layout: `config.json`,
//! `model.safetensors`, `tokenizer.json`, `tokenizer_config.json`, `generation_config.json`.
//! Everything else (a GGUF file, a Hub id, the default model's name) is turned into such a
//! folder first, by `import::resolve`. The tokenizer and the chat template are `crate::chat`'s.

pub mod attention;
pub mod cache;
pub mod config;
pub mod gguf;
pub mod import;
pub mod llama;
pub mod lora;
mod pass;
pub mod recompute;
pub mod rope;
pub mod weights;

use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong between a model's name and its weights in memory. Each message is a whole
/// sentence for the person who named the model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file system refused.
    #[error("cannot {verb} {}: {cause}", path.display())]
    File { verb: &'static str, path: PathBuf, cause: io::Error },
    /// A file is damaged, incomplete, or not what its name says.
    #[error("{}: {problem}", path.display())]
    Malformed { path: PathBuf, problem: String },
    /// Nothing answers to the name that was given; the sentence says what would.
    #[error("{0}")]
    NotFound(String),
    /// The Hub did not give the model.
    #[error("{0}")]
    Hub(String),
    /// libtorch refused.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}

impl ModelError {
    /// An I/O error with what was being done, and to which file.
    pub fn file(verb: &'static str, path: &Path, cause: io::Error) -> Self {
        Self::File { verb, path: path.to_path_buf(), cause }
    }

    /// A problem with what is written in `path`.
    pub fn malformed(path: &Path, problem: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_path_buf(), problem: problem.into() }
    }
}
