//! The word pairs: `data/pairs.txt`, one line a pair, whose head says how a line is written.
//!
//! An episode needs one pair, and a fresh instance plays each episode: only the drawn line is taken apart.

use ludus_game::Random;

const PAIRS: &str = include_str!("../data/pairs.txt");

/// A secret word with what a house player may say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub text: &'static str,
    /// The clues that are true of both words of the pair come first.
    pub clues: Vec<&'static str>,
}

/// One of the pairs, in the order of the file.
///
/// # Panics
/// Where the file is not as its head says. It is part of the build, and a test reads all of it.
pub fn draw(random: &mut Random) -> [Word; 2] {
    let count = lines().count() as u32;
    let line = lines().nth(random.below(count) as usize).expect("a line below the count");
    parse(line).expect("a well-formed line")
}

fn lines() -> impl Iterator<Item = &'static str> {
    PAIRS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// `word, word: shared; shared | first's; first's | second's; second's`
fn parse(line: &'static str) -> Option<[Word; 2]> {
    let (words, clues) = line.split_once(':')?;
    let (first, second) = words.split_once(',')?;
    let groups: Vec<Vec<&str>> = clues.split('|').map(|group| group.split(';').map(str::trim).collect()).collect();
    let [shared, of_first, of_second] = <[_; 3]>::try_from(groups).ok()?;
    let word =
        |text: &'static str, own: &[&'static str]| Word { text: text.trim(), clues: [&shared[..], own].concat() };
    Some([word(first, &of_first), word(second, &of_second)])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::leak::says;

    fn pairs() -> Vec<[Word; 2]> {
        lines().map(|line| parse(line).unwrap_or_else(|| panic!("malformed: {line}"))).collect()
    }

    #[test]
    fn there_are_at_least_300_different_pairs() {
        let different: BTreeSet<[&str; 2]> = pairs()
            .iter()
            .map(
                |[first, second]| {
                    if first.text < second.text { [first.text, second.text] } else { [second.text, first.text] }
                },
            )
            .collect();
        assert_eq!(different.len(), lines().count(), "a pair stands there twice");
        assert!(different.len() >= 300, "{} pairs", different.len());
    }

    #[test]
    fn the_words_of_a_pair_are_two_plain_different_words() {
        for [first, second] in pairs() {
            assert_ne!(first.text.to_lowercase(), second.text.to_lowercase());
            for word in [first, second] {
                assert!(
                    word.text.len() >= 3 && word.text.bytes().all(|byte| byte.is_ascii_alphabetic()),
                    "{:?}",
                    word.text
                );
            }
        }
    }

    #[test]
    fn every_word_has_at_least_four_different_clues_of_which_some_are_shared_and_some_are_not() {
        for [first, second] in pairs() {
            for word in [&first, &second] {
                let different: BTreeSet<&str> = word.clues.iter().copied().collect();
                assert!(different.len() >= 4 && different.len() == word.clues.len(), "{word:?}");
            }
            let shared = first.clues.iter().filter(|clue| second.clues.contains(clue)).count();
            assert!(shared >= 2 && shared + 2 <= first.clues.len().min(second.clues.len()), "{first:?} and {second:?}");
        }
    }

    #[test]
    fn no_clue_says_a_word_of_its_pair() {
        for [first, second] in pairs() {
            for clue in first.clues.iter().chain(&second.clues) {
                for word in [&first, &second] {
                    assert!(!says(clue, word.text), "{:?} says {:?}", clue, word.text);
                }
            }
        }
    }

    #[test]
    fn every_clue_is_a_short_line_in_one_writing() {
        for word in pairs().iter().flatten() {
            for clue in &word.clues {
                assert!((3..=60).contains(&clue.len()) && clue.is_ascii() && !clue.ends_with('.'), "{clue:?}");
            }
        }
    }

    #[test]
    fn every_pair_can_be_drawn() {
        let mut random = Random::seeded(1);
        let drawn: BTreeSet<&str> = (0..6000).map(|_| draw(&mut random)).map(|[first, _]| first.text).collect();
        let all: BTreeSet<&str> = pairs().iter().map(|[first, _]| first.text).collect();
        assert_eq!(drawn, all);
    }
}
