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

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::reply::ReplyFormat;
use crate::scoring::Combine;

/// What one episode consists of, as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskSpec {
    /// For people and labels.
    pub name: String,
    /// Played in this order, in one conversation. `[[stage]]`, as recipes have it, is the same.
    #[serde(alias = "stage")]
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

impl TaskSpec {
    /// A task of one game with every default.
    pub fn single(game: &str) -> TaskSpec {
        TaskSpec { name: game.to_string(), stages: vec![StageSpec::new(game)], ..TaskSpec::default() }
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
}
