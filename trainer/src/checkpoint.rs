//! A checkpoint: a model folder in Hugging Face's layout, and beside it what the trainer needs to go on.
//!
//! ```text
//! step-000040/
//!   config.json, model.safetensors, tokenizer.json, …   loads in transformers as it is
//!   trainer/optimizer.safetensors                        first and second moments
//!   trainer/state.json                                   how far the run was, the plan that it followed, baselines
//! ```
//!
//! Of adapters there are `adapter_config.json` and `adapter_model.safetensors` in place of the weights, in PEFT's layout.
//!
//! A checkpoint is complete or absent: it is written beside its place, flushed to the disk and then renamed. All random
//! numbers of a run are functions of the seed and the step, so no generator's state has to be kept.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::model::llama::Llama;
use crate::model::{ModelError, lora, weights};
use crate::optimizer::{AdamW, Moments};

/// How far a run was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Steps that are done.
    pub step: u32,
    /// Optimizer updates that are done.
    pub updates: u64,
    /// The hash of the plan that the run follows.
    pub plan: String,
    /// blake3 of `model.safetensors`, or of `adapter_model.safetensors`.
    pub weights: String,
    /// blake3 of `trainer/optimizer.safetensors`.
    pub optimizer: String,
    /// blake3 of the files that say what the weights are of, one after the other. Earlier versions did not write it down.
    #[serde(default)]
    pub described: Option<String>,
    /// What each role got lately, where advantages are made of that.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub baselines: BTreeMap<String, f64>,
}

/// Why a checkpoint cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error("cannot write the checkpoint {path}: {source}; free disk space or choose another store with --store")]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read the checkpoint {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "the checkpoint {path} is damaged: {reason}; put back a copy of it; or remove the folder, and `--resume` goes on from the checkpoint before, if there is one"
    )]
    Damaged { path: PathBuf, reason: String },
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl CheckpointError {
    /// What a model's writer says. A disk that refuses refuses the checkpoint.
    fn of_writing(error: ModelError, checkpoint: &Path) -> CheckpointError {
        match error {
            ModelError::File { verb, cause, .. } if verb != "read" => {
                CheckpointError::Write { path: checkpoint.to_path_buf(), source: cause }
            }
            error => error.into(),
        }
    }
}

const STATE_FILE: &str = "trainer/state.json";
const OPTIMIZER_FOLDER: &str = "trainer";
const OPTIMIZER_FILE: &str = "optimizer.safetensors";
/// How the name of a folder ends that is no checkpoint yet, or none any more.
const PARTIAL: &str = ".partial";

/// Files of a model folder besides its weights. Those that the base model has go along.
const MODEL_FILES: [&str; 7] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "LICENSE",
];

/// Writes the checkpoint of a step below `checkpoints` and returns its folder and the hash of its weights.
///
/// # Errors
/// Where the disk refuses; what was there before is untouched.
pub fn save(
    checkpoints: &Path,
    base_model: &Path,
    llama: &Llama,
    moments: &Moments,
    baselines: &BTreeMap<String, f64>,
    step: u32,
    plan: &str,
) -> Result<(PathBuf, String), CheckpointError> {
    let place = checkpoints.join(folder_name(step));
    let partial = partial_of(&place);
    let failed = |source| CheckpointError::Write { path: place.clone(), source };
    remove_if_there(&partial).map_err(failed)?;
    fs::create_dir_all(partial.join(OPTIMIZER_FOLDER)).map_err(failed)?;
    let weights = save_model(&partial, base_model, llama, Kind::Float)?;
    let of_parameters: Vec<(String, &Tensor)> = llama
        .parameters
        .iter()
        .enumerate()
        .flat_map(|(index, (name, _))| {
            [(format!("first.{name}"), &moments.first[index]), (format!("second.{name}"), &moments.second[index])]
        })
        .collect();
    let optimizer_file = partial.join(OPTIMIZER_FOLDER).join(OPTIMIZER_FILE);
    let written = weights::save_file(&optimizer_file, &of_parameters, Kind::Float);
    written.map_err(|error| CheckpointError::of_writing(error, &place))?;
    let optimizer =
        hash_of(&optimizer_file).map_err(|source| CheckpointError::Read { path: optimizer_file, source })?;
    let state = State {
        step,
        updates: moments.updates,
        plan: plan.to_string(),
        weights: weights.clone(),
        optimizer,
        described: Some(description_of(&partial).map_err(failed)?),
        baselines: baselines.clone(),
    };
    let text = serde_json::to_vec_pretty(&state).map_err(|error| failed(io::Error::other(error)))?;
    write_durably(&partial.join(STATE_FILE), &text).map_err(failed)?;
    for folder in [&partial.join(OPTIMIZER_FOLDER), &partial] {
        sync_folder(folder).map_err(failed)?;
    }
    remove_if_there(&place).map_err(failed)?;
    fs::rename(&partial, &place).map_err(failed)?;
    sync_folder(checkpoints).map_err(failed)?;
    Ok((place, weights))
}

/// Writes a model folder (weights in a kind, and the base model's other files) and returns the hash of its weights. Of a network
/// with adapters these alone are written, in float32.
///
/// # Errors
/// Where the disk refuses.
pub fn save_model(folder: &Path, base_model: &Path, llama: &Llama, kind: Kind) -> Result<String, CheckpointError> {
    let failed = |source| CheckpointError::Write { path: folder.to_path_buf(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    for name in MODEL_FILES {
        let from = base_model.join(name);
        if from.exists() {
            let bytes = fs::read(&from).map_err(|source| CheckpointError::Read { path: from, source })?;
            write_durably(&folder.join(name), &bytes).map_err(failed)?;
        }
    }
    let written = if let Some(lora) = &llama.lora {
        lora::save(folder, base_model, lora, &llama.parameters)
    } else {
        let tensors: Vec<(String, &Tensor)> =
            llama.parameters.iter().map(|(name, tensor)| (name.clone(), tensor)).collect();
        weights::save(folder, &tensors, kind)
    };
    written.map_err(|error| CheckpointError::of_writing(error, folder))?;
    let file = folder.join(weights_file(llama));
    hash_of(&file).map_err(|source| CheckpointError::Read { path: file, source })
}

/// The newest complete checkpoint below `checkpoints`.
pub fn latest(checkpoints: &Path) -> Option<PathBuf> {
    complete(checkpoints).pop()
}

/// Removes all but the newest `keep` checkpoints, and what killed runs left half-written or half-removed.
///
/// # Errors
/// Where the disk refuses.
pub fn prune(checkpoints: &Path, keep: usize) -> Result<(), CheckpointError> {
    let mut old = complete(checkpoints);
    old.truncate(old.len().saturating_sub(keep.max(1)));
    for path in old {
        // Aside first: what is half removed is no checkpoint.
        let aside = partial_of(&path);
        let moved = remove_if_there(&aside).and_then(|()| fs::rename(&path, &aside));
        moved.map_err(|source| CheckpointError::Write { path, source })?;
    }
    for path in entries(checkpoints).into_iter().filter(|path| name_of(path).ends_with(PARTIAL)) {
        fs::remove_dir_all(&path).map_err(|source| CheckpointError::Write { path, source })?;
    }
    Ok(())
}

/// The step of the oldest complete checkpoint below `checkpoints`.
pub fn oldest_step(checkpoints: &Path) -> Option<u32> {
    complete(checkpoints).first().and_then(|path| step_of(path))
}

/// The complete checkpoint of a step.
pub fn of_step(checkpoints: &Path, step: u32) -> Option<PathBuf> {
    complete(checkpoints).into_iter().find(|path| step_of(path) == Some(step))
}

/// Reads how far the run was.
///
/// # Errors
/// Where the file is missing or is not what `save` writes.
pub fn read_state(folder: &Path) -> Result<State, CheckpointError> {
    let path = folder.join(STATE_FILE);
    let bytes = fs::read(&path).map_err(|source| CheckpointError::Read { path: path.clone(), source })?;
    serde_json::from_slice(&bytes)
        .map_err(|error| CheckpointError::Damaged { path: folder.to_path_buf(), reason: error.to_string() })
}

/// Puts the moments of a checkpoint into an optimizer of the same parameters, or of a row of them. `plan` is the hash of the plan
/// that the run follows. Hashes are checked first.
///
/// # Errors
/// Where a moment is missing, a file is not the one that the state names, or the state is of another step or plan.
pub fn restore(folder: &Path, plan: &str, llama: &Llama, optimizer: &mut AdamW) -> Result<State, CheckpointError> {
    let damaged = |reason: String| CheckpointError::Damaged { path: folder.to_path_buf(), reason };
    let state = read_state(folder)?;
    if state.plan != plan || folder_name(state.step) != name_of(folder) {
        return Err(damaged("its state is that of another step or plan".into()));
    }
    if !state.baselines.values().all(|baseline| baseline.is_finite()) {
        return Err(damaged("a baseline in its state is no number".into()));
    }
    let moments_file = folder.join(OPTIMIZER_FOLDER).join(OPTIMIZER_FILE);
    for (what, file, named) in [
        ("weights", &folder.join(weights_file(llama)), &state.weights),
        ("optimizer's moments", &moments_file, &state.optimizer),
    ] {
        let found = hash_of(file).map_err(|source| CheckpointError::Read { path: file.clone(), source })?;
        if found != *named {
            return Err(damaged(format!("its {what} are not those that its state names")));
        }
    }
    if state.described.is_some() {
        let found = description_of(folder);
        let found = found.map_err(|source| CheckpointError::Read { path: folder.to_path_buf(), source })?;
        if state.described != Some(found) {
            return Err(damaged("its config or tokenizer is not the one that its state names".into()));
        }
    }
    // Where an optimizer holds a part of them, the device need not have room for all.
    let moments = weights::load_file(&moments_file, Device::Cpu)?;
    let moments_of = |which: &str| -> Result<Vec<Tensor>, CheckpointError> {
        let moment = |(name, parameter): &(String, Tensor)| {
            let name = format!("{which}.{name}");
            let found = moments.get(&name).filter(|moment| moment.size() == parameter.size());
            let found = found.map(|tensor| tensor.to_device(llama.device));
            found.ok_or_else(|| damaged(format!("it has no {name} of the parameter's shape")))
        };
        llama.parameters[optimizer.held()].iter().map(moment).collect()
    };
    let (first, second) = (moments_of("first")?, moments_of("second")?);
    optimizer.go_on(Moments { updates: state.updates, first, second });
    Ok(state)
}

/// The file that holds what is trained.
fn weights_file(llama: &Llama) -> &'static str {
    if llama.lora.is_some() { lora::WEIGHTS_FILE } else { weights::WEIGHTS_FILE }
}

fn folder_name(step: u32) -> String {
    format!("step-{step:06}")
}

/// Where a checkpoint is written, and where it is removed.
fn partial_of(checkpoint: &Path) -> PathBuf {
    checkpoint.with_file_name(format!(".{}{PARTIAL}", name_of(checkpoint)))
}

/// Complete checkpoints, oldest first.
fn complete(checkpoints: &Path) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = entries(checkpoints)
        .into_iter()
        .filter_map(|path| Some((step_of(&path).filter(|_| path.join(STATE_FILE).exists())?, path)))
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// The step whose checkpoint a folder is, by its name.
fn step_of(folder: &Path) -> Option<u32> {
    let step = name_of(folder).strip_prefix("step-")?.parse().ok()?;
    (folder_name(step) == name_of(folder)).then_some(step)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    found.sort();
    found
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn remove_if_there(folder: &Path) -> io::Result<()> {
    if folder.exists() { fs::remove_dir_all(folder) } else { Ok(()) }
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::write(path, bytes)?;
    File::open(path)?.sync_all()
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// blake3 of what says what a folder's weights are of.
fn description_of(folder: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    for name in weights::DESCRIBING {
        let path = folder.join(name);
        let file = if path.exists() { hash_of(&path)? } else { String::new() };
        hasher.update(name.as_bytes()).update(file.as_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn hash_of(path: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}
