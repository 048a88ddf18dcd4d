//! The words that the game is told in. What the guesser reads is made of the board without its roles, of clues and of guesses.

use ludus_game::Seat;

use crate::options::Options;
use crate::{Board, Card, Codewords, Event, GIVER, Phase, Role};

/// What a seat reads first.
pub fn rules(options: &Options, seat: Seat) -> String {
    let Options { words, targets, traps, clues } = options;
    let traps = match traps {
        0 => String::new(),
        1 => " and 1 is a trap".to_owned(),
        traps => format!(" and {traps} are traps"),
    };
    let danger = if traps.is_empty() { "" } else { " Guessing a trap loses everything." };
    let roles = if seat == GIVER {
        "Only you know which. You give a clue: one word, and how many targets it fits."
    } else {
        "Only the other player knows which, and gives clues: one word, and how many targets it fits."
    };
    let guesses = if seat == GIVER { "The other player then guesses" } else { "You then guess" };
    let answer = if seat == GIVER {
        "Answer with a word that is not on the board and a number, such as music 2."
    } else {
        "Answer with one word of the board."
    };
    format!(
        "Codewords: two players win or lose together. Of {words} words {targets} are targets{traps}. {roles} {guesses} up to so many \
         words, one at a time; a wrong one ends the turn.{danger} Find all targets with {clues} clues. {answer}\n"
    )
}

/// What happened, for the seat that did not do it.
pub fn news(events: &[Event]) -> String {
    events.iter().map(|event| format!("{}\n", told(event))).collect()
}

fn told(event: &Event) -> String {
    match event {
        Event::Clue(clue) => format!("Clue: {} {}", clue.word, clue.number),
        Event::Guess { word, role } => format!("Guess: {word}, {}", role.told()),
        Event::Stop => "Guess: stop".to_owned(),
    }
}

impl Role {
    fn told(self) -> &'static str {
        match self {
            Role::Target => "a target",
            Role::Trap => "a trap",
            Role::Other => "wrong",
        }
    }
}

fn list<'board>(cards: impl Iterator<Item = &'board Card>) -> String {
    let words: Vec<&str> = cards.map(|card| card.word.text).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// The words that are left, by what they are.
fn key(board: &Board) -> String {
    let line = |name: &str, role: Role| format!("{name}: {}", list(board.hidden().filter(|card| card.role == role)));
    [line("Targets", Role::Target), line("Traps", Role::Trap), line("Others", Role::Other)].join("\n")
}

impl Codewords {
    /// The position and what is asked.
    pub(crate) fn question(&self) -> String {
        match &self.phase {
            Phase::Guess { clue, made } => {
                let words = list(self.board.hidden());
                let stop = if *made > 0 { ", or stop" } else { "" };
                format!(
                    "Words: {words}\nThe clue is {} {}. Guess {} of {}: one of the words{stop}.",
                    clue.word,
                    clue.number,
                    made + 1,
                    clue.number
                )
            }
            _ => format!("{}\nClues left: {}. What is your clue?", key(&self.board), self.clues_left()),
        }
    }

    pub(crate) fn told(&self, viewer: Option<Seat>) -> String {
        let board = match viewer {
            Some(seat) if seat != GIVER => format!("Words: {}", list(self.board.hidden())),
            _ => key(&self.board),
        };
        let events: String = self.events.iter().map(|event| format!("\n{}", told(event))).collect();
        format!("{board}\nTargets left: {}. Clues left: {}.{events}", self.board.targets_left(), self.clues_left())
    }
}
