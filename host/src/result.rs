//! What an episode came to: the numbers that statistics and training are made from.
//!
//! All of them follow from the record. Scores, illegal moves and malformed replies stay apart: a return is never passed
//! off as a win rate.

use serde::{Deserialize, Serialize};

use crate::turn::Count;

pub use crate::record::Ended;

/// The result of a whole episode, from the learner's side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeResult {
    /// The combined score less the penalties.
    pub task_return: f64,
    /// From 0 to 1.
    pub combined: f64,
    /// One for each stage of the task, played or not.
    pub stages: Vec<StageResult>,
}

/// The result of one stage, from the learner's side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageResult {
    pub game: String,
    pub learner_seat: u32,
    /// The learner's, from 0 to 1; 0 where the game did not get to its end.
    pub score: f64,
    /// One a seat; empty where the game did not get to its end.
    pub scores: Vec<f64>,
    pub summary: String,
    pub ended: Ended,
    /// How often the learner had to decide, repeated tries not counted.
    pub decisions: u32,
    /// How many moves in the learner's seat the game took.
    pub moves: u32,
    /// Moves of the learner that the game did not take.
    pub illegal: u32,
    /// Replies of the learner without a readable move.
    pub malformed: u32,
    /// What the game counted for the learner's seat.
    pub counts: Vec<Count>,
}

impl StageResult {
    /// The result of a stage before anything happened in it.
    pub(crate) fn blank(game: &str, learner_seat: u32) -> StageResult {
        StageResult {
            game: game.to_string(),
            learner_seat,
            score: 0.0,
            scores: Vec::new(),
            summary: String::new(),
            ended: Ended::Unplayed,
            decisions: 0,
            moves: 0,
            illegal: 0,
            malformed: 0,
            counts: Vec::new(),
        }
    }
}

impl EpisodeResult {
    /// The learner's malformed replies in all stages.
    pub fn malformed(&self) -> u32 {
        self.stages.iter().map(|stage| stage.malformed).sum()
    }

    /// The learner's illegal moves in all stages.
    pub fn illegal(&self) -> u32 {
        self.stages.iter().map(|stage| stage.illegal).sum()
    }
}
