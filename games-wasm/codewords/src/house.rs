//! The players that the game brings along, each for either seat.
//!
//! `themes` knows the clues of the lexicon. As the giver it takes the clue that fits most targets left and nothing else; where
//! each clue fits something else too, the one with most targets less other words, and one that fits a trap only where no other
//! is left. As the guesser it takes the word that the clue fits best, and stops where none fits:
//!
//! ```text
//! fit(clue, word) = 1                                    where the lexicon has the clue for the word
//!                   1/2 max over words u near the clue
//!                       of |common clues| / |clues of either|   of u and the word, else
//! near the clue:    the word that the clue is, and all that it fits
//! ```
//!
//! A clue counts as the lexicon's where it is its plural.
//!
//! `random` gives any clue of the lexicon with any number, and guesses anything.

use ludus_game::Random;

use crate::clue::Clue;
use crate::lexicon::{Word, words};
use crate::{Board, Role};

/// What a player that does not exist is answered.
pub fn unknown(player: &str) -> String {
    format!("There is no house player `{player}`; take `themes` or `random`.")
}

/// The clue that `themes` gives.
pub fn clue(board: &Board, random: &mut Random) -> Clue {
    let left = |role: Role| board.hidden().filter(move |card| card.role == role).map(|card| &card.word);
    let fitting = |clue: &str, role: Role| left(role).filter(|word| word.fits(clue)).count() as i32;
    let mut best: (i32, Vec<&str>) = (i32::MIN, Vec::new());
    for clue in left(Role::Target).flat_map(|word| &word.clues) {
        let (targets, others, traps) =
            (fitting(clue, Role::Target), fitting(clue, Role::Other), fitting(clue, Role::Trap));
        // A trap outweighs all targets, and another word any one of them.
        let worth = if others + traps == 0 { 100 * targets } else { targets - others - 1_000 * traps };
        if worth > best.0 {
            best = (worth, Vec::new());
        }
        if worth == best.0 && !best.1.contains(clue) {
            best.1.push(clue);
        }
    }
    let word = (*random.pick(&best.1)).to_owned();
    let number = fitting(&word, Role::Target) as u32;
    Clue { word, number }
}

/// A clue of the lexicon at random.
pub fn random_clue(board: &Board, random: &mut Random) -> Clue {
    let words = words();
    let word = random.pick(&words);
    let word = (*random.pick(&word.clues)).to_owned();
    Clue { word, number: 1 + random.below(board.targets_left()) }
}

/// The word that `themes` guesses, or none where it would rather stop. It sees the words, not their roles.
pub fn guess<'board>(hidden: &[&'board Word], clue: &Clue, may_stop: bool, random: &mut Random) -> Option<&'board str> {
    let lexicon = words();
    let fits: Vec<f64> = hidden.iter().map(|word| fit(&lexicon, &clue.word, word)).collect();
    let best = fits.iter().copied().fold(0.0, f64::max);
    if best == 0.0 && may_stop {
        return None;
    }
    let candidates: Vec<&str> =
        hidden.iter().zip(&fits).filter(|(_, fit)| **fit == best).map(|(word, _)| word.text).collect();
    Some(*random.pick(&candidates))
}

/// How well a clue fits a word, 0 to 1.
fn fit(lexicon: &[Word], clue: &str, word: &Word) -> f64 {
    let singular = clue.strip_suffix('s').unwrap_or(clue);
    let is_clue_of = |word: &Word| word.fits(clue) || word.fits(singular);
    if is_clue_of(word) {
        return 1.0;
    }
    let near = lexicon.iter().filter(|other| other.text == clue || other.text == singular || is_clue_of(other));
    near.map(|other| overlap(other, word) / 2.0).fold(0.0, f64::max)
}

/// Jaccard's index of the clues of two words.
fn overlap(first: &Word, second: &Word) -> f64 {
    let common = first.clues.iter().filter(|clue| second.fits(clue)).count();
    common as f64 / (first.clues.len() + second.clues.len() - common) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Word {
        words().into_iter().find(|word| word.text == text).expect("a word of the lexicon")
    }

    #[test]
    fn a_listed_clue_fits_best_a_related_one_less_and_an_unknown_one_not_at_all() {
        let lexicon = words();
        let fit = |clue: &str, text: &str| fit(&lexicon, clue, &word(text));
        assert_eq!([fit("roar", "lion"), fit("animals", "lion")], [1.0, 1.0]);
        // A tiger is much like a lion, a piano is not.
        assert!(0.0 < fit("tiger", "lion") && fit("tiger", "lion") < 1.0 && fit("tiger", "piano") == 0.0);
        assert_eq!(fit("xylophonist", "piano"), 0.0);
    }

    #[test]
    fn the_guesser_stops_where_nothing_fits_and_guesses_where_it_must() {
        let mut random = Random::seeded(1);
        let hidden = [word("piano"), word("lion")];
        let hidden: Vec<&Word> = hidden.iter().collect();
        let clue = |word: &str| Clue { word: word.to_owned(), number: 2 };
        assert_eq!(guess(&hidden, &clue("zoo"), true, &mut random), Some("lion"));
        assert_eq!(guess(&hidden, &clue("xylophonist"), true, &mut random), None);
        assert!(guess(&hidden, &clue("xylophonist"), false, &mut random).is_some());
    }
}
