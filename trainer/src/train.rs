//! A training run from its first evaluation to its last checkpoint.
//!
//! ```text
//! STORE/runs/NAME/
//!   recipe.toml, run.json        what the run is: the recipe as meant, the plan's hash, games, and what made it
//!   metrics.jsonl, timing.jsonl  a line a step: what happened, and how long it took
//!   rollouts/step-NNNNNN.jsonl   what each step sampled, for `ludus-train replay`
//!   tensorboard/                 the same as event files
//!   evaluation/*.json            random play, before, after, and after the steps in between
//!   checkpoints/step-NNNNNN/     Hugging Face-style folders
//!   past/step-NNNNNN/            the learner as it was, where it plays against its past
//!   suspect/step-NNNNNN.jsonl    the batch of a step whose loss or gradient was not finite
//! ```
//!
//! The episodes lie in the store. A run that was stopped, by Ctrl-C or by force, goes on from its newest checkpoint: the steps
//! behind that are made again, and come out the same. So does an evaluation that was not finished.

mod books;
pub mod endpoints;
mod error;
mod life;
pub mod past;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ludus_host::endpoint::Calls;
use ludus_host::library::Library;
use ludus_host::player::Player;
use ludus_host::task::Task;
use tch::Device;

use self::books::Books;
use self::endpoints::Tallies;
pub use self::error::TrainError;
use self::life::Life;

use crate::chat::Chat;
use crate::checkpoint;
use crate::device;
use crate::evaluate::Evaluated;
use crate::learner::Learner;
use crate::made_with::MadeWith;
use crate::model::llama::Llama;
use crate::model::lora::{self, Lora};
use crate::model::{ModelError, import};
use crate::opponents::Frozen;
use crate::plan::Plan;
use crate::ranks::{Place, Ranks};
use crate::run::{self, Run};
use crate::watch::Watch;

/// Where a run happens and how it begins.
pub struct TrainOptions<'a> {
    pub library: &'a Library,
    pub store: PathBuf,
    /// The run's name: its folder below `runs/`, and the label of its episodes.
    pub name: String,
    pub resume: bool,
    /// Set by Ctrl-C: the step that is under way is finished and saved.
    pub stop: &'a AtomicBool,
    /// The place of this process among the ranks of the run; none where it works alone.
    pub place: Option<Place>,
}

/// How a run ended.
pub struct Outcome {
    pub folder: PathBuf,
    pub checkpoint: PathBuf,
    /// blake3 of the checkpoint's `model.safetensors`.
    pub weights: String,
    pub steps_done: u32,
    /// Whether it was stopped before its last step.
    pub stopped: bool,
    pub random: Vec<Evaluated>,
    pub before: Vec<Evaluated>,
    /// Empty where the run was stopped.
    pub after: Vec<Evaluated>,
    /// What servers answered since the program began.
    pub endpoints: Tallies,
}

/// Follows a plan to its end, or until it is stopped. Of several ranks all come to the same outcome, and the first one writes
/// and tells.
///
/// # Errors
/// See [`TrainError`]. What was saved before an error stays.
pub fn train(plan: &Plan, options: &TrainOptions<'_>, listener: &mut dyn Watch) -> Result<Outcome, TrainError> {
    let place = options.place.as_ref();
    let (ranks, local_rank, local_ranks) =
        place.map_or((1, 0, 1), |place| (place.ranks, place.local_rank, place.local_ranks));
    let device = device::choose_of_rank(plan.recipe.model.device, local_rank)?;
    plan.check_memory_of_rank(device, ranks, local_ranks)?;
    device::set_threads_of_rank(plan.recipe.model.threads, local_ranks);
    let ranks = Ranks::meet(place, device)?;
    let outcome = follow(plan, options, device, &ranks, listener)?;
    ranks.leave();
    Ok(outcome)
}

/// What [`train`] does once the ranks are together.
fn follow(
    plan: &Plan,
    options: &TrainOptions<'_>,
    device: Device,
    ranks: &Ranks,
    listener: &mut dyn Watch,
) -> Result<Outcome, TrainError> {
    let begun = || -> Result<_, TrainError> {
        let base = import::resolve(&plan.recipe.model.source, &import::standard_cache()?)?;
        let run = ranks.is_first().then(|| Run::open(plan, options, &base)).transpose()?;
        Ok((base, run))
    };
    let (base, run) = ranks.agree(begun())?;
    let newest = run.as_ref().filter(|_| options.resume).and_then(|run| checkpoint::latest(&run.checkpoints()));
    // All read it, and so from a disk that all have.
    let newest = ranks.of_first(newest)?;
    let mut learner = ranks.agree(match &newest {
        Some(folder) => load(plan, folder, &base, device).map_err(|error| error.of_checkpoint(folder)),
        None => load(plan, &base, &base, device),
    })?;
    learner.join(ranks.clone())?;
    // The newest checkpoint, its weights' hash and its step.
    let mut saved = None;
    let mut steps_done = 0;
    if let Some(folder) = newest {
        let restored = checkpoint::restore(&folder, &plan.hash.to_string(), &learner.llama, &mut learner.optimizer);
        let state = ranks.agree(restored.map_err(TrainError::from))?;
        steps_done = state.step;
        learner.baselines.values = state.baselines;
        listener.say(&format!("going on after step {steps_done}"));
        saved = Some((folder, state.weights, steps_done));
    }
    ranks.agree(add_opponents(&mut learner, plan.all_tasks()))?;
    let compute = device::compute_kind(plan.recipe.model.precision, device);
    let made_with =
        MadeWith { ranks: ranks.count(), ..MadeWith::here(options.library, device, compute, steps_done + 1) };
    let begun = || -> Result<_, TrainError> {
        let Some(run) = run else { return Ok(None) };
        run.check_begun(plan, steps_done)?;
        run.begin(plan, made_with)?;
        Books::open(run, plan, options, steps_done).map(Some)
    };
    let books = ranks.agree(begun())?;
    let run_folder = run::folder(&options.store, &options.name);
    ranks.agree(past::recall(&mut learner, &run_folder, &base, steps_done))?;
    let mut life = Life::new(books, ranks, options.stop)?;

    let random = life.random(plan, options.library)?;
    let before = life.evaluation(&learner, ("before", "before"), 0, listener)?;
    if let Some(before) = &before {
        listener.evaluated("before", before);
    }
    let is_spent = |life: &Life<'_>| {
        let most = plan.recipe.sampled_tokens_max;
        most > 0 && life.sampled_tokens >= most
    };
    while steps_done < plan.recipe.steps && !is_spent(&life) {
        // At the beginning of the step after it, so that a run that was killed meanwhile makes it up.
        if steps_done > 0 && is_due(plan.recipe.evaluation.every, steps_done) {
            let name = run::evaluated_after(steps_done);
            if let Some(evaluated) = life.evaluation(&learner, (&name, "during"), steps_done, listener)? {
                listener.evaluated(&name, &evaluated);
            }
        }
        if life.is_stopped()? {
            break;
        }
        life.step(&mut learner, steps_done, listener)?;
        steps_done += 1;
        past::remember(&mut learner, &run_folder, &base, steps_done, ranks.is_first())?;
        let last = steps_done == plan.recipe.steps || is_spent(&life) || life.is_stopped()?;
        if last || is_due(plan.recipe.checkpoint.every, steps_done) {
            let (folder, weights) = life.save(&base, &learner, steps_done)?;
            saved = Some((folder, weights, steps_done));
        }
    }
    // A stop may come after a step that was not the last one, and during an evaluation.
    let (checkpoint, weights) = match saved {
        Some((folder, weights, step)) if step == steps_done => (folder, weights),
        _ => life.save(&base, &learner, steps_done)?,
    };
    let after = match steps_done < plan.recipe.steps && !is_spent(&life) {
        true => None,
        false => life.evaluation(&learner, ("after", "after"), steps_done, listener)?,
    };
    let stopped = before.is_none() || after.is_none();
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    let endpoints = life.endpoints;
    Ok(Outcome { folder: run_folder, checkpoint, weights, steps_done, stopped, random, before, after, endpoints })
}

/// A learner with the weights of `folder`, which is `base` itself or a checkpoint, and the tokenizer of the base model.
///
/// # Errors
/// Where a file is missing or damaged, or the model was made for shorter conversations than the plan's.
pub fn load<'a>(plan: &'a Plan, folder: &Path, base: &Path, device: Device) -> Result<Learner<'a>, TrainError> {
    let llama = llama_of(plan, folder, base, device)?;
    check_context(plan, &llama)?;
    let compute = llama.compute;
    let mut learner = Learner::new(plan, llama, Chat::open(base)?);
    if plan.recipe.algorithm.keeps_start() {
        let start = match &learner.llama.lora {
            Some(_) => tch::no_grad(|| learner.llama.base_weights()),
            None => tch::no_grad(|| Llama::load(base, device, compute).map(|start| start.weights()))?,
        };
        learner.compare_with(start);
    }
    Ok(learner)
}

/// A learner that plays and does not learn: a model as it lies in `folder`, adapters merged.
///
/// # Errors
/// As [`load`].
pub fn load_to_play<'a>(plan: &'a Plan, folder: &Path, device: Device) -> Result<Learner<'a>, TrainError> {
    let llama = Llama::load(folder, device, device::compute_kind(plan.recipe.model.precision, device))?;
    check_context(plan, &llama)?;
    Ok(Learner::new(plan, llama, Chat::open(folder)?))
}

fn check_context(plan: &Plan, llama: &Llama) -> Result<(), TrainError> {
    let (wanted, possible) = (plan.recipe.rollout.context_tokens, llama.config.max_positions);
    if i64::from(wanted) > possible { Err(TrainError::ContextTooLong { wanted, possible }) } else { Ok(()) }
}

/// The network of `folder`, with adapters beside `base` where the plan trains these.
fn llama_of(plan: &Plan, folder: &Path, base: &Path, device: Device) -> Result<Llama, TrainError> {
    let compute = device::compute_kind(plan.recipe.model.precision, device);
    Ok(match plan.recipe.lora.adapters() {
        Some(lora) => with_adapters(lora, plan.recipe.seed, folder, Llama::load_frozen(base, device, compute)?)?,
        None => Llama::load(folder, device, compute)?,
    })
}

/// Loads the models that sit in some tasks and do not learn, and opens the endpoints that do. Nobody is asked yet, and of others no
/// file and no key is looked for.
///
/// # Errors
/// Where a model cannot be loaded, or was made for shorter conversations than the plan's; where an endpoint is not described
/// rightly, or its key is missing.
pub fn add_opponents<'a>(
    learner: &mut Learner<'_>,
    tasks: impl Iterator<Item = &'a Arc<Task>>,
) -> Result<(), TrainError> {
    let seated: Vec<&Player> = tasks.flat_map(|task| task.stages()).flat_map(|stage| &stage.others).collect();
    let (device, compute) = (learner.llama.device, learner.llama.compute);
    let recipe = &learner.plan.recipe;
    for (name, model) in &recipe.models {
        if !seated.iter().any(|player| matches!(player, Player::Model(seated) if seated == name)) {
            continue;
        }
        let folder = import::resolve(&model.source, &import::standard_cache()?)?;
        let llama = Llama::load(&folder, device, compute)?;
        check_context(learner.plan, &llama)?;
        let (weights, chat) = (llama.snapshot(), Chat::open(&folder)?);
        learner.opponents.add(Frozen { name: name.clone(), llama, weights, chat });
    }
    let mut endpoints = recipe.endpoints.clone();
    endpoints
        .retain(|name, _| seated.iter().any(|player| matches!(player, Player::Endpoint(seated) if seated == name)));
    if !endpoints.is_empty() {
        learner.opponents.call(Calls::open(&endpoints)?);
    }
    Ok(())
}

/// A frozen network with the adapters of `folder`, or new ones where it has none.
fn with_adapters(lora: Lora, seed: u64, folder: &Path, base: Llama) -> Result<Llama, ModelError> {
    let tensors = match lora::read(folder, base.device)? {
        Some(adapters) => adapters.tensors,
        None => lora.begin(&base.config, seed, base.device),
    };
    base.with_adapters(lora, tensors)
}

fn is_due(every: u32, step: u32) -> bool {
    every > 0 && step.is_multiple_of(every)
}
