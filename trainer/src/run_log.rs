//! What a run has written so far, read by another program: after its end, or while it goes on.
//!
//! Numbers are read by name and not as today's [`crate::metrics::StepMetrics`]: a run that an earlier or a later version
//! made has other ones, and they are shown all the same. A last line that is not whole yet is left for the next reading.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ludus_host::regular_file;
use serde_json::Value;

use crate::evaluate::Evaluated;
use crate::metrics::scalars;
use crate::recipe::{Recipe, read};
use crate::run::{self, Description};
use crate::train::TrainError;

/// A run as it lies on the disk.
pub struct RunLog {
    pub folder: PathBuf,
    /// The folder of runs and episodes that it belongs to.
    pub store: PathBuf,
    pub description: Description,
    /// `recipe.toml`, word for word.
    pub recipe_text: String,
    /// None where this program does not know all of it.
    pub recipe: Option<Recipe>,
    /// A line a step, ascending.
    pub metrics: Vec<Line>,
    /// As `metrics`; it may be a step behind.
    pub timing: Vec<Line>,
    /// Random play, before, after the steps in between, after: those that are there, in this order.
    pub evaluations: Vec<Evaluation>,
    /// Whether a process works in its folder.
    pub goes_on: bool,
}

/// The numbers of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Counted from 1.
    pub step: u32,
    /// Named by their place, as in TensorBoard: `train/stages/tictactoe/score_mean`, `time/rollout_seconds`.
    pub values: BTreeMap<String, f64>,
}

/// What an evaluation found.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// `random`, `before`, `step-000010` or `after`.
    pub name: String,
    /// How many steps were done; none for random play.
    pub step: Option<u32>,
    pub evaluated: Vec<Evaluated>,
}

/// Why a run cannot be read. Each is one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum RunLogError {
    #[error("there is no run {name} in {}; name the store that has it with --store, or the run's folder", folder.display())]
    NoSuchRun { name: String, folder: PathBuf },
    #[error("line {line} of {} is damaged: {reason}; put back a copy of the file", path.display())]
    DamagedLine { path: PathBuf, line: usize, reason: String },
    #[error("{} cannot be read: {reason}; put back a copy of the file", path.display())]
    Unreadable { path: PathBuf, reason: String },
}

impl RunLog {
    /// Reads the run of this name in a store, or in this folder.
    ///
    /// # Errors
    /// Where there is no such run, or one of its files is damaged.
    pub fn read(store: &Path, name: &str) -> Result<RunLog, RunLogError> {
        let (folder, store) = place(store, name);
        let description = match Description::read(&folder) {
            Ok(Some(description)) => description,
            Ok(None) => return Err(RunLogError::NoSuchRun { name: name.into(), folder }),
            Err(TrainError::Undescribed { path, reason }) => return Err(RunLogError::Unreadable { path, reason }),
            Err(error) => return Err(RunLogError::Unreadable { path: folder, reason: error.to_string() }),
        };
        // Before its files: a run that ends meanwhile is then read once more.
        let goes_on = run::is_busy(&folder);
        let recipe_text = text(&folder.join(run::RECIPE))?;
        let mut log = RunLog {
            recipe: read::parse(&recipe_text, run::RECIPE, &[]).ok(),
            metrics: lines(&folder.join("metrics.jsonl"), "train")?,
            timing: lines(&folder.join("timing.jsonl"), "time")?,
            evaluations: Vec::new(),
            folder,
            store,
            description,
            recipe_text,
            goes_on,
        };
        log.evaluations = log.read_evaluations()?;
        Ok(log)
    }

    /// What its folder is called: the name by which commands know the run.
    pub fn name(&self) -> String {
        self.folder.file_name().map_or_else(|| self.description.run.clone(), |name| name.to_string_lossy().into_owned())
    }

    /// How many steps are done.
    pub fn steps_done(&self) -> u32 {
        self.metrics.last().map_or(0, |line| line.step)
    }

    /// How many steps it is to have; none where its recipe is not known.
    pub fn steps(&self) -> Option<u32> {
        self.recipe.as_ref().map(|recipe| recipe.steps)
    }

    /// Whether it came to its end.
    pub fn is_finished(&self) -> bool {
        !self.goes_on && self.evaluations.iter().any(|evaluation| evaluation.name == "after")
    }

    fn read_evaluations(&self) -> Result<Vec<Evaluation>, RunLogError> {
        let folder = self.folder.join("evaluation");
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut found = Vec::new();
        for path in entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|it| it == "json")) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let evaluated = serde_json::from_str(&text(&path)?)
                .map_err(|error| RunLogError::Unreadable { path, reason: error.to_string() })?;
            let step = match name.as_str() {
                "random" => None,
                "before" => Some(0),
                "after" => Some(self.steps_done()),
                other => other.strip_prefix("step-").and_then(|step| step.parse().ok()),
            };
            found.push(Evaluation { name, step, evaluated });
        }
        found.sort_by_key(|evaluation| (evaluation.name == "after", evaluation.step, evaluation.name.clone()));
        Ok(found)
    }
}

/// Where a run lies, and its store: what has a `run.json` is a folder of a run, all else a name in the store. A folder that
/// lies in no store, as a copy does, belongs to the one that is named.
fn place(store: &Path, name: &str) -> (PathBuf, PathBuf) {
    let named = run::folder(store, name);
    let given = Path::new(name);
    let is_run = |folder: &Path| folder.join(run::DESCRIPTION).is_file();
    if is_run(&named) && given.components().count() == 1 || !is_run(given) {
        return (named, store.to_path_buf());
    }
    let store_of = |folder: &Path| {
        let runs = folder.parent().filter(|runs| runs.file_name().is_some_and(|name| name == "runs"))?;
        runs.parent().filter(|store| !store.as_os_str().is_empty()).map(Path::to_path_buf)
    };
    // A store that is named by the path to the run is called as it was typed.
    let found = store_of(given).or_else(|| store_of(&given.canonicalize().ok()?));
    (given.to_path_buf(), found.unwrap_or_else(|| store.to_path_buf()))
}

/// The lines of a file that is there or not yet.
fn lines(path: &Path, prefix: &str) -> Result<Vec<Line>, RunLogError> {
    let bytes = match regular_file::read(path, u64::MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(RunLogError::Unreadable { path: path.into(), reason: error.to_string() }),
    };
    let whole = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let mut before = 0;
    let line = |(index, bytes): (usize, &[u8])| {
        let damaged = |reason| RunLogError::DamagedLine { path: path.into(), line: index + 1, reason };
        let value: Value = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        let step = value.get("step").and_then(Value::as_u64).and_then(|step| u32::try_from(step).ok());
        let step = step.ok_or_else(|| damaged("it names no step".into()))?;
        if step <= before {
            return Err(damaged(format!("it is of step {step}, behind one of step {before}")));
        }
        before = step;
        Ok(Line { step, values: scalars(prefix, &value).into_iter().collect() })
    };
    whole.enumerate().map(line).collect()
}

fn text(path: &Path) -> Result<String, RunLogError> {
    regular_file::read_text(path, u64::MAX)
        .map_err(|error| RunLogError::Unreadable { path: path.into(), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Line>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        fs::write(&path, text).unwrap();
        lines(&path, "train").map_err(|error| error.to_string())
    }

    #[test]
    fn a_line_that_is_not_whole_yet_is_left_and_one_that_is_damaged_is_named() {
        let good = "{\"step\":1,\"loss\":null,\"stages\":{\"nim\":{\"score_mean\":0.5}}}\n";
        let read_lines = read(&format!("{good}{{\"step\":2,")).unwrap();
        let values = BTreeMap::from([("train/stages/nim/score_mean".to_string(), 0.5)]);
        assert_eq!(read_lines, [Line { step: 1, values }]);
        let error = read(&format!("{good}{{\"step\":2,\n{good}")).unwrap_err();
        assert!(error.starts_with("line 2 of ") && error.contains("metrics.jsonl is damaged: "), "{error}");
        assert!(read("[]\n").unwrap_err().contains("it names no step"));
    }

    #[test]
    fn a_run_is_found_by_its_name_and_by_its_folder() {
        let store = tempfile::tempdir().unwrap();
        let folder = run::folder(store.path(), "a");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(run::DESCRIPTION), "{}").unwrap();
        let elsewhere = Path::new("elsewhere");
        assert_eq!(place(store.path(), "a"), (folder.clone(), store.path().to_path_buf()));
        assert_eq!(place(elsewhere, &folder.to_string_lossy()), (folder, store.path().to_path_buf()));
        let copy = tempfile::tempdir().unwrap();
        fs::write(copy.path().join(run::DESCRIPTION), "{}").unwrap();
        let found = place(store.path(), &copy.path().to_string_lossy());
        assert_eq!(found, (copy.path().to_path_buf(), store.path().to_path_buf()));
        assert_eq!(place(elsewhere, "b"), (run::folder(elsewhere, "b"), elsewhere.to_path_buf()));
    }
}
