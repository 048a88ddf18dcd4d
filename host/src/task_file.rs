//! A task as a file: what `ludus run` is given.
//!
//! Beside the task itself the file may say how endpoints are asked, in tables `[endpoints.NAME]`. They are no part of the
//! task, and of no record: a record says `endpoint:NAME` and what was said.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::Value;

use crate::endpoint::EndpointConfigs;
use crate::library;
use crate::regular_file;
use crate::task_spec::TaskSpec;

/// No task that a person writes comes near.
const TASK_BYTES_MAX: u64 = 1 << 20;

/// The field of a task file that is not the task's.
const ENDPOINTS: &str = "endpoints";

/// What a task file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskFile {
    pub task: TaskSpec,
    pub endpoints: EndpointConfigs,
}

/// A task file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TaskFileError {
    #[error("cannot read the task file {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the task file {} is not right: {reason}", path.display())]
    Malformed { path: PathBuf, reason: String },
}

impl TaskFile {
    /// Reads a task file: JSON where its name ends in `.json`, else TOML. A task without a name is called like its file;
    /// the paths of games in it start at the file's own folder.
    ///
    /// # Errors
    /// Where the file cannot be read, or does not hold a task.
    pub fn read(path: &Path) -> Result<TaskFile, TaskFileError> {
        let text = regular_file::read_text(path, TASK_BYTES_MAX)
            .map_err(|source| TaskFileError::Unreadable { path: path.to_path_buf(), source })?;
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        let parsed = if is_json {
            from_json(&text).map_err(|error| error.to_string())
        } else {
            from_toml(&text).map_err(|error| toml_reason(&text, &error))
        };
        let mut file = parsed.map_err(|reason| TaskFileError::Malformed { path: path.to_path_buf(), reason })?;
        let task = &mut file.task;
        if task.name.is_empty() {
            task.name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        for stage in task.stages.iter_mut().filter(|stage| library::is_path(&stage.game)) {
            stage.game = folder.join(&stage.game).to_string_lossy().into_owned();
        }
        Ok(file)
    }
}

fn from_json(text: &str) -> serde_json::Result<TaskFile> {
    let mut value: Value = serde_json::from_str(text)?;
    match value.as_object_mut().and_then(|fields| fields.remove(ENDPOINTS)) {
        Some(endpoints) => {
            Ok(TaskFile { task: serde_json::from_value(value)?, endpoints: serde_json::from_value(endpoints)? })
        }
        // Read from its text, so that an error has its place.
        None => Ok(TaskFile { task: serde_json::from_str(text)?, endpoints: EndpointConfigs::new() }),
    }
}

fn from_toml(text: &str) -> Result<TaskFile, toml::de::Error> {
    let mut table = toml::de::DeTable::parse(text)?;
    let endpoints = match table.get_mut().remove(ENDPOINTS) {
        Some(endpoints) => EndpointConfigs::deserialize(toml::de::ValueDeserializer::from(endpoints))?,
        None => EndpointConfigs::new(),
    };
    Ok(TaskFile { task: TaskSpec::deserialize(toml::de::Deserializer::from(table))?, endpoints })
}

/// What is wrong and in which line, on one line.
pub(crate) fn toml_reason(text: &str, error: &toml::de::Error) -> String {
    match error.span() {
        Some(span) => {
            let before = text.get(..span.start).unwrap_or(text);
            format!("line {}: {}", before.matches('\n').count() + 1, error.message())
        }
        None => error.message().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<TaskFile, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        TaskFile::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_mistake_in_a_task_file_is_named_with_its_line() {
        for (text, named) in [
            ("reveal = true\ncolour = 1\n", "line 2: unknown field `colour`"),
            ("[endpoints.a]\nurl = \"http://h\"\nmodel = \"m\"\ncolour = 1\n", "line 4: unknown field `colour`"),
            ("[endpoints.a]\nurl = \"http://h\"\nmodel = \"m\"\n[[stages]]\ngame = 5\n", "line 5: invalid type"),
        ] {
            let message = read("odd.toml", text).expect_err("a mistake");
            assert!(message.contains(named), "{message}");
            assert_eq!(message.lines().count(), 1);
        }
    }

    #[test]
    fn a_task_file_names_its_task_and_finds_games_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pair.json");
        let stages = r#"{"stages":[{"game":"mine.wasm"},{"game":"spy"},{"game":"./river"},{"game":"/far/away"}]}"#;
        std::fs::write(&path, stages).expect("written");
        let task = TaskFile::read(&path).expect("a task").task;
        assert_eq!(task.name, "pair");
        assert_eq!(task.stages[0].game, folder.path().join("mine.wasm").to_string_lossy());
        assert_eq!(task.stages[1].game, "spy");
        assert_eq!(task.stages[2].game, folder.path().join("./river").to_string_lossy());
        assert_eq!(task.stages[3].game, "/far/away");
    }

    #[test]
    fn endpoints_stand_beside_the_task_and_are_no_part_of_it() {
        let toml = "[[stages]]\ngame = \"spy\"\n[endpoints.rival]\nurl = \"http://h/v1\"\nmodel = \"m\"\n";
        let json = r#"{"stages":[{"game":"spy"}],"endpoints":{"rival":{"url":"http://h/v1","model":"m"}}}"#;
        for (name, text) in [("task.toml", toml), ("task.json", json)] {
            let file = read(name, text).expect(name);
            assert_eq!(file.endpoints["rival"].model, "m");
            assert_eq!(file.task, TaskSpec { name: "task".to_string(), ..TaskSpec::single("spy") });
        }
    }
}
