//! What a table knows of one seat: who sits there, what was asked, what was said.

use crate::player::Player;
use crate::search::Memory;

pub(crate) struct SeatState {
    pub player: Player,
    /// What the seat has to be told with its next prompt.
    pub news: Vec<String>,
    /// The whole text of its open question.
    pub prompt: String,
    /// Failed tries of the decision at hand.
    pub failed: u32,
    pub tally: Tally,
    /// Whether the game waits for its move.
    pub asked: bool,
    /// What it said in this round, until it is judged.
    pub reply: Option<String>,
    /// The move that it will make in the next step.
    pub choice: Option<String>,
    /// Repeated tries counted.
    pub times_asked: u32,
    /// Of a player that searches.
    pub memory: Option<Memory>,
}

/// What is counted for each seat.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub decisions: u32,
    pub moves: u32,
    pub illegal: u32,
    pub malformed: u32,
    /// Questions that the stage's fallback player answered.
    pub substituted: u32,
}

impl SeatState {
    pub fn new(player: Player) -> SeatState {
        SeatState {
            memory: matches!(player, Player::Search(_)).then(Memory::default),
            player,
            news: Vec::new(),
            prompt: String::new(),
            failed: 0,
            tally: Tally::default(),
            asked: false,
            reply: None,
            choice: None,
            times_asked: 0,
        }
    }

    pub fn is_unanswered(&self) -> bool {
        self.asked && self.reply.is_none() && self.choice.is_none()
    }

    pub fn fail(&mut self, reason: String) {
        self.failed += 1;
        self.news.push(reason);
    }
}
