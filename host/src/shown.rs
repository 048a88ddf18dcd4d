//! Texts from games, models and files, made fit for a terminal.

use std::fmt::Display;

use serde::Serialize;

/// Text without what a terminal obeys, line ends excepted.
pub fn clean(text: &str) -> String {
    let shown = |character: char| match character {
        '\n' => '\n',
        '\t' => ' ',
        character if character.is_control() || turns_text_around(character) => char::REPLACEMENT_CHARACTER,
        character => character,
    };
    text.chars().map(shown).collect()
}

/// A value as JSON over several lines, in which nothing is left that a terminal obeys: it reads back as the same value.
///
/// # Errors
/// Where the value is none of JSON's.
pub fn json(value: &impl Serialize) -> serde_json::Result<String> {
    let text = serde_json::to_string_pretty(value)?;
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        // Those below 0x20 are escaped already, and what is left stands in strings alone.
        if character != '\n' && (character.is_control() || turns_text_around(character)) {
            shown.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            shown.push(character);
        }
    }
    Ok(shown)
}

/// An error in one sentence: of a longer story the first line, and of one that quotes page after page not the middle, so that
/// what it says to do is kept.
pub fn sentence(error: &dyn Display) -> String {
    let story = error.to_string();
    let line = story.lines().find(|line| !line.trim().is_empty()).unwrap_or("something went wrong");
    without_its_middle(&clean(line))
}

/// Unicode's marks that make a line read in another order than it was written.
fn turns_text_around(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn without_its_middle(sentence: &str) -> String {
    const KEPT: usize = 400;
    let length = sentence.chars().count();
    if length <= 2 * KEPT {
        return sentence.to_string();
    }
    let (first, last) = (sentence.chars().take(KEPT), sentence.chars().skip(length - KEPT));
    first.chain(" … ".chars()).chain(last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_taken_out_and_lines_and_letters_stay() {
        assert_eq!(
            clean("a\u{1b}]0;owned\u{7}\r\u{9b}2Jb\u{202e}"),
            "a\u{fffd}]0;owned\u{fffd}\u{fffd}\u{fffd}2Jb\u{fffd}"
        );
        assert_eq!(clean("é ✓\n\t漢"), "é ✓\n 漢");
    }

    #[test]
    fn json_has_nothing_that_a_terminal_obeys_and_reads_back_as_it_was() {
        let value = serde_json::json!({ "note\u{9b}": ["\u{1b}[2J\u{7f}", "\u{202e}é ✓\n"] });
        let text = json(&value).unwrap();
        assert_eq!(clean(&text), text);
        assert!(text.contains("\\u009b") && text.contains("\\u007f") && text.contains("\\u202e"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn an_error_is_its_first_line_and_keeps_its_two_ends() {
        assert_eq!(sentence(&"there is no game `x`\nfor a reason"), "there is no game `x`");
        let short = sentence(&format!("there is no game `{}`: there are two", "ä".repeat(10_000)));
        assert!(short.starts_with("there is no game `ä") && short.ends_with("ä`: there are two"), "{short}");
        assert!(short.chars().count() < 1_000);
    }
}
