//! A clue: one word, and how many targets it fits.

use crate::lexicon::gives_away;

/// Of a clue's word, in letters: long enough for any word, too short for a message.
pub const LETTERS_MAX: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clue {
    /// In lower case.
    pub word: String,
    pub number: u32,
}

/// Reads a clue: `animal 2`, `Animal: 2` or `animal (2)`.
///
/// # Errors
/// A sentence for the player.
pub fn parse<'board>(
    text: &str,
    number_max: u32,
    mut board: impl Iterator<Item = &'board str>,
) -> Result<Clue, String> {
    let unreadable = || "A clue is one English word and a number, such as music 2.".to_owned();
    let parts: Vec<&str> =
        text.split(|letter: char| !letter.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
    let &[word, number] = parts.as_slice() else { return Err(unreadable()) };
    if !word.bytes().all(|byte| byte.is_ascii_alphabetic()) || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(unreadable());
    }
    let word = word.to_ascii_lowercase();
    if word.len() > LETTERS_MAX {
        return Err(format!("The word of a clue has at most {LETTERS_MAX} letters."));
    }
    let number = number.parse().ok().filter(|number| (1..=number_max).contains(number));
    let number = number.ok_or_else(|| match number_max {
        1 => "The number of a clue is 1: one target is left.".to_owned(),
        _ => format!("The number of a clue is from 1 to {number_max}, for the targets that are left."),
    })?;
    match board.find(|on_board| gives_away(&word, on_board)) {
        Some(on_board) => Err(format!("Your clue is too close to {on_board}, a word on the board: take another word.")),
        None => Ok(Clue { word, number }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Clue, String> {
        parse(text, 3, ["horse", "moon"].into_iter())
    }

    #[test]
    fn a_clue_is_read_leniently() {
        for text in ["animal 2", " Animal: 2. ", "animal, 2", "ANIMAL (2)", "\"animal\" 2", "animal\n2"] {
            assert_eq!(read(text), Ok(Clue { word: "animal".to_owned(), number: 2 }), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_clue_is_refused_with_the_reason() {
        for text in [
            "",
            "animal",
            "2",
            "animal two",
            "farm animal 2",
            "2 animal",
            "animal2",
            "farm-animal 2",
            "animal 2 3",
            "a2 2",
            "élan 1",
        ] {
            assert_eq!(
                read(text),
                Err("A clue is one English word and a number, such as music 2.".to_owned()),
                "{text:?}"
            );
        }
        for text in ["animal 0", "animal 4", "animal 99999999999"] {
            assert!(read(text).is_err_and(|reason| reason.contains("from 1 to 3")), "{text:?}");
        }
        assert!(read(&format!("{} 1", "a".repeat(21))).is_err_and(|reason| reason.contains("at most 20 letters")));
    }

    #[test]
    fn a_clue_that_has_a_word_in_it_or_begins_one_is_refused() {
        for text in ["horse 1", "HORSE 1", "seahorse 1", "hors 1", "moonlight 2", "horses 1"] {
            assert!(read(text).is_err_and(|reason| reason.contains("on the board")), "{text:?}");
        }
        // In `moon`, but not what it begins with.
        assert!(read("on 1").is_ok());
    }
}
