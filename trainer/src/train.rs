//! A training run from its first evaluation to its last checkpoint.
//!
//! ```text
//! STORE/runs/NAME/
//!   recipe.toml, run.json        what the run is: the recipe as meant, the plan's hash, versions
//!   metrics.jsonl, timing.jsonl  a line a step: what happened, and how long it took
//!   tensorboard/                 the same as event files
//!   evaluation/*.json            random play, before, after, and after the steps in between
//!   checkpoints/step-NNNNNN/     Hugging Face-style folders
//! ```
//!
//! The episodes lie in the store. A run that was stopped, by Ctrl-C or by force, goes on from its newest checkpoint: the steps
//! behind that are made again, and come out the same.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use ludus_host::library::Library;
use ludus_host::store::{Store, StoreError, StoredEpisode};
use tch::Device;

use crate::chat::{Chat, ChatError};
use crate::checkpoint::{self, CheckpointError};
use crate::device::{self, DeviceError};
use crate::evaluate::{self, Evaluated, ReferenceError};
use crate::learner::{Learner, Progress, StepError};
use crate::metrics::{MetricsError, MetricsLog, StepMetrics};
use crate::model::{ModelError, import, llama::Llama};
use crate::plan::{Plan, PlanError};
use crate::rollout::RolloutError;
use crate::run::Run;
use crate::watch::{Clock, Phase, Timing, Watch};

/// Where a run happens and how it begins.
pub struct TrainOptions<'a> {
    pub library: &'a Library,
    pub store: PathBuf,
    /// The run's name: its folder below `runs/`, and the label of its episodes.
    pub name: String,
    pub resume: bool,
    /// Set by Ctrl-C: the step that is under way is finished and saved.
    pub stop: &'a AtomicBool,
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
}

/// Why a run cannot go on. Each is a sentence for people.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error(
        "there is a run {name} already ({}); add --resume to go on with it, or choose another name with --name",
        folder.display()
    )]
    RunExists { name: String, folder: PathBuf },
    #[error("there is no run {name} to resume in {}; leave --resume out to start it", folder.display())]
    NoSuchRun { name: String, folder: PathBuf },
    #[error("the run {name} was started with {difference}; give it the same, or choose another name with --name")]
    OtherPlan { name: String, difference: String },
    #[error("cannot write {}: {source}; choose another store with --store", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
    /// The same before anything was begun.
    #[error("cannot write {}: {source}; choose another store with --store", path.display())]
    NoPlace { path: PathBuf, source: std::io::Error },
    #[error("the run {name} is going on in another process: wait for it, or take another name with --name")]
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
}

/// Follows a plan to its end, or until it is stopped.
///
/// # Errors
/// See [`TrainError`]. What was saved before an error stays.
pub fn train(plan: &Plan, options: &TrainOptions<'_>, listener: &mut dyn Watch) -> Result<Outcome, TrainError> {
    let device = device::choose(plan.recipe.model.device)?;
    plan.check_memory(device)?;
    let base = import::resolve(&plan.recipe.model.source, &import::standard_cache()?)?;
    let run = Run::open(plan, options)?;
    device::set_threads(plan.recipe.model.threads);
    let newest = if options.resume { checkpoint::latest(&run.checkpoints()) } else { None };
    let mut learner = load(plan, newest.as_ref().unwrap_or(&base), &base, device)?;
    // The newest checkpoint, its weights' hash and its step.
    let mut saved = None;
    let mut steps_done = 0;
    if let Some(folder) = newest {
        let state = checkpoint::restore(&folder, &learner.llama, &mut learner.optimizer)?;
        steps_done = state.step;
        learner.baselines.values = state.baselines;
        listener.say(&format!("going on after step {steps_done}"));
        saved = Some((folder, state.weights, steps_done));
    }
    let mut store = Store::open(&options.store)?;
    for component in plan.components() {
        store.put_component(component.bytes())?;
    }
    let mut metrics = MetricsLog::open(&run.folder, steps_done)?;

    let random =
        run.evaluation("random", || Ok(Some(evaluate::reference(plan, options.library)?)))?.unwrap_or_default();
    let before = run.evaluation("before", || measure(&run, &learner, &mut store, 0, options.stop, listener))?;
    if let Some(before) = &before {
        metrics.evaluation(0, "before", before)?;
        listener.evaluated("before", before);
    }
    while steps_done < plan.recipe.steps && !options.stop.load(Ordering::Relaxed) {
        let (line, timing, episodes) = make_step(&run, &mut learner, steps_done, listener)?;
        steps_done += 1;
        // Episodes first: whatever a line of the metrics speaks of can be replayed.
        store.append(&episodes)?;
        metrics.append(&line, &timing)?;
        listener.step(&line, &timing);
        let last = steps_done == plan.recipe.steps || options.stop.load(Ordering::Relaxed);
        if last || is_due(plan.recipe.checkpoint.every, steps_done) {
            let (folder, weights) = run.save(plan, &base, &learner, steps_done)?;
            saved = Some((folder, weights, steps_done));
        }
        if !last && is_due(plan.recipe.evaluation.every, steps_done) {
            let name = format!("step-{steps_done:06}");
            let make = || measure(&run, &learner, &mut store, steps_done, options.stop, listener);
            if let Some(evaluated) = run.evaluation(&name, make)? {
                metrics.evaluation(steps_done, "during", &evaluated)?;
                listener.evaluated(&name, &evaluated);
            }
        }
    }
    // A stop may come after a step that was not the last one, and during an evaluation.
    let (checkpoint, weights) = match saved {
        Some((folder, weights, step)) if step == steps_done => (folder, weights),
        _ => run.save(plan, &base, &learner, steps_done)?,
    };
    let after = match steps_done < plan.recipe.steps {
        true => None,
        false => run.evaluation("after", || measure(&run, &learner, &mut store, steps_done, options.stop, listener))?,
    };
    let stopped = before.is_none() || after.is_none();
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    Ok(Outcome { folder: run.folder, checkpoint, weights, steps_done, stopped, random, before, after })
}

/// A learner with the weights of `folder` and the tokenizer of the base model.
fn load<'a>(plan: &'a Plan, folder: &Path, base: &Path, device: Device) -> Result<Learner<'a>, TrainError> {
    let compute = device::compute_kind(plan.recipe.model.precision, device);
    let llama = Llama::load(folder, device, compute)?;
    let (wanted, possible) = (plan.recipe.rollout.context_tokens, llama.config.max_positions);
    if i64::from(wanted) > possible {
        return Err(TrainError::ContextTooLong { wanted, possible });
    }
    let mut learner = Learner::new(plan, llama, Chat::open(base)?);
    if plan.recipe.algorithm.keeps_start() {
        let start = Llama::load(base, device, compute)?;
        learner.compare_with(tch::no_grad(|| start.weights()));
    }
    Ok(learner)
}

fn make_step(
    run: &Run,
    learner: &mut Learner<'_>,
    steps_done: u32,
    listener: &mut dyn Watch,
) -> Result<(StepMetrics, Timing, Vec<StoredEpisode>), TrainError> {
    let plan = learner.plan;
    let clock = Clock::start();
    let mut rollout_seconds = 0.0;
    let of = (plan.recipe.rollout.groups * plan.recipe.rollout.group_size) as usize;
    let mut step = learner.step(steps_done, &mut |progress| match progress {
        Progress::Rollout { episodes } => {
            rollout_seconds = clock.seconds();
            listener.progress(Phase::Rollout, episodes, of.max(episodes));
        }
        Progress::Update { packs, of } => listener.progress(Phase::Update, packs, of),
    })?;
    let line = StepMetrics::of(plan, steps_done + 1, &step);
    let timing = Timing::of(steps_done + 1, &step, rollout_seconds, clock.seconds());
    let trajectories = std::mem::take(&mut step.trajectories);
    let episodes = run.episodes(steps_done + 1, trajectories);
    Ok((line, timing, episodes))
}

/// Evaluates the learner and stores the episodes; none where it was stopped.
fn measure(
    run: &Run,
    learner: &Learner<'_>,
    store: &mut Store,
    step: u32,
    stop: &AtomicBool,
    listener: &mut dyn Watch,
) -> Result<Option<Vec<Evaluated>>, TrainError> {
    let of = learner.plan.sizes.evaluation_episodes as usize;
    let mut done = 0;
    let mut stored = Ok(());
    let evaluated = evaluate::evaluate(
        learner,
        stop,
        &mut |count| {
            done += count;
            listener.progress(Phase::Evaluation, done, of);
        },
        &mut |trajectories| {
            let episodes = run.episodes(step, trajectories);
            if stored.is_ok() {
                stored = store.append(&episodes);
            }
        },
    )?;
    stored?;
    Ok(evaluated)
}

fn is_due(every: u32, step: u32) -> bool {
    every > 0 && step.is_multiple_of(every)
}
