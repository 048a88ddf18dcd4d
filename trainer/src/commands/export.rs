//! `ludus-train export MODEL FOLDER`: a model by itself, in Hugging Face's layout; adapters are merged into their base.

use std::fs;
use std::path::PathBuf;

use anyhow::{anyhow, ensure};
use ludus_trainer::checkpoint::{CheckpointError, save_model};
use ludus_trainer::model::import;
use ludus_trainer::model::llama::Llama;
use tch::{Device, Kind};

use super::output::line;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A checkpoint's folder, or any model as a recipe names it
    model: String,
    /// The folder to make
    folder: PathBuf,
    /// The number format of the weights
    #[arg(long, value_enum, default_value_t = Format::Float32)]
    precision: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Float32,
    Bfloat16,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = &arguments.folder;
    ensure!(!folder.exists(), "{} is there already: name a folder to be made", folder.display());
    let source = import::resolve(&arguments.model, &import::standard_cache()?)?;
    let llama = Llama::load(&source, Device::Cpu, Kind::Float)?;
    let kind = match arguments.precision {
        Format::Float32 => Kind::Float,
        Format::Bfloat16 => Kind::BFloat16,
    };
    // Beside its place first: what a full disk or Ctrl-C leaves must not look like a model.
    let name = folder.file_name().ok_or_else(|| anyhow!("{} is no name for a folder", folder.display()))?;
    let partial = folder.with_file_name(format!("{}.partial", name.to_string_lossy()));
    let failed = |cause| anyhow!("cannot write {}: {cause}; name another folder, or free disk space", folder.display());
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(failed)?;
    }
    save_model(&partial, &source, &llama, kind).map_err(|error| match error {
        CheckpointError::Write { source, .. } => failed(source),
        error => error.into(),
    })?;
    fs::rename(&partial, folder).map_err(failed)?;
    line(folder.display())
}
