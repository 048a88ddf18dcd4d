//! What a game did wrong, as data.
//!
//! Games are written by strangers. Whatever one of them does, the host goes on: the stage ends with a `Fault`. Its
//! `kind` is the same on every replay and goes into the record. Its `detail` (trap text, numbers, stack) is for people,
//! may differ between machines and wasmtime versions, and stands outside every hash.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One misdeed of a game: what, in which call, and for people how exactly. Written out it is one line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{kind} in `{call}`: {}", .detail.lines().next().unwrap_or_default())]
pub struct Fault {
    pub kind: FaultKind,
    pub call: Call,
    /// A sentence for people, and on further lines where in the game it happened. Outside every hash.
    pub detail: String,
}

/// The call of the contract (`wit/game.wit`) during which a game misbehaved.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// Before any call: while the component's memories and start functions were set up.
    Instantiate,
    Describe,
    Start,
    Step,
    LegalMoves,
    HouseMove,
    View,
}

/// The ways to misbehave.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// It computed for longer than a call may.
    OutOfFuel,
    /// It asked for more memory, or larger tables, than a game may have.
    OutOfMemory,
    /// It recursed too deeply.
    StackOverflow,
    /// It trapped in any other way: `unreachable`, a failed assertion, an access out of bounds, a draw below 0.
    Trap,
    /// `start` said no to options or seats that its own manifest allows.
    SetupRefused,
    /// It handed over more data than may cross from guest to host in one call.
    BoundaryTooLarge,
    /// A seat that is not at the table, that was named twice, or that was not to be named; or nobody is asked.
    BadSeats,
    /// Not one score for each seat, or a score that is not from 0 to 1.
    BadScores,
    /// A prompt, reason, view, move or summary that is too long, or that is empty where it must not be.
    BadText,
    /// A count of no seat, without a proper name, or with more times than chances; or too many counts.
    BadCounts,
    /// More legal moves than a list may hold.
    BadLegalMoves,
    /// More calls of `step` than its manifest promises.
    TooManySteps,
    /// Record and prompts of the episode became larger than an episode may be. Found before the next step.
    EpisodeTooLarge,
    /// All its calls together computed for longer than an episode may. Found before the next step.
    EpisodeOutOfFuel,
    /// It drew a random number in a call that gets none: `describe`, `legal-moves`, `view`.
    DrewRandomness,
    /// A house player did not give a move.
    BadHousePlayer,
    /// It was called after an earlier fault.
    Dead,
    /// The host called it out of turn. Never the game's fault.
    Misuse,
    /// The machine lacked memory that a game may have, or time for a call. Never the game's fault, and never in a record.
    HostFailed,
}

/// This machine could not give a game what it may have, or not soon enough. Says nothing of the game, so the episode ends without
/// a record.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "this machine ran short of memory or time for games ({0}): close other programs, raise its limits (`ulimit -v`), or play fewer \
     at once"
)]
pub struct HostFailure(String);

impl From<&Fault> for HostFailure {
    fn from(fault: &Fault) -> HostFailure {
        HostFailure(fault.detail.lines().next().unwrap_or_default().to_string())
    }
}

impl Fault {
    pub fn new(kind: FaultKind, call: Call, detail: impl Into<String>) -> Fault {
        Fault { kind, call, detail: detail.into() }
    }
}

impl Fault {
    /// Adds what the game had printed by then.
    pub(crate) fn with_printed(mut self, printed: &str) -> Fault {
        if !printed.is_empty() {
            self.detail = format!("{}\n{printed}", self.detail);
        }
        self
    }
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Call::Instantiate => "instantiate",
            Call::Describe => "describe",
            Call::Start => "start",
            Call::Step => "step",
            Call::LegalMoves => "legal-moves",
            Call::HouseMove => "house-move",
            Call::View => "view",
        })
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            FaultKind::OutOfFuel => "out of fuel",
            FaultKind::OutOfMemory => "out of memory",
            FaultKind::StackOverflow => "stack overflow",
            FaultKind::Trap => "trap",
            FaultKind::SetupRefused => "setup refused",
            FaultKind::BoundaryTooLarge => "too much data at once",
            FaultKind::BadSeats => "bad seats",
            FaultKind::BadScores => "bad scores",
            FaultKind::BadText => "bad text",
            FaultKind::BadCounts => "bad counts",
            FaultKind::BadLegalMoves => "bad legal moves",
            FaultKind::TooManySteps => "too many steps",
            FaultKind::EpisodeTooLarge => "too large an episode",
            FaultKind::EpisodeOutOfFuel => "episode out of fuel",
            FaultKind::DrewRandomness => "drew randomness",
            FaultKind::BadHousePlayer => "bad house player",
            FaultKind::Dead => "called after a fault",
            FaultKind::Misuse => "called out of turn by the host",
            FaultKind::HostFailed => "the host ran short",
        })
    }
}
