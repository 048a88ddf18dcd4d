//! Why a run cannot begin or go on.

use std::path::{Path, PathBuf};

use ludus_host::endpoint::EndpointError;
use ludus_host::store::StoreError;

use crate::chat::ChatError;
use crate::checkpoint::CheckpointError;
use crate::device::DeviceError;
use crate::evaluate::ReferenceError;
use crate::learner::StepError;
use crate::metrics::MetricsError;
use crate::model::ModelError;
use crate::plan::PlanError;
use crate::ranks::RanksError;
use crate::rollout::RolloutError;

/// Each is a sentence for people.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error(
        "there is a run {name} already ({}); add --resume to go on with it, or choose another name with --name",
        folder.display()
    )]
    RunExists { name: String, folder: PathBuf },
    #[error("there is no run {name} to resume in {}; leave --resume out to start it", folder.display())]
    NoSuchRun { name: String, folder: PathBuf },
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(
        "the run {name} was started with {difference}; give it the same ({}/recipe.toml), or move that folder away to begin \
         anew",
        folder.display()
    )]
    OtherPlan { name: String, difference: String, folder: PathBuf },
    #[error(
        "the run {name} began with another model than the one that is in {} now: put that back, or move {} away to begin anew",
        model.display(),
        folder.display()
    )]
    OtherModel { name: String, model: PathBuf, folder: PathBuf },
    #[error("{} cannot be read: {reason}; put back a copy of it, or move its folder away to begin anew", path.display())]
    Undescribed { path: PathBuf, reason: String },
    #[error(
        "the run in {} made {steps} steps and has no checkpoint left: put one back into its checkpoints/, or move that folder away to \
         begin anew",
        folder.display()
    )]
    NoCheckpoint { folder: PathBuf, steps: usize },
    #[error("cannot write {}: {source}; choose another store with --store", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
    /// The same before anything was begun.
    #[error("cannot write {}: {source}; choose another store with --store", path.display())]
    NoPlace { path: PathBuf, source: std::io::Error },
    #[error(
        "the {what} of step {step} is not finite: its batch is in {}; lower optimizer.learning_rate, or compute in float32 \
         (model.precision = \"float32\")",
        file.display()
    )]
    NotFinite { what: &'static str, step: u32, file: PathBuf },
    #[error("the run {name} is going on in another process: wait for it, or end that one")]
    RunBusy { name: String },
    #[error("rollout.context_tokens is {wanted}, but the model was made for at most {possible}; lower it")]
    ContextTooLong { wanted: u32, possible: i64 },
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Chat(#[from] ChatError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    #[error(transparent)]
    Rollout(#[from] RolloutError),
    #[error(transparent)]
    Step(#[from] StepError),
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    #[error(transparent)]
    Ranks(#[from] RanksError),
}

impl TrainError {
    /// The error of loading a checkpoint: a model folder that we wrote ourselves.
    pub(super) fn of_checkpoint(self, folder: &Path) -> TrainError {
        match self {
            TrainError::Model(error) => {
                CheckpointError::Damaged { path: folder.into(), reason: error.to_string() }.into()
            }
            other => other,
        }
    }
}
