//! Rolls out a step of a run again and compares it with what was kept of it: episodes and sampled tokens.
//!
//! A step's rollout is a function of the plan and of the weights before it. Those of step 1 are the base model's; those of
//! any other lie in the checkpoint of the step before, where there is one still. It is computed as the run was, on the same
//! kind of device, in the same number format and with as many threads, as far as this machine has them.
//!
//! What it does not do: the update. Nothing of the run is changed.

use std::fmt;
use std::path::{Path, PathBuf};

use ludus_host::drive;
use ludus_host::library::Library;
use ludus_host::task::Stage;
use serde::Serialize;

use crate::checkpoint::{self, CheckpointError};
use crate::device::{self, DeviceChoice, DeviceError};
use crate::learner::Progress;
use crate::made_with::{self, MadeWith};
use crate::model::{ModelError, import};
use crate::plan::{Plan, PlanError};
use crate::ranks::{Ranks, RanksError};
use crate::recipe::{Precision, read, read::RecipeError};
use crate::rollout::RolloutError;
use crate::run::{self, Description};
use crate::sampled::{self, Difference, SampledEpisode};
use crate::train::{self, TrainError};

/// What came of a replay.
#[derive(Debug, Serialize)]
pub struct Replayed {
    pub run: String,
    /// Counted from 1.
    pub step: u32,
    pub identical: bool,
    pub difference: Option<Difference>,
    /// Of the kept rollout.
    pub episodes: usize,
    pub sampled_tokens: usize,
    /// The folder of the weights.
    pub weights: PathBuf,
    pub made_with: Option<MadeWith>,
    pub replayed_with: MadeWith,
    /// The record of the episode that differs.
    #[serde(skip)]
    episode: Option<String>,
}

/// Why a step cannot be rolled out again. Each is one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("there is no run {name} in {}; name the store that has it with --store", folder.display())]
    NoSuchRun { name: String, folder: PathBuf },
    #[error("the run {name} has no step {step} that can be rolled out again; {}", possible(steps))]
    NoSuchStep { name: String, step: u32, steps: Vec<u32> },
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
    #[error(
        "the run {name} was made with other builds of its games; name the folder that has those with --games, or put back a \
         copy of its recipe.toml if that was edited"
    )]
    OtherGames { name: String },
    #[error("{} is not the recipe that the run {name} was made with; put back a copy of the file", path.display())]
    OtherRecipe { name: String, path: PathBuf },
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(
        "the run {name} played against endpoints, which may say something else today; `ludus replay` executes its episodes \
         from their records"
    )]
    Endpoints { name: String },
    #[error(transparent)]
    Rollout(#[from] RolloutError),
    #[error(transparent)]
    Ranks(#[from] RanksError),
}

/// Rolls out a step, counted from 1, of a run in a store. `progress` hears how many episodes of how many are done.
///
/// # Errors
/// See [`ReplayError`]. A rollout that differs is none.
pub fn replay(
    store: &Path,
    name: &str,
    step: u32,
    library: &Library,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Replayed, ReplayError> {
    let folder = run::folder(store, name);
    let no_run = || ReplayError::NoSuchRun { name: name.into(), folder: folder.clone() };
    let description = Description::read(&folder)?.ok_or_else(no_run)?;
    let steps = replayable(&folder);
    if !steps.contains(&step) {
        return Err(ReplayError::NoSuchStep { name: name.into(), step, steps });
    }
    let kept = kept_rollout(&run::rollout_file(&folder, step))?;
    let made_with = made_with::of_step(&description.made_with, step).cloned();

    let recipe = read::read(&folder.join(run::RECIPE).to_string_lossy(), &[])?;
    run::play_its_games(store, name, &recipe, library);
    let mut plan = Plan::from_recipe(recipe, library)?;
    if plan.hash.to_string() != description.plan {
        return Err(match has_its_games(&plan, &description) {
            true => ReplayError::OtherRecipe { name: name.into(), path: folder.join(run::RECIPE) },
            false => ReplayError::OtherGames { name: name.into() },
        });
    }
    if plan.tasks.iter().any(|planned| !drive::endpoints_of(&planned.task).is_empty()) {
        return Err(ReplayError::Endpoints { name: name.into() });
    }
    // Only the update looks at the model that training began with.
    plan.recipe.algorithm.log_kl = false;
    plan.recipe.algorithm.kl_weight = 0.0;
    let device = compute_as(&mut plan, made_with.as_ref())?;
    plan.check_memory(device)?;
    device::set_threads(plan.recipe.model.threads);
    let base = import::resolve(&plan.recipe.model.source, &import::standard_cache()?)?;
    let checkpoint = weights_before(&folder, step);
    let weights = checkpoint.clone().unwrap_or_else(|| base.clone());
    let mut learner = train::load(&plan, &weights, &base, device)?;
    if let Some(checkpoint) = checkpoint {
        checkpoint::restore(&checkpoint, &plan.hash.to_string(), &learner.llama, &mut learner.optimizer)?;
    }
    train::add_opponents(&mut learner, plan.tasks.iter().map(|planned| &planned.task))?;
    train::past::recall(&mut learner, &folder, &base, step - 1)?;
    // One process plays what each of several ranks played, in batches like theirs.
    let ranks = made_with.as_ref().map_or(1, |made_with| made_with.ranks);
    learner.join(Ranks::alone_as(ranks))?;
    let rolled_out = learner.roll_out(step - 1, &mut |done| {
        if let Progress::Rollout { episodes } = done {
            progress(episodes, kept.len().max(episodes));
        }
    })?;
    let now: Vec<SampledEpisode> = rolled_out.trajectories.iter().map(SampledEpisode::of).collect();
    let difference = sampled::difference(&kept, &now, &|id| learner.chat.decode_all(&[id]));
    let compute = device::compute_kind(plan.recipe.model.precision, device);
    Ok(Replayed {
        run: name.into(),
        step,
        identical: difference.is_none(),
        episode: difference.as_ref().and_then(|found| kept.get(found.episode - 1)).map(|kept| kept.episode.clone()),
        difference,
        episodes: kept.len(),
        sampled_tokens: kept.iter().map(SampledEpisode::tokens).sum(),
        weights,
        made_with,
        replayed_with: MadeWith { ranks, ..MadeWith::here(library, device, compute, step) },
    })
}

/// Whether a plan plays nothing but the games of the run that is described, as they were then.
fn has_its_games(plan: &Plan, described: &Description) -> bool {
    let trained = plan.tasks.iter().map(|planned| &planned.task);
    let mut tasks = trained.chain(plan.evaluations.iter().flat_map(|planned| &planned.tasks));
    let is_its = |stage: &Stage| described.games.iter().any(|game| game.component == stage.component.hash.to_string());
    tasks.all(|task| task.stages().iter().all(is_its))
}

/// The steps of a run that can be rolled out again: what they sampled was kept, and so were the weights before them.
fn replayable(folder: &Path) -> Vec<u32> {
    let has_weights = |&step: &u32| step == 1 || weights_before(folder, step).is_some();
    run::rollouts(folder).into_iter().filter(has_weights).collect()
}

/// The checkpoint from before a step; None also of the first, which began with the base model.
fn weights_before(folder: &Path, step: u32) -> Option<PathBuf> {
    checkpoint::of_step(&run::checkpoints(folder), step - 1)
}

fn kept_rollout(file: &Path) -> Result<Vec<SampledEpisode>, ReplayError> {
    let text = ludus_host::regular_file::read_text(file, u64::MAX).map_err(|error| error.to_string());
    let kept = text.and_then(|text| sampled::from_lines(&text).map_err(|error| error.to_string()));
    kept.map_err(|reason| ReplayError::Unreadable { path: file.into(), reason })
}

/// Makes a plan compute as its step was computed, as far as this machine can.
fn compute_as(plan: &mut Plan, made_with: Option<&MadeWith>) -> Result<tch::Device, DeviceError> {
    let model = &mut plan.recipe.model;
    let Some(made_with) = made_with else { return device::choose(model.device) };
    model.threads = made_with.threads;
    model.precision = if made_with.precision == "float32" { Precision::Float32 } else { Precision::Bfloat16 };
    let same = made_with.device.parse().and_then(device::choose);
    same.or_else(|_| device::choose(DeviceChoice::Auto))
}

fn possible(steps: &[u32]) -> String {
    let numbers: Vec<String> = steps.iter().map(u32::to_string).collect();
    match numbers.as_slice() {
        [] => "none of its steps can, before the first is done".into(),
        [only] => format!("step {only} can (another needs the checkpoint of the step before it)"),
        [earlier @ .., last] => {
            let earlier = earlier.join(", ");
            format!("steps {earlier} and {last} can (another needs the checkpoint of the step before it)")
        }
    }
}

/// Lines for people: the verdict, and where the rollouts part.
impl fmt::Display for Replayed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Replayed { run, step, episodes, sampled_tokens, weights, replayed_with, .. } = self;
        let verdict = if self.identical { "is identical" } else { "differs" };
        writeln!(formatter, "step {step} of {run} {verdict}: {episodes} episodes, {sampled_tokens} sampled tokens")?;
        writeln!(formatter, "weights      {}", weights.display())?;
        if let Some(Difference { episode: number, what, .. }) = &self.difference {
            writeln!(formatter, "episode {number:<4} {what}")?;
            // An episode more than was kept has none.
            if let Some(hash) = &self.episode {
                writeln!(formatter, "record       {hash}")?;
            }
        }
        // Where all was the same it says nothing; where something was not, it may be why.
        if let Some(made_with) = self.made_with.as_ref().filter(|made_with| !made_with.is_like(replayed_with)) {
            writeln!(formatter, "made with    {made_with}")?;
            writeln!(formatter, "replayed     {replayed_with}")?;
        }
        Ok(())
    }
}
