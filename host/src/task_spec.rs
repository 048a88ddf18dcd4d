//! What a person writes of a task, as TOML or JSON.
//!
//! Every field but `stages` and each stage's `game` has a default; unknown ones are refused. Nothing is checked here
//! against the games: that is `Task::resolve`. In a record stands the same structure with every default filled in, so
//! the order of fields and their names are part of the record's format.
//!
//! ```toml
//! name = "matrix-then-tictactoe"
//! combine = "mean"
//! [[stages]]
//! game = "matrix"
//! players = ["house:equilibrium"]
//! [[stages]]
//! game = "tictactoe"
//! ```

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::regular_file;
use crate::reply::ReplyFormat;
use crate::scoring::Combine;

/// No task that a person writes comes near.
const TASK_BYTES_MAX: u64 = 1 << 20;

/// What one episode consists of, as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskSpec {
    /// For people and labels.
    pub name: String,
    /// Played in this order, in one conversation.
    pub stages: Vec<StageSpec>,
    pub combine: Combine,
    pub on_failure: OnFailure,
    /// Whether the learner is told the score of each finished stage.
    pub reveal: bool,
    pub truncation: Truncation,
    /// Taken from the return for each reply of the learner without a readable move.
    pub malformed_penalty: f64,
    /// Taken from the return for each move of the learner that the game did not take.
    pub illegal_penalty: f64,
    pub reply: ReplyFormat,
    pub opponent_stream: OpponentStream,
}

/// One game of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageSpec {
    /// A game's name, or the path of its `.wasm` file.
    pub game: String,
    /// What the game's own schema allows.
    #[serde(default = "no_options", serialize_with = "sorted")]
    pub options: Value,
    /// By default as few as the game can be played with.
    #[serde(default)]
    pub seats: Option<u32>,
    #[serde(default)]
    pub learner: LearnerSeat,
    /// Who sits in the other seats, in seat order; the last one takes all that remain.
    #[serde(default = "random_players")]
    pub players: Vec<String>,
    /// How often one decision may be tried.
    #[serde(default = "three")]
    pub attempts: u32,
    #[serde(default)]
    pub on_illegal: OnIllegal,
    /// Who stands in for a seat that has used up its attempts: `random`, or a house player.
    #[serde(default = "random_player", skip_serializing_if = "is_random")]
    pub fallback: String,
    /// The score from which the stage counts as passed, for `combine = "all"` and `on_failure = "stop"`.
    #[serde(default = "half")]
    pub threshold: f64,
}

/// Whether a stage that was not passed ends the task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    #[default]
    Continue,
    /// The stages behind it are not played and count 0.
    Stop,
}

/// What becomes of finished stages when the learner runs out of context or tokens later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Truncation {
    /// They keep their scores.
    #[default]
    Keep,
    /// The whole task counts 0.
    Forfeit,
}

/// What happens when the learner has used up its attempts at a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnIllegal {
    /// The stage ends with score 0.
    #[default]
    Forfeit,
    /// The stage's fallback player, by default a random legal move, stands in for it.
    Random,
}

/// What opponents draw their luck from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OpponentStream {
    /// The episode's seed: in a whole group, the same history gets the same reply.
    #[default]
    Group,
    /// The seed and the member of the group.
    Episode,
}

/// Where the learner sits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LearnerSeat {
    /// Drawn from the episode's seed.
    #[default]
    Random,
    Seat(u32),
}

/// A task file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TaskFileError {
    #[error("cannot read the task file {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("the task file {} is not right: {reason}", path.display())]
    Malformed { path: PathBuf, reason: String },
}

impl TaskSpec {
    /// A task of one game with every default.
    pub fn single(game: &str) -> TaskSpec {
        TaskSpec { name: game.to_string(), stages: vec![StageSpec::new(game)], ..TaskSpec::default() }
    }

    /// Reads a task file: JSON where its name ends in `.json`, else TOML. A task without a name is called like its file;
    /// the paths of games in it start at the file's own folder.
    ///
    /// # Errors
    /// Where the file cannot be read, or does not hold a task.
    pub fn read(path: &Path) -> Result<TaskSpec, TaskFileError> {
        let text = regular_file::read(path, TASK_BYTES_MAX)
            .and_then(|bytes| {
                String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
            })
            .map_err(|source| TaskFileError::Unreadable { path: path.to_path_buf(), source })?;
        let malformed = |reason: String| TaskFileError::Malformed { path: path.to_path_buf(), reason };
        let mut spec: TaskSpec = if path.extension().is_some_and(|extension| extension == "json") {
            serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?
        } else {
            toml::from_str(&text).map_err(|error| malformed(toml_reason(&text, &error)))?
        };
        if spec.name.is_empty() {
            spec.name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        for stage in spec.stages.iter_mut().filter(|stage| stage.game.ends_with(".wasm")) {
            stage.game = folder.join(&stage.game).to_string_lossy().into_owned();
        }
        Ok(spec)
    }
}

impl Default for TaskSpec {
    fn default() -> TaskSpec {
        TaskSpec {
            name: String::new(),
            stages: Vec::new(),
            combine: Combine::default(),
            on_failure: OnFailure::default(),
            reveal: false,
            truncation: Truncation::default(),
            malformed_penalty: 0.1,
            illegal_penalty: 0.1,
            reply: ReplyFormat::default(),
            opponent_stream: OpponentStream::default(),
        }
    }
}

impl StageSpec {
    /// One game with every default.
    pub fn new(game: &str) -> StageSpec {
        StageSpec {
            game: game.to_string(),
            options: no_options(),
            seats: None,
            learner: LearnerSeat::default(),
            players: random_players(),
            attempts: three(),
            on_illegal: OnIllegal::default(),
            fallback: random_player(),
            threshold: half(),
        }
    }
}

impl Serialize for LearnerSeat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            LearnerSeat::Random => serializer.serialize_str("random"),
            LearnerSeat::Seat(seat) => serializer.serialize_u32(*seat),
        }
    }
}

impl<'de> Deserialize<'de> for LearnerSeat {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<LearnerSeat, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(word) if word == "random" => Ok(LearnerSeat::Random),
            other => other.as_u64().and_then(|seat| u32::try_from(seat).ok()).map(LearnerSeat::Seat).ok_or_else(|| {
                serde::de::Error::custom("`learner` is \"random\" or the number of a seat, counted from 0")
            }),
        }
    }
}

/// Writes a JSON value with the keys of every object sorted: records must not depend on how serde_json was built.
pub(crate) fn sorted<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    Sorted(value).serialize(serializer)
}

struct Sorted<'a>(&'a Value);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) => serializer.collect_seq(items.iter().map(Sorted)),
            Value::Object(fields) => {
                let mut pairs: Vec<(&String, &Value)> = fields.iter().collect();
                pairs.sort_unstable_by_key(|(key, _)| key.as_bytes());
                serializer.collect_map(pairs.into_iter().map(|(key, field)| (key, Sorted(field))))
            }
            scalar => scalar.serialize(serializer),
        }
    }
}

/// What is wrong and in which line, on one line.
fn toml_reason(text: &str, error: &toml::de::Error) -> String {
    match error.span() {
        Some(span) => {
            let before = text.get(..span.start).unwrap_or(text);
            format!("line {}: {}", before.matches('\n').count() + 1, error.message())
        }
        None => error.message().to_string(),
    }
}

fn no_options() -> Value {
    Value::Object(serde_json::Map::new())
}

fn random_players() -> Vec<String> {
    vec!["random".to_string()]
}

fn random_player() -> String {
    "random".to_string()
}

/// Records older than the field do not have it, and keep their hashes.
fn is_random(player: &str) -> bool {
    player == "random"
}

fn three() -> u32 {
    3
}

fn half() -> f64 {
    0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_of_one_line_gets_every_default() {
        let spec: TaskSpec = toml::from_str("stages = [{ game = \"spy\" }]").expect("a task");
        assert_eq!(spec, TaskSpec { name: String::new(), ..TaskSpec::single("spy") });
    }

    #[test]
    fn a_task_reads_back_what_it_writes() {
        let mut spec = TaskSpec::single("tictactoe");
        spec.stages[0].options = serde_json::json!({ "rows": 3, "columns": 4 });
        spec.stages[0].learner = LearnerSeat::Seat(1);
        spec.combine = Combine::Product;
        let text = serde_json::to_string(&spec).expect("JSON");
        assert_eq!(serde_json::from_str::<TaskSpec>(&text).expect("a task"), spec);
        assert!(text.contains(r#""options":{"columns":4,"rows":3}"#), "{text}");
    }

    #[test]
    fn unknown_fields_and_bad_seats_are_refused() {
        for text in ["colour = 1", "stages = [{ game = \"spy\", seat = 1 }]", "stages = [{}]"] {
            assert!(toml::from_str::<TaskSpec>(text).is_err(), "{text}");
        }
        let error =
            toml::from_str::<TaskSpec>("stages = [{ game = \"spy\", learner = \"first\" }]").expect_err("a word");
        assert!(error.to_string().contains("counted from 0"), "{error}");
    }

    #[test]
    fn a_mistake_in_a_task_file_is_named_with_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("odd.toml");
        std::fs::write(&path, "reveal = true\ncolour = 1\n").expect("written");
        let message = TaskSpec::read(&path).expect_err("an unknown field").to_string();
        assert!(message.contains("line 2: unknown field `colour`"), "{message}");
        assert_eq!(message.lines().count(), 1);
    }

    #[test]
    fn a_task_file_names_its_task_and_finds_games_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pair.json");
        std::fs::write(&path, r#"{"stages":[{"game":"mine.wasm"},{"game":"spy"}]}"#).expect("written");
        let spec = TaskSpec::read(&path).expect("a task");
        assert_eq!(spec.name, "pair");
        assert_eq!(spec.stages[0].game, folder.path().join("mine.wasm").to_string_lossy());
        assert_eq!(spec.stages[1].game, "spy");
    }
}
