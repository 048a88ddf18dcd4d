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
//!   suspect/step-NNNNNN.jsonl    the batch of a step whose loss or gradient was not finite
//! ```
//!
//! The episodes lie in the store. A run that was stopped, by Ctrl-C or by force, goes on from its newest checkpoint: the steps
//! behind that are made again, and come out the same. So does an evaluation that was not finished.

mod error;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use ludus_host::library::Library;
use ludus_host::store::Store;
use tch::Device;

pub use self::error::TrainError;

use crate::chat::Chat;
use crate::checkpoint;
use crate::device;
use crate::evaluate::{self, Evaluated};
use crate::learner::{Learner, Progress, StepError};
use crate::made_with::MadeWith;
use crate::metrics::{MetricsLog, StepMetrics};
use crate::model::llama::Llama;
use crate::model::lora::{self, Lora};
use crate::model::{ModelError, import};
use crate::plan::Plan;
use crate::run::Run;
use crate::sampled::SampledEpisode;
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
    let mut learner = match &newest {
        Some(folder) => load(plan, folder, &base, device).map_err(|error| error.of_checkpoint(folder))?,
        None => load(plan, &base, &base, device)?,
    };
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
    let compute = device::compute_kind(plan.recipe.model.precision, device);
    run.begin(plan, MadeWith::here(options.library, device, compute, steps_done + 1))?;
    let mut books = Books::open(run, plan, options, steps_done)?;

    let random =
        books.run.evaluation("random", || Ok(Some(evaluate::reference(plan, options.library)?)))?.unwrap_or_default();
    let before = books.evaluation(&learner, ("before", "before"), 0, listener)?;
    if let Some(before) = &before {
        listener.evaluated("before", before);
    }
    while steps_done < plan.recipe.steps {
        // At the beginning of the step after it, so that a run that was killed meanwhile makes it up.
        if steps_done > 0 && is_due(plan.recipe.evaluation.every, steps_done) {
            let name = format!("step-{steps_done:06}");
            if let Some(evaluated) = books.evaluation(&learner, (&name, "during"), steps_done, listener)? {
                listener.evaluated(&name, &evaluated);
            }
        }
        if options.stop.load(Ordering::Relaxed) {
            break;
        }
        books.step(&mut learner, steps_done, listener)?;
        steps_done += 1;
        let last = steps_done == plan.recipe.steps || options.stop.load(Ordering::Relaxed);
        if last || is_due(plan.recipe.checkpoint.every, steps_done) {
            let (folder, weights) = books.run.save(plan, &base, &learner, steps_done)?;
            saved = Some((folder, weights, steps_done));
        }
    }
    // A stop may come after a step that was not the last one, and during an evaluation.
    let (checkpoint, weights) = match saved {
        Some((folder, weights, step)) if step == steps_done => (folder, weights),
        _ => books.run.save(plan, &base, &learner, steps_done)?,
    };
    let after = match steps_done < plan.recipe.steps {
        true => None,
        false => books.evaluation(&learner, ("after", "after"), steps_done, listener)?,
    };
    let stopped = before.is_none() || after.is_none();
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    Ok(Outcome { folder: books.run.folder, checkpoint, weights, steps_done, stopped, random, before, after })
}

/// A learner with the weights of `folder`, which is `base` itself or a checkpoint, and the tokenizer of the base model.
///
/// # Errors
/// Where a file is missing or damaged, or the model was made for shorter conversations than the plan's.
pub fn load<'a>(plan: &'a Plan, folder: &Path, base: &Path, device: Device) -> Result<Learner<'a>, TrainError> {
    let compute = device::compute_kind(plan.recipe.model.precision, device);
    let llama = match plan.recipe.lora.adapters() {
        Some(lora) => with_adapters(lora, plan.recipe.seed, folder, Llama::load_frozen(base, device, compute)?)?,
        None => Llama::load(folder, device, compute)?,
    };
    let (wanted, possible) = (plan.recipe.rollout.context_tokens, llama.config.max_positions);
    if i64::from(wanted) > possible {
        return Err(TrainError::ContextTooLong { wanted, possible });
    }
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

/// A frozen network with the adapters of `folder`, or new ones where it has none.
fn with_adapters(lora: Lora, seed: u64, folder: &Path, base: Llama) -> Result<Llama, ModelError> {
    let tensors = match lora::read(folder, base.device)? {
        Some(adapters) => adapters.tensors,
        None => lora.begin(&base.config, seed, base.device),
    };
    base.with_adapters(lora, tensors)
}

/// Where a run that goes on writes down what happens.
struct Books<'a> {
    run: Run,
    store: Store,
    metrics: MetricsLog,
    stop: &'a AtomicBool,
}

impl<'a> Books<'a> {
    /// Of a run of which `steps_done` steps stay.
    fn open(run: Run, plan: &Plan, options: &TrainOptions<'a>, steps_done: u32) -> Result<Books<'a>, TrainError> {
        let store = Store::open(&options.store)?;
        for component in plan.components() {
            store.put_component(component.bytes())?;
        }
        let metrics = MetricsLog::open(&run.folder, steps_done)?;
        Ok(Books { run, store, metrics, stop: options.stop })
    }

    /// Makes a step, counted from 0, and writes it down.
    fn step(&mut self, learner: &mut Learner<'_>, step: u32, listener: &mut dyn Watch) -> Result<(), TrainError> {
        let plan = learner.plan;
        let clock = Clock::start();
        let mut rollout_seconds = 0.0;
        let of = (plan.recipe.rollout.groups * plan.recipe.rollout.group_size) as usize;
        let made = learner.step(step, &mut |progress| match progress {
            Progress::Rollout { episodes } => {
                rollout_seconds = clock.seconds();
                listener.progress(Phase::Rollout, episodes, of.max(episodes));
            }
            Progress::Update { packs, of } => listener.progress(Phase::Update, packs, of),
        });
        let made = match made {
            Err(StepError::NotFinite { what, step, batch }) => {
                let file = self.run.write_suspects(step, &batch)?;
                return Err(TrainError::NotFinite { what, step, file });
            }
            made => made?,
        };
        let number = step + 1;
        let line = StepMetrics::of(plan, number, &made);
        let timing = Timing::of(number, &made, rollout_seconds, clock.seconds());
        let sampled: Vec<SampledEpisode> = made.trajectories.iter().map(SampledEpisode::of).collect();
        // The metrics last: whatever a line of them speaks of can be replayed.
        self.store.append(&self.run.episodes(number, made.trajectories))?;
        self.run.write_rollout(number, &sampled)?;
        self.metrics.append(&line, &timing)?;
        listener.step(&line, &timing);
        Ok(())
    }

    /// The evaluation of this name after a step: as it was written down, or made now. `when` is its name among the metrics.
    /// None where it was stopped.
    fn evaluation(
        &mut self,
        learner: &Learner<'_>,
        (name, when): (&str, &str),
        step: u32,
        listener: &mut dyn Watch,
    ) -> Result<Option<Vec<Evaluated>>, TrainError> {
        let Books { run, store, metrics, stop } = self;
        run.evaluation(name, || {
            let made = measure(run, learner, store, step, stop, listener)?;
            if let Some(made) = &made {
                metrics.evaluation(step, when, made)?;
            }
            Ok(made)
        })
    }
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
