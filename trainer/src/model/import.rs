//! From whatever a person names to a model folder in the Hugging Face layout.
//!
//! | named | becomes |
//! |---|---|
//! | `smollm2-135m-instruct` | the default model, which set-up imported into the cache |
//! | a folder | itself |
//! | a `.gguf` file | imported into the cache, under the file's blake3 |
//! | `org/name` | the Hub's copy, downloaded once |
//!
//! An import dequantizes to float32 and writes a folder that Ludus and transformers both load. It
//! is made beside its place and renamed there when it is complete; `record` notes what it was
//! made from and the hash of each file, which `resolve` checks again. So a folder that is there
//! is whole, and is what it says.

mod hub;
mod record;
mod rope;
mod tensors;
mod tokenizer;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tch::{Kind, Tensor};

use super::config::ids_to_json;
use super::gguf::Gguf;
use super::{ModelError, weights};
use record::Record;

/// The model that recipes use when nothing else is said: SmolLM2-135M-Instruct.
pub const DEFAULT_MODEL: &str = "smollm2-135m-instruct";

/// The GGUF file that the default model is imported from (Q4_1, 98,362,432 bytes).
pub const DEFAULT_MODEL_BLAKE3: &str = "5f4fa13bfc6dd4a91fd00e22974a9c4e9ed628fd7d7f307398ddf30260d6b2c3";

/// Finds the folder of the model that `source` names, importing or downloading it if need be.
///
/// # Errors
/// Nothing answers to the name, or it is damaged; the sentence says what to do.
pub fn resolve(source: &str, cache: &Path) -> Result<PathBuf, ModelError> {
    match Source::of(source)? {
        Source::Default => default_model(cache),
        Source::Folder(path) => folder(path),
        Source::Gguf(path) => {
            let hash = record::hash_file(path)?;
            let out = cache.join("models").join(format!("gguf-{}", &hash[..16]));
            import_gguf(path, &out)?;
            Ok(out)
        }
        Source::Hub(id) => hub::fetch(id),
    }
}

/// Where a model comes from.
pub enum Source<'a> {
    Default,
    Folder(&'a Path),
    Gguf(&'a Path),
    /// Whether the Hub has it is known once it is asked.
    Hub(&'a str),
}

impl Source<'_> {
    /// What a model's name means, without fetching or reading it.
    ///
    /// # Errors
    /// Nothing answers to the name.
    pub fn of(name: &str) -> Result<Source<'_>, ModelError> {
        let path = Path::new(name);
        let is_gguf = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"));
        match name {
            DEFAULT_MODEL => Ok(Source::Default),
            _ if path.is_dir() => Ok(Source::Folder(path)),
            _ if is_gguf => match fs::File::open(path) {
                Ok(_) => Ok(Source::Gguf(path)),
                Err(cause) => Err(ModelError::file("open", path, cause)),
            },
            _ if hub::is_id(name) => Ok(Source::Hub(name)),
            _ if has_checkpoints(name) => Err(ModelError::NotFound(format!(
                "`{name}` is a run, not a model: name one of the folders in {}",
                checkpoints(name).display()
            ))),
            _ => Err(ModelError::NotFound(format!(
                "there is no model `{name}`: name {DEFAULT_MODEL}, a model's folder (such as a run's checkpoints/step-000024), a .gguf file, or a Hub id like org/name"
            ))),
        }
    }
}

/// Where a run in the store that is taken by default keeps its checkpoints.
fn checkpoints(run: &str) -> PathBuf {
    Path::new(".ludus/runs").join(run).join("checkpoints")
}

fn has_checkpoints(run: &str) -> bool {
    fs::read_dir(checkpoints(run)).is_ok_and(|mut folders| folders.next().is_some())
}

/// Imports a GGUF file into the folder `out`. A folder that already holds this import, whole and
/// unchanged, is left as it is; an older import there is replaced.
///
/// # Errors
/// The file is damaged or holds a model of a kind that is not known, or `out` is something else.
pub fn import_gguf(path: &Path, out: &Path) -> Result<(), ModelError> {
    let source_hash = record::hash_file(path)?;
    if out.exists() {
        match Record::read(out) {
            Some(record) if record.is_of(&source_hash) && record.verify(out).is_ok() => return Ok(()),
            Some(_) => {}
            None => {
                return Err(ModelError::malformed(out, "it is there and is no import: name another folder"));
            }
        }
    }

    let partial = beside(out, "partial")?;
    remove(&partial)?;
    fs::create_dir_all(&partial).map_err(|cause| ModelError::file("create", &partial, cause))?;
    write_model(&Gguf::open(path)?, &partial)?;
    Record::of(&partial, &source_hash)?.write(&partial)?;

    let old = beside(out, "old")?;
    remove(&old)?;
    if out.exists() {
        fs::rename(out, &old).map_err(|cause| ModelError::file("rename", out, cause))?;
    }
    fs::rename(&partial, out).map_err(|cause| ModelError::file("rename", &partial, cause))?;
    remove(&old)
}

/// The cache folder: `LUDUS_CACHE`, else `ludus` in `XDG_CACHE_HOME`, else in `~/.cache`.
///
/// # Errors
/// None of the three is set.
pub fn standard_cache() -> Result<PathBuf, ModelError> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("LUDUS_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|folder| folder.join("ludus")))
        .or_else(|| variable("HOME").map(|folder| folder.join(".cache/ludus")))
        .ok_or_else(|| ModelError::NotFound("there is no cache folder: set LUDUS_CACHE to one".to_owned()))
}

fn default_model(cache: &Path) -> Result<PathBuf, ModelError> {
    let dir = cache.join("models").join(DEFAULT_MODEL);
    let Some(record) = Record::read(&dir) else {
        return Err(ModelError::NotFound(format!(
            "the default model is not in {}: run `./just setup`",
            cache.display()
        )));
    };
    if !record.is_of(DEFAULT_MODEL_BLAKE3) {
        return Err(ModelError::malformed(
            &dir,
            "it was imported from another file, or by another Ludus: run `./just setup`",
        ));
    }
    let whole = record.verify(&dir);
    whole.map_err(|problem| {
        ModelError::malformed(&dir, format!("{problem}: delete the folder and run `./just setup`"))
    })?;
    Ok(dir)
}

/// A folder that a person names. What is in the files shows when they are loaded.
fn folder(dir: &Path) -> Result<PathBuf, ModelError> {
    let missing = ["config.json", "tokenizer.json"].into_iter().find(|name| !dir.join(name).is_file());
    if let Some(name) = missing {
        return Err(ModelError::malformed(
            dir,
            format!("it has no {name}, so it is no model in the Hugging Face layout"),
        ));
    }
    if let Some(record) = Record::read(dir) {
        record.verify(dir).map_err(|problem| ModelError::malformed(dir, format!("{problem}: import it again")))?;
    }
    Ok(dir.to_path_buf())
}

fn write_model(gguf: &Gguf, dir: &Path) -> Result<(), ModelError> {
    let config = tensors::config(gguf)?;
    config.write(dir)?;
    tokenizer::write(gguf, &config, dir)?;
    let generation = json!({
        "bos_token_id": config.bos_id,
        "eos_token_id": ids_to_json(&config.eos_ids),
        "pad_token_id": config.pad_id,
    });
    write_json(&dir.join("generation_config.json"), &generation)?;
    let tensors = tensors::read(gguf, &config)?;
    let borrowed: Vec<(String, &Tensor)> = tensors.iter().map(|(name, tensor)| (name.clone(), tensor)).collect();
    weights::save(dir, &borrowed, Kind::Float)
}

fn write_json(path: &Path, value: &serde_json::Value) -> Result<(), ModelError> {
    fs::write(path, format!("{value:#}\n")).map_err(|cause| ModelError::file("write", path, cause))
}

/// A name in the same folder, for what is not yet or no longer in its place.
fn beside(path: &Path, suffix: &str) -> Result<PathBuf, ModelError> {
    let name = path.file_name().ok_or_else(|| ModelError::malformed(path, "it is no name for a folder"))?;
    Ok(path.with_file_name(format!("{}.{suffix}", name.to_string_lossy())))
}

fn remove(dir: &Path) -> Result<(), ModelError> {
    if dir.exists() {
        fs::remove_dir_all(dir).map_err(|cause| ModelError::file("remove", dir, cause))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(source: &str, cache: &Path) -> String {
        resolve(source, cache).unwrap_err().to_string()
    }

    #[test]
    fn a_name_that_nothing_answers_to_gets_a_sentence_that_says_what_to_do() {
        let cache = tempfile::tempdir().unwrap();
        assert!(problem(DEFAULT_MODEL, cache.path()).contains("run `./just setup`"));
        assert!(problem("no-such-model", cache.path()).contains("a Hub id like org/name"));
        assert!(problem("absent.gguf", cache.path()).contains("cannot open absent.gguf"));
        let empty = cache.path().to_string_lossy().into_owned();
        assert!(problem(&empty, cache.path()).contains("it has no config.json"));
    }

    #[test]
    fn a_file_that_is_no_gguf_leaves_no_folder_behind() {
        let cache = tempfile::tempdir().unwrap();
        let file = cache.path().join("text.gguf");
        fs::write(&file, "once upon a time").unwrap();
        assert!(problem(&file.to_string_lossy(), cache.path()).contains("not a GGUF file"));
        let out = cache.path().join("out");
        assert!(import_gguf(&file, &out).is_err());
        assert!(!out.exists());
    }

    #[test]
    fn a_folder_that_is_no_import_is_never_replaced() {
        let cache = tempfile::tempdir().unwrap();
        let file = cache.path().join("text.gguf");
        fs::write(&file, "once upon a time").unwrap();
        let precious = cache.path().join("precious");
        fs::create_dir(&precious).unwrap();
        assert!(import_gguf(&file, &precious).unwrap_err().to_string().contains("name another folder"));
        assert!(precious.exists());
    }
}
