//! GIFT's way to deal and to score, for comparison with its numbers only.
//!
//! The other's move does not matter. The matrix is varied; the one right action is the likeliest of the own mix in the *last*
//! equilibrium that support enumeration finds, which is often the mixed one: Battle of the Sexes then rewards what
//! miscoordinates. The letter B throughout scores 19/36 = 52.8 %, a uniform legal answer 39.4 %; the tests hold both.

use ludus_game::Random;

use crate::bimatrix::Bimatrix;
use crate::catalogue::{NAMES, bimatrix};
use crate::equilibria::Mix;
use crate::options::GameName;

/// What is added to all payoffs, each with the same probability.
pub const OFFSETS: [i64; 3] = [0, 100, -100];

/// Whether a game may be negated: the first seven of the catalogue.
pub fn may_be_negated(name: GameName) -> bool {
    NAMES[..7].contains(&name)
}

/// Negates the game with probability 1/2 where that may be, then adds an offset.
pub fn vary(name: GameName, random: &mut Random) -> Bimatrix {
    let negated = random.chance(1, 2) && may_be_negated(name);
    variant(name, negated, *random.pick(&OFFSETS))
}

/// One variant of a game.
pub fn variant(name: GameName, negated: bool, offset: i64) -> Bimatrix {
    bimatrix(name).map(|payoff| if negated { offset - payoff } else { offset + payoff })
}

/// The share of rounds that chose the likeliest action of the mix. 0 without an equilibrium; no variant is without one.
pub fn score(mix: Option<&Mix>, rounds: impl Iterator<Item = (usize, usize)>) -> f64 {
    let right = mix.map(Mix::likeliest);
    let (hits, played) =
        rounds.fold((0, 0), |(hits, played), (action, _)| (hits + u32::from(Some(action) == right), played + 1));
    f64::from(hits) / f64::from(played)
}
