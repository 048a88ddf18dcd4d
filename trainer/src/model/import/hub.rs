//! Models from the Hugging Face Hub, through the hf-hub crate and its usual cache (`HF_HOME`),
//! mirror (`HF_ENDPOINT`) and token.
//!
//! A model that the cache holds is used without asking the network: many machines that train
//! cannot reach the Hub.

use std::path::{Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiRepo};
use hf_hub::{Cache, CacheRepo};

use super::super::ModelError;
use super::super::weights::WEIGHTS_FILE;

const CONFIG_FILE: &str = "config.json";
const INDEX_FILE: &str = "model.safetensors.index.json";

/// Files that are taken where a model has them, beside its safetensors.
const SMALL_FILES: [&str; 6] = [
    CONFIG_FILE,
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
];

/// Whether `source` has the form of a Hub id: `org/name`.
pub(super) fn is_id(source: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    source.split_once('/').is_some_and(|(owner, name)| plain(owner) && plain(name))
}

/// The folder with a model's files, downloading what is not there.
///
/// # Errors
/// The Hub cannot be reached or does not have the model.
pub(super) fn fetch(id: &str) -> Result<PathBuf, ModelError> {
    if let Some(dir) = complete(&Cache::from_env().model(id.to_owned())) {
        return Ok(dir);
    }
    let unreachable = |error: &dyn std::fmt::Display| {
        ModelError::Hub(format!(
            "there is no folder `{id}` here, and the Hub did not give a model of that name ({error}): download it where the Hub can be \
             reached, copy its folder to this machine, and name the folder"
        ))
    };
    let api = ApiBuilder::from_env().with_progress(true).build().map_err(|error| unreachable(&error))?;
    let repo = api.model(id.to_owned());
    let info = repo.info().map_err(|error| unreachable(&error))?;
    let files: Vec<&str> = info.siblings.iter().map(|file| file.rfilename.as_str()).collect();
    if !files.contains(&"tokenizer.json") || !files.iter().any(|file| is_weights(file)) {
        return Err(ModelError::Hub(format!(
            "the Hub's `{id}` has no tokenizer.json or no safetensors, so Ludus cannot use it"
        )));
    }
    download(&repo, &files).map_err(|error| unreachable(&error))
}

/// Downloads what a model needs and returns its folder. The index comes last: with it there, and
/// only then, a sharded model counts as complete.
fn download(repo: &ApiRepo, files: &[&str]) -> Result<PathBuf, hf_hub::api::sync::ApiError> {
    let (index, others): (Vec<&str>, Vec<&str>) = files
        .iter()
        .filter(|file| SMALL_FILES.contains(file) || is_weights(file) || **file == INDEX_FILE)
        .partition(|file| **file == INDEX_FILE);
    for file in others.iter().chain(&index) {
        repo.get(file)?;
    }
    let config = repo.get(CONFIG_FILE)?;
    Ok(config.parent().unwrap_or(Path::new(".")).to_path_buf())
}

/// A model that an earlier download left whole.
fn complete(cache: &CacheRepo) -> Option<PathBuf> {
    let config = cache.get(CONFIG_FILE)?;
    cache.get("tokenizer.json")?;
    cache.get("tokenizer_config.json")?;
    cache.get(WEIGHTS_FILE).or_else(|| cache.get(INDEX_FILE))?;
    Some(config.parent()?.to_path_buf())
}

/// Weights in the model's own folder; some models keep others in folders below.
fn is_weights(file: &str) -> bool {
    file.starts_with("model") && file.ends_with(".safetensors") && !file.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_plain_names_are_a_hub_id() {
        for id in ["Qwen/Qwen2.5-1.5B-Instruct", "a/b", "org_1/model.v2"] {
            assert!(is_id(id), "{id}");
        }
        for other in ["model", "a/b/c", "../model", "./model", "/model", "a/", "a b/c", "a/-b", ""] {
            assert!(!is_id(other), "{other}");
        }
    }
}
