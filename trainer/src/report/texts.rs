//! Texts that many episodes share, such as prompts and boards, each kept once.

use std::collections::BTreeMap;

use ludus_host::shown;

/// A longer text is cut: whoever reads it is a person, and a game may write without end.
const CHARACTERS_MAX: usize = 20_000;

/// The texts of a report. Each is known by its number.
#[derive(Default)]
pub struct Texts {
    numbers: BTreeMap<String, usize>,
}

impl Texts {
    /// The number of a text.
    pub fn number(&mut self, text: &str) -> usize {
        let text = readable(text);
        let next = self.numbers.len();
        *self.numbers.entry(text).or_insert(next)
    }

    /// All texts, by number.
    pub fn into_list(self) -> Vec<String> {
        let mut list = vec![String::new(); self.numbers.len()];
        for (text, number) in self.numbers {
            list[number] = text;
        }
        list
    }
}

/// A text without what turns its lines around, and not longer than a person reads.
pub fn readable(text: &str) -> String {
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => shown::clean(&text[..end]) + " … (cut)",
        None => shown::clean(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_and_a_long_one_is_cut() {
        let mut texts = Texts::default();
        assert_eq!(["b", "a", "b"].map(|text| texts.number(text)), [0, 1, 0]);
        texts.number(&"é".repeat(CHARACTERS_MAX + 1));
        let list = texts.into_list();
        assert_eq!(list[..2], ["b", "a"]);
        assert!(list[2].ends_with("é … (cut)") && list[2].chars().count() < CHARACTERS_MAX + 20);
    }
}
