//! Answers found in replies by patterns, and when two of them are the same: the filters of the harness's MMLU-Pro and GSM8K.

use std::sync::LazyLock;

use regex::Regex;

/// What is found where nothing is.
pub const INVALID: &str = "[invalid]";

/// The letter of the first `answer is (X)`.
pub fn letter(reply: &str) -> String {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| pattern(r"answer is \(?([ABCDEFGHIJ])\)?"));
    PATTERN.captures(reply).map_or_else(|| INVALID.to_owned(), |found| found[1].to_owned())
}

/// The number behind the first `#### `: GSM8K's `strict-match`.
pub fn strict_number(reply: &str) -> String {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| pattern(r"#### (-?[0-9.,]+)"));
    PATTERN.captures(reply).map_or_else(|| INVALID.to_owned(), |found| found[1].to_owned())
}

/// The last number, whatever stands around it: GSM8K's `flexible-extract`.
pub fn last_number(reply: &str) -> String {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| pattern(r"-?[$0-9.,]{2,}|-?[0-9]+"));
    PATTERN.find_iter(reply).last().map_or_else(|| INVALID.to_owned(), |found| found.as_str().to_owned())
}

/// Whether two numbers are written the same but for commas, dollar signs, a worked answer before `#### `, and a point behind.
pub fn same_number(found: &str, gold: &str) -> bool {
    plain_number(found) == plain_number(gold)
}

fn plain_number(text: &str) -> String {
    let text = text.replace([',', '$'], "");
    let text = text.rsplit_once("#### ").map_or(text.as_str(), |(_, number)| number);
    text.strip_suffix('.').unwrap_or(text).to_lowercase()
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern that the tests use")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_letter_counts_and_the_last_number() {
        assert_eq!(letter("So the answer is (C). No: the answer is D"), "C");
        assert_eq!(letter("The answer is K"), INVALID);
        assert_eq!(strict_number("3 + 4 = 7\n#### 7\n#### 8"), "7");
        assert_eq!(strict_number("####7"), INVALID);
        assert_eq!(last_number("He has 5, then -$1,250. Done"), "-$1,250.");
        assert_eq!(last_number("none"), INVALID);
    }

    #[test]
    fn numbers_are_the_same_however_they_are_written() {
        assert!(same_number("$1,250.", "9 * 9\n#### 1250"));
        assert!(!same_number("12.50", "#### 1250"));
        assert!(!same_number(INVALID, "#### 1250"));
    }
}
