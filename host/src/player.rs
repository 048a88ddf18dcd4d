//! Who decides the moves of a seat.
//!
//! Sandboxed players (`random`, `house:NAME`, `script:A,B,C`, `search:PLAYOUTS`) are answered by the episode itself, from its own random
//! streams and the game's instance, so they need no process and no network. External players (the learner, a person, another
//! model) are waited for: the episode says what it asks them and is told the reply.

use std::fmt;

use crate::fault::Fault;
use crate::instance::Instance;
use crate::stream::Stream;
use crate::turn::Seat;

/// What decides the moves of one seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Player {
    /// The model that is trained or measured. External.
    Learner,
    /// Somebody at a terminal. External; may try as often as it takes.
    Person,
    /// A model behind a server, by the name that whoever plays the episode knows it under. External.
    Endpoint(String),
    /// A model that does not learn, by the name that whoever plays the episode knows it under. External.
    Model(String),
    /// A uniformly random legal move.
    Random,
    /// A player that the game itself brings along.
    House(String),
    /// These moves one after the other, from the first again when they are used up.
    Script(Vec<String>),
    /// Monte Carlo tree search with so many playouts for each move, from 1 to `PLAYOUTS_MAX`.
    Search(u32),
}

/// More playouts for one move take minutes in any game.
const PLAYOUTS_MAX: u32 = 1_000_000;

/// What was written is no player.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlayerError {
    #[error(
        "there is no player `{0}`; write `random`, `house:NAME`, `script:MOVE,MOVE`, `search:PLAYOUTS`, `endpoint:NAME`, `model:NAME`, \
         `learner` or `person`"
    )]
    Unknown(String),
    #[error("`{0}` names no model; write `{0}NAME`")]
    NamelessModel(String),
    #[error("`{0}` names no house player; write `house:NAME`")]
    NamelessHouse(String),
    #[error("`{0}` has no moves; write `script:MOVE,MOVE`")]
    EmptyScript(String),
    #[error("`{0}` does not say how many playouts; write `search:100`, or any number up to {PLAYOUTS_MAX}")]
    Playouts(String),
}

impl Player {
    /// Reads `random`, `house:NAME`, `script:A,B,C`, `search:PLAYOUTS`, `endpoint:NAME`, `model:NAME`, `person` or `learner`.
    ///
    /// # Errors
    /// Where the text is anything else. Whether a game has the house player is checked with the task.
    pub fn parse(text: &str) -> Result<Player, PlayerError> {
        match text.split_once(':') {
            None if text == "learner" => Ok(Player::Learner),
            None if text == "person" => Ok(Player::Person),
            None if text == "random" => Ok(Player::Random),
            Some(("house", "")) => Err(PlayerError::NamelessHouse(text.to_string())),
            Some(("house", name)) => Ok(Player::House(name.to_string())),
            Some(("endpoint" | "model", "")) => Err(PlayerError::NamelessModel(text.to_string())),
            Some(("endpoint", name)) => Ok(Player::Endpoint(name.to_string())),
            Some(("model", name)) => Ok(Player::Model(name.to_string())),
            Some(("search", playouts)) => match playouts.parse() {
                Ok(playouts @ 1..=PLAYOUTS_MAX) => Ok(Player::Search(playouts)),
                _ => Err(PlayerError::Playouts(text.to_string())),
            },
            Some(("script", moves)) => {
                let moves: Vec<String> = moves.split(',').map(|text| text.trim().to_string()).collect();
                if moves.iter().any(String::is_empty) {
                    return Err(PlayerError::EmptyScript(text.to_string()));
                }
                Ok(Player::Script(moves))
            }
            _ => Err(PlayerError::Unknown(text.to_string())),
        }
    }

    /// Whether the episode waits for this player instead of answering for it.
    pub fn is_external(&self) -> bool {
        matches!(self, Player::Learner | Player::Person | Player::Endpoint(_) | Player::Model(_))
    }

    /// Whether its replies are a language model's: texts that a move is taken out of.
    pub fn is_model(&self) -> bool {
        matches!(self, Player::Learner | Player::Endpoint(_) | Player::Model(_))
    }

    /// What a sandboxed player says when it is asked.
    ///
    /// `asked_before` counts how often this seat was asked before in this stage; a script goes by it.
    ///
    /// # Errors
    /// Where the game misbehaves while it lists its moves or plays for the house.
    ///
    /// # Panics
    /// For an external player: only its owner knows what it says. For one that searches: it goes by what its seat knows.
    pub fn sandboxed_move(
        &self,
        instance: &mut Instance,
        house_players: &[String],
        seat: Seat,
        asked_before: u32,
        random: Stream,
    ) -> Result<String, Fault> {
        match self {
            Player::Random => random_move(instance, house_players, seat, random),
            Player::House(name) => instance.house_move(seat, name, random),
            Player::Script(moves) => Ok(moves[asked_before as usize % moves.len()].clone()),
            Player::Learner | Player::Person | Player::Endpoint(_) | Player::Model(_) => {
                unreachable!("the episode waits for external players")
            }
            Player::Search(_) => unreachable!("the table has what it goes by"),
        }
    }
}

/// A uniformly random legal move.
///
/// Where any text may be a move there is nothing to draw from: then the game's own house player `random` speaks, and
/// where it has none, a whole number from 0 to 99, which says nothing and helps nobody.
pub fn random_move(
    instance: &mut Instance,
    house_players: &[String],
    seat: Seat,
    mut random: Stream,
) -> Result<String, Fault> {
    match instance.legal_moves(seat)? {
        Some(mut moves) if !moves.is_empty() => {
            let chosen = random.below(moves.len() as u32) as usize;
            Ok(moves.swap_remove(chosen))
        }
        _ if house_players.iter().any(|name| name == "random") => instance.house_move(seat, "random", random),
        _ => Ok(random.below(100).to_string()),
    }
}

impl fmt::Display for Player {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Player::Learner => formatter.write_str("learner"),
            Player::Person => formatter.write_str("person"),
            Player::Random => formatter.write_str("random"),
            Player::Endpoint(name) => write!(formatter, "endpoint:{name}"),
            Player::Model(name) => write!(formatter, "model:{name}"),
            Player::House(name) => write!(formatter, "house:{name}"),
            Player::Script(moves) => write!(formatter, "script:{}", moves.join(",")),
            Player::Search(playouts) => write!(formatter, "search:{playouts}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_player_reads_back_what_it_writes() {
        for text in [
            "learner",
            "person",
            "random",
            "house:optimal",
            "house:fallible:0.3",
            "script:a1",
            "script:1,2,3",
            "endpoint:vllm",
            "model:past",
        ] {
            assert_eq!(Player::parse(text).expect(text).to_string(), text);
        }
    }

    #[test]
    fn a_mistyped_player_is_refused_with_what_may_be_written() {
        for text in [
            "",
            "randomm",
            "house",
            "house:",
            "script:",
            "script:1,,2",
            "search",
            "search:",
            "search:0",
            "search:-1",
            "house optimal",
            "Random",
            "model:",
            "endpoint",
        ] {
            let error = Player::parse(text).expect_err(text).to_string();
            assert!(error.contains("write `"), "{error}");
        }
    }

    #[test]
    fn people_and_models_are_waited_for_and_nobody_else() {
        assert!(Player::Learner.is_external() && Player::Person.is_external());
        assert!(Player::Endpoint("a".into()).is_external() && Player::Model("b".into()).is_external());
        assert!(!Player::Random.is_external() && !Player::House("optimal".into()).is_external());
    }
}
