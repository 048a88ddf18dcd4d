//! `ludus-train export MODEL FOLDER`: a model by itself, in Hugging Face's layout; adapters are merged into their base.

use std::path::PathBuf;

use anyhow::ensure;
use ludus_trainer::checkpoint::save_model;
use ludus_trainer::model::import;
use ludus_trainer::model::llama::Llama;
use tch::{Device, Kind};

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
    save_model(folder, &source, &llama, kind)?;
    println!("{}", folder.display());
    Ok(())
}
