//! The house players. Both describe from the clues of their own word; neither looks at what its seat may not know.
//!
//! `clues` says one that nobody has said yet, and suspects the player whose descriptions are furthest from its own word:
//!
//! ```text
//! distance(description) = 1 - max over the own clues of |common words| / |words of either|
//! suspicion(player)     = mean distance of what the player said
//! ```
//!
//! `random` says any clue and votes for anybody else.

use std::cmp::Ordering;

use ludus_game::{Random, Seat};

use crate::words::Word;

/// Words that say nothing of a thing.
const EMPTY_WORDS: [&str; 20] = [
    "a", "an", "and", "are", "at", "for", "from", "has", "have", "in", "is", "it", "its", "of", "on", "or", "the",
    "to", "with", "you",
];

/// Words that begin with the same letters, so many of them, count as the same: `strings` and `stringed`.
const COMMON_LETTERS: usize = 5;

/// A description for `clues`: a clue that was not said yet, or any where all were.
pub fn describe(word: &Word, said: &[&str], random: &mut Random) -> String {
    let fresh: Vec<&str> =
        word.clues.iter().copied().filter(|clue| !said.iter().any(|text| text.eq_ignore_ascii_case(clue))).collect();
    (*random.pick(if fresh.is_empty() { &word.clues } else { &fresh })).to_owned()
}

/// A vote for `clues`. `descriptions` holds what each of the choices said; ties are broken at random.
pub fn suspect(word: &Word, descriptions: &[(Seat, Vec<&str>)], random: &mut Random) -> Seat {
    let suspicions: Vec<(Seat, f64)> = descriptions.iter().map(|(seat, said)| (*seat, suspicion(word, said))).collect();
    let most =
        suspicions.iter().map(|(_, suspicion)| *suspicion).max_by(f64::total_cmp).expect("somebody can be voted for");
    let tied: Vec<Seat> = suspicions
        .iter()
        .filter(|(_, suspicion)| suspicion.total_cmp(&most) == Ordering::Equal)
        .map(|(seat, _)| *seat)
        .collect();
    *random.pick(&tied)
}

fn suspicion(word: &Word, said: &[&str]) -> f64 {
    said.iter().map(|description| distance(word, description)).sum::<f64>() / said.len().max(1) as f64
}

fn distance(word: &Word, description: &str) -> f64 {
    let described = meanings(description);
    word.clues
        .iter()
        .map(|clue| overlap(&described, &meanings(clue)))
        .fold(1.0, |nearest, overlap| f64::min(nearest, 1.0 - overlap))
}

/// Jaccard's index: how many of the words of either are common to both.
fn overlap(first: &[String], second: &[String]) -> f64 {
    let common = first.iter().filter(|meaning| second.contains(meaning)).count();
    let either = first.len() + second.len() - common;
    if either == 0 { 0.0 } else { common as f64 / either as f64 }
}

/// The words that say something, cut to their first letters, each once.
fn meanings(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let tokens = text
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|token| !token.is_empty() && !EMPTY_WORDS.contains(token));
    let mut meanings: Vec<String> = Vec::new();
    for token in tokens {
        let meaning = token.chars().take(COMMON_LETTERS).collect();
        if !meanings.contains(&meaning) {
            meanings.push(meaning);
        }
    }
    meanings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violin() -> Word {
        Word { text: "violin", clues: vec!["it has strings", "made of wood", "played with a bow"] }
    }

    #[test]
    fn a_said_clue_is_not_said_again_while_others_are_left() {
        let mut random = Random::seeded(1);
        for _ in 0..50 {
            assert_eq!(describe(&violin(), &["It has strings", "played with a bow"], &mut random), "made of wood");
        }
        assert!(violin().clues.contains(&describe(&violin(), &violin().clues, &mut random).as_str()));
    }

    #[test]
    fn an_own_clue_is_near_a_paraphrase_further_and_another_thing_furthest() {
        assert_eq!(distance(&violin(), "Made of wood!"), 0.0);
        let paraphrase = distance(&violin(), "a stringed thing");
        assert!(0.0 < paraphrase && paraphrase < 1.0, "{paraphrase}");
        assert_eq!(distance(&violin(), "it barks at the postman"), 1.0);
        assert_eq!(distance(&violin(), "???"), 1.0);
    }

    #[test]
    fn the_player_furthest_from_the_own_word_is_suspected() {
        let mut random = Random::seeded(2);
        let descriptions = [
            (0, vec!["it has strings", "made of wood"]),
            (2, vec!["it has strings", "plucked with the fingers"]),
            (3, vec!["made of wood"]),
        ];
        for _ in 0..20 {
            assert_eq!(suspect(&violin(), &descriptions, &mut random), 2);
        }
    }

    #[test]
    fn equal_suspects_are_drawn_at_random() {
        let mut random = Random::seeded(3);
        let descriptions = [(0, vec!["made of wood"]), (1, vec!["it flies"]), (2, vec!["it barks"])];
        let votes: Vec<Seat> = (0..50).map(|_| suspect(&violin(), &descriptions, &mut random)).collect();
        assert!(votes.contains(&1) && votes.contains(&2) && !votes.contains(&0));
    }
}
