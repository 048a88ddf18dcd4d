//! `ludus-train import SOURCE`: makes a model folder of whatever a recipe may name.

use std::path::PathBuf;

use anyhow::bail;
use ludus_trainer::model::import;

use super::output::line;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A .gguf file, a Hub id (owner/name), or a model's folder to be checked
    source: String,
    /// The folder to make of a .gguf file [default: a folder in the cache]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let source = &arguments.source;
    let folder = match &arguments.to {
        Some(folder) if source.to_ascii_lowercase().ends_with(".gguf") => {
            import::import_gguf(source.as_ref(), folder)?;
            folder.clone()
        }
        Some(_) => bail!("--to is for .gguf files, and {source} is none: leave it out"),
        None => import::resolve(source, &import::standard_cache()?)?,
    };
    line(folder.display())
}
