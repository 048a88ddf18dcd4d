//! The folder of a run: what lies in it, and when it may be used.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use ludus_host::store::{Labels, StoredEpisode};
use serde_json::json;

use crate::checkpoint;
use crate::evaluate::Evaluated;
use crate::learner::Learner;
use crate::plan::{self, Plan};
use crate::recipe::read;
use crate::rollout::Trajectory;
use crate::train::{TrainError, TrainOptions};
use crate::watch;

/// A run that may be written to.
pub struct Run {
    pub folder: PathBuf,
    name: String,
    engine: String,
    plan_hash: String,
    /// Held as long as the run goes on; the system lets it go however the program ends.
    _lock: File,
}

impl Run {
    /// Makes the folder of a new run, or finds that of a run to be resumed. Nothing that is there is written over.
    ///
    /// # Errors
    /// Where a new run's name is taken, a run to be resumed is not there or followed another plan, or the folder cannot be
    /// written.
    pub fn open(plan: &Plan, options: &TrainOptions<'_>) -> Result<Run, TrainError> {
        let folder = options.store.join("runs").join(&options.name);
        let name = options.name.clone();
        let description = folder.join("run.json");
        let plan_hash = plan.hash.to_string();
        if options.resume && !description.exists() {
            return Err(TrainError::NoSuchRun { name, folder });
        }
        let lock = lock(&name, &folder)?;
        match (options.resume, description.exists()) {
            (false, true) => return Err(TrainError::RunExists { name, folder }),
            (true, false) => return Err(TrainError::NoSuchRun { name, folder }),
            (true, true) => {
                let text = read_text(&description)?;
                let known: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                if known["plan"].as_str() != Some(&plan_hash) {
                    let difference = difference(plan, &folder);
                    return Err(TrainError::OtherPlan { name, difference });
                }
            }
            (false, false) => {}
        }
        let run = Run { folder, name, engine: options.library.engine_fingerprint(), plan_hash, _lock: lock };
        for path in [run.checkpoints(), run.folder.join("evaluation")] {
            fs::create_dir_all(&path).map_err(|source| TrainError::NoPlace { path, source })?;
        }
        let recipe = read::write(&plan.recipe).map_err(|error| TrainError::Unwritable {
            path: run.folder.join("recipe.toml"),
            source: std::io::Error::other(error),
        })?;
        run.write("recipe.toml", &recipe)?;
        // Last, because it says that the run was begun.
        run.write("run.json", &pretty(&run.describe(plan)))?;
        Ok(run)
    }

    pub fn checkpoints(&self) -> PathBuf {
        self.folder.join("checkpoints")
    }

    /// The evaluation of this name: as it was written down, or made now and written down. None where making it was stopped.
    ///
    /// # Errors
    /// Those of making it; or where it cannot be written.
    pub fn evaluation(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Option<Vec<Evaluated>>, TrainError>,
    ) -> Result<Option<Vec<Evaluated>>, TrainError> {
        let file = format!("evaluation/{name}.json");
        let written = fs::read_to_string(self.folder.join(&file)).ok();
        if let Some(known) = written.and_then(|text| serde_json::from_str(&text).ok()) {
            return Ok(Some(known));
        }
        let made = make()?;
        if let Some(made) = &made {
            self.write(&file, &pretty(&json!(made)))?;
        }
        Ok(made)
    }

    /// Saves the learner after a step and removes checkpoints that are not wanted any more.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn save(
        &self,
        plan: &Plan,
        base: &Path,
        learner: &Learner<'_>,
        step: u32,
    ) -> Result<(PathBuf, String), TrainError> {
        let checkpoints = self.checkpoints();
        let baselines = &learner.baselines.values;
        let (llama, optimizer) = (&learner.llama, &learner.optimizer);
        let saved = checkpoint::save(&checkpoints, base, llama, optimizer, baselines, step, &self.plan_hash)?;
        checkpoint::prune(&checkpoints, plan.recipe.checkpoint.keep as usize)?;
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

    fn describe(&self, plan: &Plan) -> serde_json::Value {
        let games: Vec<_> = plan
            .components()
            .map(|component| {
                json!({
                    "name": component.manifest.name,
                    "version": component.manifest.version,
                    "component": component.hash.to_string(),
                })
            })
            .collect();
        json!({
            "run": self.name,
            "plan": self.plan_hash,
            "ludus": env!("CARGO_PKG_VERSION"),
            "engine": self.engine,
            "games": games,
        })
    }

    fn write(&self, file: &str, text: &str) -> Result<(), TrainError> {
        let path = self.folder.join(file);
        let partial = path.with_extension("partial");
        fs::write(&partial, text)
            .and_then(|()| fs::rename(&partial, &path))
            .map_err(|source| TrainError::Unwritable { path, source })
    }
}

/// Makes the folder of a run and takes it for this process alone.
fn lock(name: &str, folder: &Path) -> Result<File, TrainError> {
    let path = folder.join("lock");
    let made = fs::create_dir_all(folder).and_then(|()| File::create(&path));
    let file = made.map_err(|source| TrainError::NoPlace { path: folder.into(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(TrainError::RunBusy { name: name.into() }),
        Err(TryLockError::Error(source)) => Err(TrainError::NoPlace { path, source }),
    }
}

/// What a plan has other than the run in a folder.
fn difference(plan: &Plan, folder: &Path) -> String {
    let before = fs::read_to_string(folder.join("recipe.toml")).ok();
    let before = before.and_then(|text| read::parse(&text, "recipe.toml", &[]).ok());
    match before.map(|before| plan::differences(&plan.recipe, &before)) {
        None => "a recipe that this program does not know".to_string(),
        Some(differences) if differences.is_empty() => "other builds of its games".to_string(),
        Some(differences) => format!("another recipe ({})", differences.join("; ")),
    }
}

fn read_text(path: &Path) -> Result<String, TrainError> {
    fs::read_to_string(path).map_err(|source| TrainError::Unwritable { path: path.to_path_buf(), source })
}

fn pretty(value: &serde_json::Value) -> String {
    // A JSON value always has a text.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}
