//! Answers in LaTeX: where a solution has its answer, how answers are written alike, and when two are the same.
//!
//! The steps of [`normalized`] are those of appendix D of "Solving Quantitative Reasoning Problems with Language Models"
//! (Lewkowycz et al. 2022), as the harness's minerva_math takes them.
//!
//! What it does not do: the harness then also asks a computer algebra system whether the difference of two answers is zero.
//! Here two normalized answers are the same where they are the same text, or plain numbers (whole, decimal, fractions) of the
//! same value. So `2x+2` for `2(x+1)` counts as wrong here and as right there; never the other way round.

use std::sync::LazyLock;

use regex::Regex;

/// What is found where nothing is.
pub const INVALID: &str = "[invalidanswer]";

/// The answer behind `Final Answer: The final answer is`, before `. I hope it is correct.`
pub fn final_answer(reply: &str) -> String {
    static PATTERN: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"Final Answer: The final answer is(.*?). I hope it is correct."));
    let ended = format!("{reply}I hope it is correct.");
    PATTERN.captures(&ended).map_or_else(|| INVALID.to_owned(), |found| found[1].trim().to_owned())
}

/// What stands in the last `\boxed{}` or `\fbox{}`, braces within it included; of `\boxed x`, what follows up to a `$`.
pub fn last_boxed(text: &str) -> Option<String> {
    if let Some((_, after)) = text.rsplit_once(r"\boxed ") {
        return Some(after.split('$').next().unwrap_or_default().to_owned());
    }
    let start = text.rfind(r"\boxed").or_else(|| text.rfind(r"\fbox"))?;
    let open = start + text[start..].find('{')?;
    let mut depth = 0;
    for (at, character) in text[open..].char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(text[open + 1..open + at].to_owned());
        }
    }
    None
}

/// Words and marks that say nothing about an answer's value, in the order in which they are taken out.
const EMPTY: [&str; 42] = [
    "square",
    "ways",
    "integers",
    "dollars",
    "mph",
    "inches",
    "ft",
    "hours",
    "km",
    "units",
    r"\ldots",
    "sue",
    "points",
    "feet",
    "minutes",
    "digits",
    "cents",
    "degrees",
    "cm",
    "gm",
    "pounds",
    "meters",
    "meals",
    "edges",
    "students",
    "childrentickets",
    "multiples",
    r"\text{s}",
    r"\text{.}",
    "\\text{\ns}",
    r"\text{}^2",
    r"\text{}^3",
    "\\text{\n}",
    r"\text{}",
    r"\mathrm{th}",
    r"^\circ",
    r"^{\circ}",
    r"\;",
    r",\!",
    "{,}",
    "\"",
    r"\dots",
];

/// What is written otherwise, in order.
const OTHERWISE: [(&str, &str); 10] = [
    ("an ", ""),
    ("a ", ""),
    (".$", "$"),
    (r"\$", ""),
    (r"\ ", ""),
    (" ", ""),
    ("mbox", "text"),
    (r",\text{and}", ","),
    (r"\text{and}", ","),
    (r"\text{m}", r"\text{}"),
];

/// An answer as all that mean the same should be written.
pub fn normalized(answer: &str) -> String {
    static COMMAND: LazyLock<Regex> = LazyLock::new(|| pattern(r"\\[a-zA-Z]+"));
    static REWRITTEN: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let rules = [
            // What is in math, in words, in bold, under a line, or in a box.
            (r"(.*?)(\$)(.*?)(\$)(.*)", "$$${3}$$"),
            (r"(\\text\{)(.*?)(\})", "${2}"),
            (r"(\\textbf\{)(.*?)(\})", "${2}"),
            (r"(\\overline\{)(.*?)(\})", "${2}"),
            (r"(\\boxed\{)(.*)(\})", "${2}"),
            // \frac12 and \sqrt2 get their braces.
            (r"(frac)([^{])(.)", "frac{${2}}{${3}}"),
            (r"(sqrt)(\[[^\]]*\])(\w)", "${1}${2}{${3}}"),
            (r"(sqrt)([^{\[])", "sqrt{${2}}"),
        ];
        rules.into_iter().map(|(found, written)| (pattern(found), written)).collect()
    });
    static THOUSANDS: LazyLock<Regex> = LazyLock::new(|| pattern(r"\A-?\d{1,3}(,\d{3})+\z"));

    let mut text = answer.rsplit('=').next().unwrap_or_default().to_owned();
    for word in EMPTY.iter().filter(|word| is_word(word)) {
        text = without_whole_word(&text, word);
    }
    for (found, written) in OTHERWISE {
        text = text.replace(found, written);
    }
    for gone in EMPTY {
        text = if is_word(gone) {
            outside(&COMMAND, &text, |part| part.replace(gone, ""))
        } else {
            text.replace(gone, "")
        };
    }
    for (found, written) in REWRITTEN.iter() {
        text = found.replace_all(&text, *written).into_owned();
    }
    text = text.replace('$', "");
    if THOUSANDS.is_match(&text) { text.replace(',', "") } else { text }
}

/// Whether two normalized answers are the same.
pub fn same(one: &str, other: &str) -> bool {
    let values = || Some((Fraction::of(one)?, Fraction::of(other)?));
    (!one.is_empty() && one == other) || values().is_some_and(|(one, other)| one.equals(other))
}

/// A plain number as a fraction of whole ones.
#[derive(Clone, Copy)]
struct Fraction {
    over: i128,
    under: i128,
}

impl Fraction {
    /// Of `-3`, `0.25`, `\frac{1}{4}` or `1/4`; none of anything else, and of what is too large.
    fn of(text: &str) -> Option<Fraction> {
        static LATEX: LazyLock<Regex> =
            LazyLock::new(|| pattern(r"\A(-?)(?:\\[dt]?frac\{(-?\d+)\}\{(\d+)\}|(-?\d+)/(\d+))\z"));
        if let Some(found) = LATEX.captures(text) {
            let number = |one: usize, other: usize| found.get(one).or(found.get(other))?.as_str().parse::<i128>().ok();
            let (over, under) = (number(2, 4)?, number(3, 5)?);
            let over = if found[1].is_empty() { over } else { -over };
            return (under != 0).then_some(Fraction { over, under });
        }
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.chars().all(|character| character.is_ascii_digit());
        let unsigned = whole.strip_prefix('-').unwrap_or(whole);
        if !digits(unsigned) || !digits(decimals) || (unsigned.is_empty() && decimals.is_empty()) {
            return None;
        }
        let over = format!("{whole}{decimals}").parse().ok()?;
        Some(Fraction { over, under: 10i128.checked_pow(u32::try_from(decimals.len()).ok()?)? })
    }

    fn equals(self, other: Fraction) -> bool {
        let (one, two) = (self.over.checked_mul(other.under), other.over.checked_mul(self.under));
        one.is_some() && one == two
    }
}

fn is_word(text: &str) -> bool {
    text.chars().all(char::is_alphabetic)
}

/// The text without a word where it stands alone and is no command of LaTeX.
fn without_whole_word(text: &str, word: &str) -> String {
    let alone = |at: usize| {
        let (before, after) = (text[..at].chars().next_back(), text[at + word.len()..].chars().next());
        let joins = |character: char| character.is_alphanumeric() || character == '_';
        !before.is_some_and(|character| character == '\\' || joins(character)) && !after.is_some_and(joins)
    };
    let mut kept = String::new();
    let mut end = 0;
    for (at, _) in text.match_indices(word).filter(|(at, _)| alone(*at)) {
        kept.push_str(&text[end..at]);
        end = at + word.len();
    }
    kept + &text[end..]
}

/// The text with what lies between matches changed.
fn outside(matched: &Regex, text: &str, change: impl Fn(&str) -> String) -> String {
    let mut changed = String::new();
    let mut end = 0;
    for found in matched.find_iter(text) {
        changed += &change(&text[end..found.start()]);
        changed += found.as_str();
        end = found.end();
    }
    changed + &change(&text[end..])
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern that the tests use")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_box_is_found_with_the_braces_in_it() {
        assert_eq!(last_boxed(r"\boxed{1}, so $\boxed{\frac{1}{2}}$.").as_deref(), Some(r"\frac{1}{2}"));
        assert_eq!(last_boxed(r"so $\boxed 7$.").as_deref(), Some("7"));
        assert_eq!(last_boxed(r"\fbox{x}").as_deref(), Some("x"));
        assert_eq!(last_boxed(r"\boxed{1").as_deref(), None);
        assert_eq!(last_boxed("7"), None);
    }

    #[test]
    fn plain_numbers_are_the_same_by_value_and_all_else_by_its_text() {
        for (one, other) in
            [("0.5", r"\frac{1}{2}"), ("-3/6", r"-\frac{1}{2}"), ("2.0", "2"), (r"\dfrac{4}{2}", "2"), ("x", "x")]
        {
            assert!(same(one, other), "{one} {other}");
        }
        for (one, other) in
            [("", ""), ("2x+2", "2(x+1)"), ("0.33", r"\frac{1}{3}"), ("1/0", "1/0.0"), (".", ".0"), ("-", "-0")]
        {
            assert!(!same(one, other), "{one} {other}");
        }
    }
}
