//! What an episode came to: the numbers that statistics and training are made from.
//!
//! All of them follow from the record. Scores, illegal moves and malformed replies stay apart: a return is never passed
//! off as a win rate.

use serde::{Deserialize, Serialize};

use crate::scoring::Penalties;
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
    /// Questions to other seats that the fallback player had to answer, because those who sit there failed.
    #[serde(default)]
    pub substituted: u32,
    /// Where the learner plays further seats, what it did there.
    #[serde(default)]
    pub further_seats: Vec<SeatResult>,
}

/// What the learner came to in a seat that it plays besides its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeatResult {
    pub seat: u32,
    /// From 0 to 1; 0 where the game did not get to its end.
    pub score: f64,
    pub decisions: u32,
    pub moves: u32,
    pub illegal: u32,
    pub malformed: u32,
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
            substituted: 0,
            further_seats: Vec::new(),
        }
    }
}

impl EpisodeResult {
    /// The same episode from a further seat of the learner's in one stage: what it came to there, and nothing of other stages.
    pub fn of_further_seat(&self, stage: usize, seat: u32, penalties: Penalties) -> EpisodeResult {
        let mut stages: Vec<StageResult> =
            self.stages.iter().map(|stage| StageResult::blank(&stage.game, stage.learner_seat)).collect();
        let played = &self.stages[stage];
        if let Some(further) = played.further_seats.iter().find(|further| further.seat == seat) {
            stages[stage] = StageResult {
                game: played.game.clone(),
                learner_seat: seat,
                score: further.score,
                scores: played.scores.clone(),
                summary: played.summary.clone(),
                ended: played.ended,
                decisions: further.decisions,
                moves: further.moves,
                illegal: further.illegal,
                malformed: further.malformed,
                counts: further.counts.clone(),
                substituted: 0,
                further_seats: Vec::new(),
            };
        }
        let (score, malformed, illegal) = (stages[stage].score, stages[stage].malformed, stages[stage].illegal);
        EpisodeResult { task_return: penalties.apply(score, malformed, illegal), combined: score, stages }
    }

    /// The learner's malformed replies in all stages.
    pub fn malformed(&self) -> u32 {
        self.stages.iter().map(|stage| stage.malformed).sum()
    }

    /// The learner's illegal moves in all stages.
    pub fn illegal(&self) -> u32 {
        self.stages.iter().map(|stage| stage.illegal).sum()
    }
}
