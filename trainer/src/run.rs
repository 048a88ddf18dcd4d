//! The folder of a run: what lies in it, and when it may be used.

mod description;

pub use self::description::{Description, Game};

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ludus_host::library::Library;
use ludus_host::regular_file;
use ludus_host::store::{Labels, Store, StoredEpisode};
use serde_json::json;

use crate::checkpoint;
use crate::evaluate::Evaluated;
use crate::learner::Learner;
use crate::made_with::{self, MadeWith};
use crate::metrics;
use crate::model::weights;
use crate::optimizer::Moments;
use crate::plan::{self, Plan};
use crate::recipe::{Recipe, read};
use crate::rollout::Trajectory;
use crate::sampled::{self, SampledEpisode};
use crate::suspect::{self, Suspect};
use crate::train::{TrainError, TrainOptions, past};
use crate::watch;

/// The recipe of a run, in its folder.
pub const RECIPE: &str = "recipe.toml";

/// What a run consists of, in its folder. Where it is, the run was begun.
pub const DESCRIPTION: &str = description::FILE;

/// The folder of a run in a store.
pub fn folder(store: &Path, name: &str) -> PathBuf {
    store.join("runs").join(name)
}

/// The checkpoints in the folder of a run.
pub fn checkpoints(folder: &Path) -> PathBuf {
    folder.join("checkpoints")
}

/// What a step sampled, in the folder of a run. Steps count from 1.
pub fn rollout_file(folder: &Path, step: u32) -> PathBuf {
    folder.join(format!("rollouts/step-{step:06}.jsonl"))
}

/// The steps whose rollouts are in the folder of a run, ascending.
pub fn rollouts(folder: &Path) -> Vec<u32> {
    let step_of = |name: &str| name.strip_prefix("step-")?.strip_suffix(".jsonl")?.parse().ok();
    let names = fs::read_dir(folder.join("rollouts")).map(|entries| entries.flatten().map(|entry| entry.file_name()));
    let mut steps: Vec<u32> = names.into_iter().flatten().filter_map(|name| step_of(&name.to_string_lossy())).collect();
    steps.sort_unstable();
    steps
}

/// Whether the run of this folder was begun.
pub fn is_begun(folder: &Path) -> bool {
    folder.join(description::FILE).exists()
}

/// Whether the run of this folder was followed to its end, its last evaluation included.
pub fn is_done(folder: &Path) -> bool {
    folder.join(evaluation_file("after")).exists()
}

/// The evaluation of this name in the folder of a run, where it was written down.
///
/// # Errors
/// Where it cannot be read.
pub fn read_evaluation(folder: &Path, name: &str) -> Result<Option<Vec<Evaluated>>, TrainError> {
    let path = folder.join(evaluation_file(name));
    let text = match regular_file::read_text(&path, u64::MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|error| error.to_string()),
    };
    let read = text.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
    read.map(Some).map_err(|reason| TrainError::Undescribed { path, reason })
}

/// Sees to it that the run of this folder followed a plan.
///
/// # Errors
/// Where it followed another one, or is not described.
pub fn check_plan(folder: &Path, name: &str, plan: &Plan) -> Result<(), TrainError> {
    match Description::read(folder)? {
        Some(known) if known.plan == plan.hash.to_string() => Ok(()),
        Some(_) => Err(other_plan(plan, name, folder)),
        None => {
            let path = folder.join(description::FILE);
            Err(TrainError::Undescribed { path, reason: "it is not there".into() })
        }
    }
}

/// Has a library play the games that a run began with, as the store has them, whatever was built under their names since: a build
/// of the same sources may come to other bytes. Those that the store has not stay what they are, and the plan's hash will tell.
pub fn play_its_games(store: &Path, name: &str, recipe: &Recipe, library: &Library) {
    let (Ok(Some(known)), Ok(store)) = (Description::read(&folder(store, name)), Store::open_read_only(store)) else {
        return;
    };
    for stage in &recipe.stages {
        let stem = Path::new(&stage.game).file_stem().unwrap_or_default();
        let of_the_run = known.games.iter().find(|game| stem == game.name.as_str());
        let hash = of_the_run.and_then(|game| game.component.parse().ok());
        if let Some(bytes) = hash.and_then(|hash| store.component(&hash).ok())
            && let Err(error) = library.play_instead(&stage.game, bytes)
        {
            tracing::debug!(%error, "a game of the run cannot be played any more");
        }
    }
}

/// Held by the process that works in the folder of a run.
const LOCK: &str = "lock";
/// Longer than a look at the lock takes.
const LOOK_MS: u64 = 200;

/// Whether a process works in the folder of a run.
pub fn is_busy(folder: &Path) -> bool {
    let lock = File::open(folder.join(LOCK));
    // A lock that is got is let go at once. Whoever wants the folder meanwhile asks again: see `lock`.
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// A run that may be written to.
pub struct Run {
    pub folder: PathBuf,
    name: String,
    engine: String,
    plan_hash: String,
    model_hash: String,
    /// With what the run was made so far.
    made_with: Vec<MadeWith>,
    /// Held as long as the run goes on; the system lets it go however the program ends.
    _lock: File,
}

impl Run {
    /// Makes the folder of a new run, or finds that of a run to be resumed. Nothing that is there is written over. `base` is the
    /// folder of the model that training begins with.
    ///
    /// # Errors
    /// Where a new run's name is taken, a run to be resumed is not there or followed another plan or began with another model, or
    /// the folder cannot be written.
    pub fn open(plan: &Plan, options: &TrainOptions<'_>, base: &Path) -> Result<Run, TrainError> {
        let folder = folder(&options.store, &options.name);
        let name = options.name.clone();
        if options.resume && !folder.join(description::FILE).exists() {
            refuse_remains(&folder)?;
            return Err(TrainError::NoSuchRun { name, folder });
        }
        let lock = lock(&name, &folder)?;
        let plan_hash = plan.hash.to_string();
        let model_hash = weights::hash(base)?.to_string();
        let made_with = match (options.resume, Description::read(&folder)?) {
            (false, Some(_)) => return Err(TrainError::RunExists { name, folder }),
            (true, None) => return Err(TrainError::NoSuchRun { name, folder }),
            (true, Some(known)) if known.plan != plan_hash => return Err(other_plan(plan, &name, &folder)),
            (true, Some(known)) if known.model != model_hash => {
                return Err(TrainError::OtherModel { name, model: base.into(), folder });
            }
            (true, Some(known)) => known.made_with,
            (false, None) => Vec::new(),
        };
        for path in ["checkpoints", "evaluation", "rollouts"].map(|name| folder.join(name)) {
            let usable = fs::create_dir_all(&path).and_then(|()| try_to_write(&path));
            usable.map_err(|source| TrainError::NoPlace { path, source })?;
        }
        if !options.resume {
            refuse_remains(&folder)?;
        }
        let engine = options.library.engine_fingerprint();
        Ok(Run { folder, name, engine, plan_hash, model_hash, made_with, _lock: lock })
    }

    /// Writes down what the run is, and with what it goes on. From now on it can be resumed.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn begin(&self, plan: &Plan, now: MadeWith) -> Result<(), TrainError> {
        // What a killed process left.
        checkpoint::prune(&self.checkpoints(), plan.recipe.checkpoint.keep as usize)?;
        // Steps that are made again may come out otherwise, on another device or by another number of ranks.
        let rollouts = rollouts(&self.folder).into_iter().filter(|&step| step >= now.from_step);
        let mut outdated: Vec<PathBuf> = rollouts.map(|step| rollout_file(&self.folder, step)).collect();
        let steps = metrics::read(&self.folder)?.len() as u32;
        outdated.extend((now.from_step..=steps).map(|step| self.folder.join(evaluation_file(&evaluated_after(step)))));
        if steps >= now.from_step {
            outdated.push(self.folder.join(evaluation_file("after")));
        }
        for path in outdated.into_iter().filter(|path| path.exists()) {
            fs::remove_file(&path).map_err(|source| TrainError::Unwritable { path, source })?;
        }
        let recipe = read::write(&plan.recipe).map_err(|error| TrainError::Unwritable {
            path: self.folder.join(RECIPE),
            source: std::io::Error::other(error),
        })?;
        self.write(RECIPE, &recipe)?;
        let description = Description {
            run: self.name.clone(),
            plan: self.plan_hash.clone(),
            model: self.model_hash.clone(),
            games: plan.components().map(Game::from).collect(),
            made_with: made_with::going_on(self.made_with.clone(), now),
        };
        // Last, because it says that the run was begun.
        self.write(description::FILE, &pretty(&json!(description))).map(drop)
    }

    pub fn checkpoints(&self) -> PathBuf {
        checkpoints(&self.folder)
    }

    /// The evaluation of this name, where it was written down: of all that are planned.
    ///
    /// # Errors
    /// Where it cannot be read, or is one of another plan.
    pub fn evaluation(&self, name: &str, planned: &[&str]) -> Result<Option<Vec<Evaluated>>, TrainError> {
        let Some(known) = read_evaluation(&self.folder, name)? else { return Ok(None) };
        if known.iter().map(|one| &one.name).eq(planned) {
            return Ok(Some(known));
        }
        let path = self.folder.join(evaluation_file(name));
        Err(TrainError::Undescribed { path, reason: "it does not have every evaluation of the plan".into() })
    }

    /// Sees to it that a run which goes on after so many steps still has what it cannot make again: the evaluation before the first
    /// step, and, where it goes on from the beginning, checkpoints that it must have had.
    ///
    /// # Errors
    /// Where something is gone.
    pub fn check_begun(&self, plan: &Plan, steps_done: u32) -> Result<(), TrainError> {
        if steps_done > 0 {
            let path = self.folder.join(evaluation_file("before"));
            let reason = format!("it is not there, and {steps_done} steps were made");
            return if path.exists() { Ok(()) } else { Err(TrainError::Undescribed { path, reason }) };
        }
        // The step of a checkpoint is written down before the checkpoint is.
        let (steps, every) = (metrics::read(&self.folder)?.len(), plan.recipe.checkpoint.every as usize);
        let has_ended = self.folder.join(evaluation_file("after")).exists();
        let had_one = steps > 0 && (has_ended || (every > 0 && steps > every));
        if had_one { Err(TrainError::NoCheckpoint { folder: self.folder.clone(), steps }) } else { Ok(()) }
    }

    /// Writes an evaluation down.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn write_evaluation(&self, name: &str, made: &[Evaluated]) -> Result<(), TrainError> {
        self.write(&evaluation_file(name), &pretty(&json!(made))).map(drop)
    }

    /// Saves the learner after a step, with the moments of all its parameters, and removes checkpoints that are not wanted any
    /// more, and past selves that none of the others needs.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn save(
        &self,
        base: &Path,
        learner: &Learner<'_>,
        moments: &Moments,
        step: u32,
    ) -> Result<(PathBuf, String), TrainError> {
        let (plan, checkpoints) = (learner.plan, self.checkpoints());
        let (llama, baselines) = (&learner.llama, &learner.baselines.values);
        let saved = checkpoint::save(&checkpoints, base, llama, moments, baselines, step, &self.plan_hash)?;
        checkpoint::prune(&checkpoints, plan.recipe.checkpoint.keep as usize)?;
        past::prune(&self.folder, &plan.recipe.self_play, checkpoint::oldest_step(&checkpoints).unwrap_or(step))?;
        Ok(saved)
    }

    /// The episodes of a step or an evaluation, labelled for the store.
    pub fn episodes(&self, step: u32, trajectories: Vec<Trajectory>) -> Vec<StoredEpisode> {
        let created_at_s = watch::seconds_since_1970();
        let stored = |trajectory: Trajectory| StoredEpisode {
            labels: Labels { run: self.name.clone(), step: Some(u64::from(step)), task: trajectory.task_name },
            finished: trajectory.finished,
            engine: self.engine.clone(),
            created_at_s,
        };
        trajectories.into_iter().map(stored).collect()
    }

    /// Keeps what a step sampled. Steps count from 1.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn write_rollout(&self, step: u32, episodes: &[SampledEpisode]) -> Result<(), TrainError> {
        let path = rollout_file(&self.folder, step);
        let lines = sampled::to_lines(episodes).map_err(io::Error::other);
        let written = lines.and_then(|lines| write_whole(&path, &lines));
        written.map_err(|source| TrainError::Unwritable { path, source })
    }

    /// Keeps the batch of a step that could not be made, and says where it is.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn write_suspects(&self, step: u32, batch: &[Suspect]) -> Result<PathBuf, TrainError> {
        let folder = self.folder.join("suspect");
        fs::create_dir_all(&folder).map_err(|source| TrainError::Unwritable { path: folder, source })?;
        self.write(&format!("suspect/step-{step:06}.jsonl"), &suspect::to_lines(batch))
    }

    fn write(&self, file: &str, text: &str) -> Result<PathBuf, TrainError> {
        let path = self.folder.join(file);
        match write_whole(&path, text) {
            Ok(()) => Ok(path),
            Err(source) => Err(TrainError::Unwritable { path, source }),
        }
    }
}

/// The name of an evaluation after a step.
pub fn evaluated_after(step: u32) -> String {
    format!("step-{step:06}")
}

fn evaluation_file(name: &str) -> String {
    format!("evaluation/{name}.json")
}

/// Writes a file that is whole or not there, also where the machine goes down meanwhile.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let partial = path.with_extension("partial");
    let mut file = File::create(&partial)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&partial, path)
}

/// What a run left behind whose description is gone would be taken for the new run's.
fn refuse_remains(folder: &Path) -> Result<(), TrainError> {
    let has_entries = |name: &str| fs::read_dir(folder.join(name)).is_ok_and(|mut entries| entries.next().is_some());
    let has_steps = fs::metadata(folder.join("metrics.jsonl")).is_ok_and(|file| file.len() > 0);
    if has_steps || ["checkpoints", "evaluation", "rollouts"].iter().any(|name| has_entries(name)) {
        let path = folder.join(description::FILE);
        return Err(TrainError::Undescribed { path, reason: "it is not there, though a run was made here".into() });
    }
    Ok(())
}

/// A folder may be there and yet belong to somebody else.
fn try_to_write(folder: &Path) -> io::Result<()> {
    let probe = folder.join(".probe");
    File::create(&probe).and_then(|_| fs::remove_file(&probe))
}

/// Makes the folder of a run and takes it for this process alone.
fn lock(name: &str, folder: &Path) -> Result<File, TrainError> {
    let path = folder.join(LOCK);
    let made = fs::create_dir_all(folder).and_then(|()| File::create(&path));
    let file = made.map_err(|source| TrainError::NoPlace { path: folder.into(), source })?;
    let patient = || {
        // Somebody may look at this moment whether the run goes on.
        watch::pause(LOOK_MS);
        file.try_lock()
    };
    match file.try_lock().or_else(|_| patient()) {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(TrainError::RunBusy { name: name.into() }),
        Err(TryLockError::Error(source)) => Err(TrainError::NoPlace { path, source }),
    }
}

/// The error that says what a plan has other than the run in a folder.
fn other_plan(plan: &Plan, name: &str, folder: &Path) -> TrainError {
    let before = fs::read_to_string(folder.join(RECIPE)).ok();
    let before = before.and_then(|text| read::parse(&text, RECIPE, &[]).ok());
    let difference = match before.map(|before| plan::differences(&plan.recipe, &before)) {
        None => "a recipe that this program does not know".to_string(),
        Some(differences) if differences.is_empty() => "other builds of its games".to_string(),
        Some(differences) => format!("another recipe ({})", differences.join("; ")),
    };
    TrainError::OtherPlan { name: name.into(), difference, folder: folder.into() }
}

fn pretty(value: &serde_json::Value) -> String {
    // A JSON value always has a text.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}
