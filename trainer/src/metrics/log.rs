//! Where a run's numbers go: one line a step in `metrics.jsonl`, what the clock says of it in `timing.jsonl`, and both
//! with the evaluations as scalars in `tensorboard/`.
//!
//! A step's lines are on the disk when [`MetricsLog::append`] returns. On resume, whatever is from after the resumed step
//! is cut off, and so is a last line that a killed run left unfinished. Where a line that stays is damaged nothing is: no run
//! leaves one behind, so somebody has to look at it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ludus_host::regular_file;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StepMetrics;
use crate::tensorboard::{self, EventFile};
use crate::watch::{Timing, seconds_since_1970};

/// The files of a run, open for appending.
pub struct MetricsLog {
    metrics: LineFile,
    timing: LineFile,
    events: EventFile,
}

/// Why a run's numbers cannot be written, or read. Each is one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    #[error("cannot write {}: {source}; free disk space or choose another store with --store", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("{} cannot be read: {source}; put back a copy of the file", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("line {line} of {} is damaged: {reason}; put back a copy of the file", path.display())]
    Damaged { path: PathBuf, line: usize, reason: String },
}

/// What `metrics.jsonl` of a run's folder holds, without a last line that is not whole; nothing where there is none.
///
/// # Errors
/// Where it is there and cannot be read, or another line is damaged.
pub fn read(folder: &Path) -> Result<Vec<StepMetrics>, MetricsError> {
    read_lines(&folder.join("metrics.jsonl"))
}

/// The same of `timing.jsonl`.
///
/// # Errors
/// As [`read`].
pub fn read_timing(folder: &Path) -> Result<Vec<Timing>, MetricsError> {
    read_lines(&folder.join("timing.jsonl"))
}

fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, MetricsError> {
    let file = read_file(path)?;
    whole_lines(&file).map(|(number, line)| parse(path, number, line)).collect()
}

/// The bytes of a file that is there or not yet.
fn read_file(path: &Path) -> Result<Vec<u8>, MetricsError> {
    match regular_file::read(path, u64::MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        bytes => bytes.map_err(|source| MetricsError::Unreadable { path: path.into(), source }),
    }
}

/// The lines of a file with their numbers, counted from 1, but for a last one that was left unfinished.
fn whole_lines(file: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    (1_usize..).zip(file.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")))
}

fn parse<T: DeserializeOwned>(path: &Path, number: usize, line: &[u8]) -> Result<T, MetricsError> {
    let damaged =
        |error: serde_json::Error| MetricsError::Damaged { path: path.into(), line: number, reason: error.to_string() };
    serde_json::from_slice(line).map_err(damaged)
}

impl MetricsLog {
    /// Opens the files in a run's folder, from which `steps_done` steps stay.
    ///
    /// # Errors
    /// Where the folder cannot be written to, or a line that stays is damaged.
    pub fn open(folder: &Path, steps_done: u32) -> Result<MetricsLog, MetricsError> {
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |source| MetricsError::Unwritable { path, source }
        };
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let lines = |name: &str| LineFile::open(folder.join(name), steps_done);
        let events_folder = folder.join("tensorboard");
        fs::create_dir_all(&events_folder).map_err(failed(&events_folder))?;
        let path = events_folder.join(tensorboard::FILE_NAME);
        let events = EventFile::open(&path, u64::from(steps_done), wall_time()).map_err(failed(&path))?;
        Ok(MetricsLog { metrics: lines("metrics.jsonl")?, timing: lines("timing.jsonl")?, events })
    }

    /// Writes a step down.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn append(&mut self, metrics: &StepMetrics, timing: &Timing) -> Result<(), MetricsError> {
        self.metrics.append(metrics)?;
        self.timing.append(timing)?;
        let mut scalars = scalars("train", metrics);
        scalars.extend(self::scalars("time", timing));
        self.scalars(metrics.step, &scalars)
    }

    /// Draws what an evaluation after `step` found, under its name.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn evaluation<T: Serialize>(&mut self, step: u32, name: &str, evaluated: &T) -> Result<(), MetricsError> {
        self.scalars(step, &scalars(&format!("evaluation/{name}"), evaluated))
    }

    fn scalars(&mut self, step: u32, scalars: &[(String, f64)]) -> Result<(), MetricsError> {
        self.events
            .scalars(wall_time(), u64::from(step), scalars)
            .map_err(|source| MetricsError::Unwritable { path: tensorboard::FILE_NAME.into(), source })
    }
}

/// When an event was, for TensorBoard's time axis.
fn wall_time() -> f64 {
    seconds_since_1970() as f64
}

/// A file of JSON lines, each with a `step`.
struct LineFile {
    path: PathBuf,
    file: File,
}

impl LineFile {
    fn open(path: PathBuf, steps_done: u32) -> Result<LineFile, MetricsError> {
        let kept = kept_length(&path, &read_file(&path)?, steps_done)?;
        let open = || -> io::Result<File> {
            let file = OpenOptions::new().create(true).append(true).open(&path)?;
            file.set_len(kept as u64)?;
            Ok(file)
        };
        match open() {
            Ok(file) => Ok(LineFile { path, file }),
            Err(source) => Err(MetricsError::Unwritable { path, source }),
        }
    }

    fn append<T: Serialize>(&mut self, line: &T) -> Result<(), MetricsError> {
        let mut append = || -> io::Result<()> {
            let mut bytes = serde_json::to_vec(line)?;
            bytes.push(b'\n');
            self.file.write_all(&bytes)?;
            self.file.sync_data()
        };
        append().map_err(|source| MetricsError::Unwritable { path: self.path.clone(), source })
    }
}

/// How much of a file of lines is of the steps that stay.
fn kept_length(path: &Path, file: &[u8], steps_done: u32) -> Result<usize, MetricsError> {
    #[derive(Deserialize)]
    struct Line {
        step: u32,
    }
    let mut kept = 0;
    let mut lines = whole_lines(file);
    // A step has one line, and whatever is behind those that stay is cut without a look.
    for number in 1..=steps_done as usize {
        let damaged = |reason| MetricsError::Damaged { path: path.into(), line: number, reason };
        let (_, bytes) =
            lines.next().ok_or_else(|| damaged(format!("it is not there, and {steps_done} steps are done")))?;
        let line: Line = parse(path, number, bytes)?;
        if line.step as usize != number {
            return Err(damaged(format!("it is of step {}", line.step)));
        }
        kept += bytes.len();
    }
    Ok(kept)
}

/// Every number in a value, named by its place: `train/stages/tictactoe/score_mean`.
pub fn scalars<T: Serialize>(name: &str, value: &T) -> Vec<(String, f64)> {
    let mut scalars = Vec::new();
    // Metrics have no keys that are no strings, so they always are JSON; a value that is not would only lack its curve.
    if let Ok(value) = serde_json::to_value(value) {
        flatten(name, &value, &mut scalars);
    }
    scalars
}

fn flatten(name: &str, value: &Value, scalars: &mut Vec<(String, f64)>) {
    match value {
        Value::Number(number) => scalars.extend(number.as_f64().map(|number| (name.to_owned(), number))),
        Value::Object(fields) => {
            for (key, field) in fields.iter().filter(|(key, _)| *key != "step") {
                flatten(&format!("{name}/{key}"), field, scalars);
            }
        }
        // An evaluation is a list, each entry with a name.
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let own = item.get("name").and_then(Value::as_str);
                let label = own.map_or_else(|| index.to_string(), str::to_owned);
                flatten(&format!("{name}/{label}"), item, scalars);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::StageMetrics;

    fn metrics(step: u32) -> StepMetrics {
        let mut metrics = StepMetrics { step, return_mean: f64::from(step) / 3.0, ..StepMetrics::default() };
        metrics.stages.insert("matrix".into(), StageMetrics::default());
        metrics
    }

    fn timing(step: u32) -> Timing {
        Timing {
            step,
            rollout_seconds: 1.5,
            update_seconds: 0.5,
            sampled_tokens_per_second: 100.0,
            trained_tokens_per_second: 200.0,
            memory_peak_bytes: 1 << 30,
        }
    }

    fn write(folder: &Path, steps_done: u32, until: u32) {
        let mut log = MetricsLog::open(folder, steps_done).unwrap();
        for step in steps_done + 1..=until {
            log.append(&metrics(step), &timing(step)).unwrap();
            log.evaluation(step, "matrix against random", &metrics(step).stages).unwrap();
        }
    }

    #[test]
    fn a_run_resumed_at_any_step_leaves_the_same_files_as_one_that_ran_through() {
        let (through, resumed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(through.path(), 0, 5);
        write(resumed.path(), 0, 4);
        // The kill came in the middle of a line.
        let torn = resumed.path().join("metrics.jsonl");
        let mut bytes = fs::read(&torn).unwrap();
        bytes.extend(b"{\"step\":2,");
        fs::write(&torn, bytes).unwrap();
        write(resumed.path(), 2, 5);
        for name in ["metrics.jsonl", "timing.jsonl"] {
            let read = |folder: &Path| fs::read(folder.join(name)).unwrap();
            assert_eq!(read(resumed.path()), read(through.path()), "{name}");
        }
        // The times in it differ, its length does not.
        let events = Path::new("tensorboard").join(tensorboard::FILE_NAME);
        let length = |folder: &Path| fs::metadata(folder.join(&events)).unwrap().len();
        assert_eq!(length(resumed.path()), length(through.path()));
    }

    #[test]
    fn a_damaged_line_that_stays_is_named_and_nothing_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 0, 4);
        let path = folder.path().join("metrics.jsonl");
        let whole = fs::read(&path).unwrap();
        // The second is not UTF-8.
        for damaged in [&b"{\"step\":2,garbage\n"[..], &b"\xff\xfe\n"[..]] {
            let mut lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
            lines[1] = damaged;
            let bytes = lines.concat();
            fs::write(&path, &bytes).unwrap();
            let error = MetricsLog::open(folder.path(), 3).map(drop).unwrap_err().to_string();
            assert!(error.starts_with("line 2 of ") && error.ends_with("; put back a copy of the file"), "{error}");
            assert_eq!(fs::read(&path).unwrap(), bytes);
            assert!(matches!(read(folder.path()), Err(MetricsError::Damaged { line: 2, .. })));
            // A step that is made again gets another line.
            assert!(MetricsLog::open(folder.path(), 1).is_ok());
            assert_eq!(read(folder.path()).unwrap(), [metrics(1)]);
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_said_to_be_unwritable() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("metrics.jsonl")).unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("metrics.jsonl cannot be read: "), "{error}");
    }

    #[test]
    fn a_run_that_starts_again_keeps_nothing() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 0, 5);
        write(folder.path(), 0, 1);
        let lines = fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
        assert_eq!(lines.lines().count(), 1);
    }

    #[test]
    fn a_line_reads_back_as_the_metrics_it_was() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 0, 1);
        let line = fs::read(folder.path().join("metrics.jsonl")).unwrap();
        assert_eq!(serde_json::from_slice::<StepMetrics>(&line).unwrap(), metrics(1));
    }

    #[test]
    fn an_evaluations_scalars_are_named_by_its_entries() {
        let evaluated =
            serde_json::json!([{ "name": "spy against random", "score": { "share": 0.5 } }, { "score": 1 }]);
        let expected = [("after/spy against random/score/share".to_owned(), 0.5), ("after/1/score".to_owned(), 1.0)];
        assert_eq!(scalars("after", &evaluated), expected);
    }

    #[test]
    fn scalars_are_named_by_their_place_and_leave_out_what_is_absent() {
        let names: Vec<String> = scalars("train", &metrics(1)).into_iter().map(|(name, _)| name).collect();
        assert!(names.contains(&"train/stages/matrix/score_mean".to_owned()));
        assert!(!names.contains(&"train/entropy".to_owned()) && !names.contains(&"train/step".to_owned()));
    }
}
