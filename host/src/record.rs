//! The canonical bytes of an episode.
//!
//! A record is JSON, one line for each thing that happened, with the fields of each line in a fixed order and no white
//! space. Its blake3 is the episode's hash. In order:
//!
//! ```text
//! episode    format version, task with every default, components, who learns, seed, member of the group
//!   stage    game, component, options, seats, players, the learner's seat
//!     ask      a seat, and the hash of the prompt that it got
//!     reply    a seat, who spoke, and what was said, word for word
//!     verdict  taken, malformed or illegal, and why
//!     fault    the game misbehaved: what, in which call; for whom the call was made
//!     truncated  the learner ran out of context or tokens
//!   stage-end  how it ended, scores, counts, summary
//! end        combined score and return
//! ```
//!
//! Prompts are not stored: a replay makes them again, and their hashes tell whether they are the same. Nothing in a
//! record says when, where or how fast it was made; that stands beside it in the store.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::{Call, FaultKind};
use crate::hash::Hash;
use crate::task_spec::{TaskSpec, sorted};
use crate::turn::Count;

/// The version of this format. A change to any line, or to what follows from one, is a new version.
pub const FORMAT_VERSION: u32 = 1;

/// One line of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Line {
    Episode {
        version: u32,
        task: TaskSpec,
        /// One a stage, in stage order.
        components: Vec<Hash>,
        /// Who plays the learner's seats.
        learner: String,
        seed: u64,
        member: u32,
    },
    Stage {
        /// Counted from 0.
        stage: u32,
        game: String,
        component: Hash,
        #[serde(serialize_with = "sorted")]
        options: Value,
        seats: u32,
        learner_seat: u32,
        /// One a seat.
        players: Vec<String>,
    },
    Ask {
        seat: u32,
        prompt: Hash,
    },
    Reply {
        seat: u32,
        /// The player's kind, or `substitute` where the stage's fallback player moved in its place.
        by: String,
        text: String,
    },
    Verdict {
        seat: u32,
        verdict: Ruling,
        /// Empty where the move was taken.
        reason: String,
    },
    Fault {
        kind: FaultKind,
        call: Call,
        /// For whom the call was made, where it was made for a seat.
        seat: Option<u32>,
        /// The house player that was asked for, if any.
        player: Option<String>,
    },
    Truncated,
    StageEnd {
        stage: u32,
        ended: Ended,
        /// The learner's.
        score: f64,
        /// One a seat; none where the game did not get to its end.
        scores: Vec<f64>,
        counts: Vec<Count>,
        summary: String,
    },
    End {
        combined: f64,
        #[serde(rename = "return")]
        task_return: f64,
    },
}

/// What became of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ruling {
    Taken,
    /// No move could be read from it.
    Malformed,
    /// The game did not take the move.
    Illegal,
}

/// How a stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// The game said that it is over.
    Over,
    /// The learner used up its attempts at a decision.
    Forfeited,
    /// The learner ran out of context or tokens.
    Truncated,
    /// The game misbehaved.
    Fault,
    /// The episode ended before it.
    Unplayed,
}

impl Ended {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Ended::Over => "over",
            Ended::Forfeited => "forfeited",
            Ended::Truncated => "truncated",
            Ended::Fault => "fault",
            Ended::Unplayed => "unplayed",
        }
    }
}

/// The bytes of a finished episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Record {
    bytes: Vec<u8>,
}

/// Bytes that are no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("the record has format version {0}, and this program knows only version {FORMAT_VERSION}")]
    UnknownVersion(u64),
    #[error("line {line} of the record cannot be read: {reason}")]
    Unreadable { line: usize, reason: String },
}

impl Record {
    /// An empty record, to be written line by line.
    pub(crate) fn new() -> Record {
        Record { bytes: Vec::new() }
    }

    pub(crate) fn push(&mut self, line: &Line) {
        serde_json::to_writer(&mut self.bytes, line)
            .expect("a line is always JSON: its floats are finite, its keys text");
        self.bytes.push(b'\n');
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The episode's hash.
    pub fn hash(&self) -> Hash {
        Hash::of(&self.bytes)
    }
}

/// A record that another process wrote.
impl From<String> for Record {
    fn from(text: String) -> Record {
        Record { bytes: text.into_bytes() }
    }
}

impl From<Record> for String {
    fn from(record: Record) -> String {
        String::from_utf8(record.bytes).expect("lines of JSON are text")
    }
}

/// Reads the lines of a record.
///
/// # Errors
/// Where the format version is not known, or a line is not one of this format.
pub fn read_lines(bytes: &[u8]) -> Result<Vec<Line>, RecordError> {
    let text = std::str::from_utf8(bytes).map_err(|error| unreadable(0, &error))?;
    let mut lines = vec![read_head(bytes)?];
    for (index, line) in text.lines().enumerate().skip(1) {
        lines.push(serde_json::from_str(line).map_err(|error| unreadable(index, &error))?);
    }
    Ok(lines)
}

/// Reads the first line of a record, which is always an `episode`.
///
/// # Errors
/// As `read_lines`.
pub(crate) fn read_head(bytes: &[u8]) -> Result<Line, RecordError> {
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    check_version(first).map_err(|error| error.unwrap_or_else(|| unreadable(0, &"it names no version")))?;
    match serde_json::from_slice(first).map_err(|error| unreadable(0, &error))? {
        head @ Line::Episode { .. } => Ok(head),
        _ => Err(unreadable(0, &"a record begins with the line `episode`")),
    }
}

/// The first line of a record in two: what all episodes of a task share, and the seed and the member; `None` where these
/// are not written as they should be.
pub(crate) fn split_head(bytes: &[u8]) -> (&[u8], Option<(u64, u32)>) {
    const SEED: &str = ",\"seed\":";
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    // A quotation mark inside of a text would have a backslash before it, so no text is taken for the field.
    let Some(end) = first.windows(SEED.len()).rposition(|window| window == SEED.as_bytes()) else {
        return (first, None);
    };
    let (shared, deal) = first.split_at(end);
    let deal = || {
        let (seed, member) = std::str::from_utf8(deal).ok()?.strip_prefix(SEED)?.split_once(",\"member\":")?;
        Some((seed.parse().ok()?, member.strip_suffix('}')?.parse().ok()?))
    };
    (shared, deal())
}

/// `index` counts from 0, people from 1.
pub(crate) fn unreadable(index: usize, reason: &dyn std::fmt::Display) -> RecordError {
    RecordError::Unreadable { line: index + 1, reason: reason.to_string() }
}

/// Looks at the version alone: the rest of the line may be one of a later format.
fn check_version(first_line: &[u8]) -> Result<(), Option<RecordError>> {
    #[derive(Deserialize)]
    struct Head {
        version: Option<Value>,
    }
    let head: Head = serde_json::from_slice(first_line).map_err(|_| None)?;
    match head.version.as_ref().and_then(Value::as_u64) {
        Some(version) if version == u64::from(FORMAT_VERSION) => Ok(()),
        Some(version) => Err(Some(RecordError::UnknownVersion(version))),
        None => Err(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_line(version: u32) -> Line {
        Line::Episode {
            version,
            task: TaskSpec::single("spy"),
            components: vec![Hash::of(b"spy")],
            learner: "learner".to_string(),
            seed: u64::MAX,
            member: 3,
        }
    }

    fn record(lines: &[Line]) -> Record {
        let mut record = Record::new();
        lines.iter().for_each(|line| record.push(line));
        record
    }

    #[test]
    fn a_record_reads_back_every_kind_of_line() {
        let lines = vec![
            first_line(FORMAT_VERSION),
            Line::Stage {
                stage: 0,
                game: "spy".to_string(),
                component: Hash::of(b"spy"),
                options: serde_json::json!({ "rounds": 2 }),
                seats: 4,
                learner_seat: 1,
                players: vec!["random".to_string(); 4],
            },
            Line::Ask { seat: 1, prompt: Hash::of(b"?") },
            Line::Reply { seat: 1, by: "learner".to_string(), text: "\"hm\"\n\u{7}é".to_string() },
            Line::Verdict { seat: 1, verdict: Ruling::Illegal, reason: "no".to_string() },
            Line::Fault {
                kind: FaultKind::Trap,
                call: Call::HouseMove,
                seat: Some(2),
                player: Some("sly".to_string()),
            },
            Line::Truncated,
            Line::StageEnd {
                stage: 0,
                ended: Ended::Over,
                score: 0.1,
                scores: vec![0.1, 1.0 / 3.0],
                counts: vec![Count { seat: 0, name: "wins-taken".to_string(), times: 1, chances: 2 }],
                summary: String::new(),
            },
            Line::End { combined: 0.1, task_return: -0.2 },
        ];
        assert_eq!(read_lines(record(&lines).bytes()), Ok(lines));
    }

    #[test]
    fn a_line_has_its_fields_in_a_fixed_order() {
        let line = Line::End { combined: 0.5, task_return: 0.4 };
        assert_eq!(record(&[line]).bytes(), b"{\"line\":\"end\",\"combined\":0.5,\"return\":0.4}\n");
        let line = Line::Stage {
            stage: 0,
            game: "g".to_string(),
            component: Hash::of(b"g"),
            options: serde_json::from_str(r#"{"b":1,"a":{"d":1,"c":2}}"#).expect("JSON"),
            seats: 2,
            learner_seat: 0,
            players: vec![],
        };
        let text = String::from_utf8(record(&[line]).bytes().to_vec()).expect("UTF-8");
        assert!(text.contains(r#""options":{"a":{"c":2,"d":1},"b":1},"seats":2,"learner_seat":0"#), "{text}");
    }

    #[test]
    fn a_version_of_the_future_is_named_and_not_read() {
        let future = record(&[first_line(7)]);
        assert_eq!(read_lines(future.bytes()), Err(RecordError::UnknownVersion(7)));
        let strange = b"{\"line\":\"episode\",\"version\":2,\"what\":1}\n";
        assert_eq!(read_lines(strange), Err(RecordError::UnknownVersion(2)));
    }

    #[test]
    fn bytes_that_are_no_record_are_refused() {
        for bytes in [&b""[..], b"\xff\xfe", b"{}", b"[]\n", b"{\"line\":\"truncated\"}\n"] {
            assert!(matches!(read_lines(bytes), Err(RecordError::Unreadable { line: 1, .. })), "{bytes:?}");
        }
    }
}
