//! What goes to and fro between host and game, after it was checked.
//!
//! These are the records of `wit/game.wit` as plain Rust. A value of these types that came out of an `Instance` has
//! passed `check.rs`: seats are at the table and named once, scores are finite and from 0 to 1, texts are bounded.

use serde::{Deserialize, Serialize};

/// A place at the table, counted from 0.
pub type Seat = u32;

/// How an instance is to be dealt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    pub seats: u32,
    /// A JSON object, as `Component::check_options` returns it.
    pub options: String,
}

/// A seat is asked to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub seat: Seat,
    /// All that this seat newly gets to know. Never empty.
    pub prompt: String,
}

/// What a seat does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    pub seat: Seat,
    /// At most `Limits::text_bytes_max` long.
    pub text: String,
}

/// Why a move was not taken. Its seat is asked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub seat: Seat,
    /// Never empty.
    pub reason: String,
}

/// How often a seat did a thing out of the chances that it had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub seat: Seat,
    pub name: String,
    /// At most `chances`.
    pub times: u32,
    pub chances: u32,
}

/// How a game ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// One for each seat, from 0 to 1, never NaN and never -0.
    pub scores: Vec<f64>,
    pub counts: Vec<Count>,
    pub summary: String,
}

/// What a game waits for.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// These seats move now, all at the same time. Sorted by seat, never empty.
    Decide(Vec<Request>),
    Over(Outcome),
}

/// What a step led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The moves that were not taken, sorted by seat. Each of these seats is asked again in `turn`.
    pub rejections: Vec<Rejection>,
    pub turn: Turn,
}
