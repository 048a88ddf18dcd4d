//! The words that a board is made of, and the clues that fit them.

/// A word and the clues that fit it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub text: &'static str,
    pub clues: Vec<&'static str>,
}

impl Word {
    pub fn fits(&self, clue: &str) -> bool {
        self.clues.contains(&clue)
    }
}

/// All words, in the order of `data/words.txt`.
pub fn words() -> Vec<Word> {
    let lines = include_str!("../data/words.txt").lines().filter(|line| !line.starts_with('#'));
    let word = |line: &'static str| {
        let (text, clues) = line.split_once(": ").expect("a line is `word: clue clue`");
        Word { text, clues: clues.split(' ').collect() }
    };
    lines.map(word).collect()
}

/// Whether a clue gives a word of the board away: it has the word in it (`horses`, `seahorse` for `horse`) or begins it (`air`
/// for `airplane`). A word may have the clue inside by chance (`loud` in `cloud`).
pub fn gives_away(clue: &str, word: &str) -> bool {
    clue.contains(word) || word.starts_with(clue)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn words_and_their_clues_are_lower_case_and_each_is_there_once() {
        let words = words();
        assert!(words.len() >= 100, "{}", words.len());
        for (index, word) in words.iter().enumerate() {
            for text in word.clues.iter().chain([&word.text]) {
                assert!(
                    text.len() >= 2 && text.bytes().all(|byte| byte.is_ascii_lowercase()),
                    "{text:?} of {}",
                    word.text
                );
            }
            let unique: std::collections::BTreeSet<_> = word.clues.iter().collect();
            assert_eq!(unique.len(), word.clues.len(), "{}", word.text);
            assert!(words[..index].iter().all(|other| other.text != word.text), "{} stands there twice", word.text);
        }
    }

    #[test]
    fn no_clue_gives_a_word_away_whatever_is_on_the_board() {
        let words = words();
        let mut given_away = Vec::new();
        for clue in words.iter().flat_map(|word| &word.clues) {
            given_away.extend(words.iter().filter(|word| gives_away(clue, word.text)).map(|word| (clue, word.text)));
        }
        assert!(given_away.is_empty(), "{given_away:?}");
    }

    #[test]
    fn every_word_shares_clues_with_others() {
        let words = words();
        let mut fitting: BTreeMap<&str, u32> = BTreeMap::new();
        for clue in words.iter().flat_map(|word| &word.clues) {
            *fitting.entry(clue).or_default() += 1;
        }
        for word in &words {
            let shared = word.clues.iter().filter(|clue| fitting[**clue] > 1).count();
            assert!(word.clues.len() >= 3 && shared >= 1, "{}: {shared} of {}", word.text, word.clues.len());
        }
        assert!(fitting.values().filter(|&&words| words >= 3).count() >= 60, "themes are what several words share");
    }
}
