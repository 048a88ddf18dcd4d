//! The players that the game brings along. Each decides from what its seat has seen:
//!
//! ```text
//! random        says anything, promises among it, and cooperates or defects with equal probability
//! tit-for-tat   cooperates first, then does what the other did last; says what it is going to do
//! grim          cooperates until the other has defected once, then never again; says what it is going to do
//! liar          promises to cooperate, and defects
//! believer      cooperates where the other promises to and has never broken a promise: with it, talk pays
//! ```
//!
//! Where nobody talks, nothing is promised, and `believer` defects.

use ludus_game::Random;

use crate::Choice::{self, Cooperate, Defect};
use crate::Round;
use crate::message::is_promise;

const PLAYERS: [&str; 5] = ["random", "tit-for-tat", "grim", "liar", "believer"];

const RANDOM_MESSAGES: [&str; 6] = [
    "I promise to cooperate.",
    "Let us both cooperate.",
    "I have not decided yet.",
    "I will defect.",
    "Whatever you do, I do as well.",
    "Hello.",
];

/// What a house player's seat sees: the rounds so far, from its own side.
pub struct Seen<'game> {
    pub own: usize,
    pub rounds: &'game [Round],
}

impl Seen<'_> {
    fn others_choices(&self) -> impl DoubleEndedIterator<Item = Choice> {
        self.rounds.iter().map(|round| round.choices[1 - self.own])
    }

    fn other_has_broken_a_promise(&self) -> bool {
        let other = 1 - self.own;
        self.rounds.iter().any(|round| is_promise(&round.messages[other]) && round.choices[other] == Defect)
    }
}

/// What a player says before a round.
///
/// # Errors
/// A sentence for a player that does not exist.
pub fn message(player: &str, seen: &Seen<'_>, random: &mut Random) -> Result<&'static str, String> {
    Ok(match player {
        "random" => *random.pick(&RANDOM_MESSAGES),
        "tit-for-tat" => match seen.others_choices().next_back() {
            None => "I promise to cooperate now. After that I do what you did last.",
            Some(Cooperate) => "I promise to cooperate, since you did.",
            Some(Defect) => "I defect now, since you did. Cooperate and I will again.",
        },
        "grim" if has_defected(seen) => "You have defected, so I defect from now on.",
        "grim" => "I promise to cooperate as long as you do. If you defect once, I defect until the end.",
        "liar" => "I promise to cooperate. Please cooperate too.",
        "believer" if seen.other_has_broken_a_promise() => "You broke your word. I do not believe you any more.",
        "believer" => "Give me your word that you cooperate, and I will.",
        _ => return Err(unknown(player)),
    })
}

/// What a player chooses, after it has read the other's message.
///
/// # Errors
/// A sentence for a player that does not exist.
pub fn choice(player: &str, seen: &Seen<'_>, others_message: &str, random: &mut Random) -> Result<Choice, String> {
    let cooperates = match player {
        "random" => random.chance(1, 2),
        "tit-for-tat" => seen.others_choices().next_back() != Some(Defect),
        "grim" => !has_defected(seen),
        "liar" => false,
        "believer" => is_promise(others_message) && !seen.other_has_broken_a_promise(),
        _ => return Err(unknown(player)),
    };
    Ok(if cooperates { Cooperate } else { Defect })
}

fn has_defected(seen: &Seen<'_>) -> bool {
    seen.others_choices().any(|choice| choice == Defect)
}

fn unknown(player: &str) -> String {
    format!("There is no house player `{player}`; take one of {}.", PLAYERS.join(", "))
}
