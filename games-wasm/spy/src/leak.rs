//! Whether a description says the secret word.
//!
//! It does where one of its words is the secret one, a simple form of it (`guitars`, `guitarist`, `baking` for `bake`), or a
//! compound with it (`seahorse`); joined letters (`g-u-i-t-a-r`) count as a word. Irregular plurals (`mice`) and other languages
//! are not known here. A short secret word gives no compounds, or `car` would forbid `scarlet`.

/// Endings that make another form of the same word.
const ENDINGS: [&str; 20] = [
    "s", "es", "ed", "er", "ers", "or", "ors", "ing", "ings", "y", "ly", "ist", "ists", "ish", "like", "less", "ful",
    "en", "est", "ness",
];

/// A compound needs a secret word of at least this many letters …
const COMPOUND_WORD_LETTERS_MIN: usize = 5;
/// … and at least this many around it: `plane` is in `airplane`, but not in `planet`.
const COMPOUND_REST_LETTERS_MIN: usize = 3;

/// True where the text contains the word, or a form of it.
pub fn says(text: &str, word: &str) -> bool {
    let word = word.to_lowercase();
    let text = text.to_lowercase();
    let tokens: Vec<&str> =
        text.split(|letter: char| !letter.is_alphanumeric()).filter(|token| !token.is_empty()).collect();
    tokens.iter().any(|token| is_form_of(token, &word))
        || spelled(&tokens).iter().any(|letters| letters.contains(&word))
}

/// What runs of single letters spell.
fn spelled(tokens: &[&str]) -> Vec<String> {
    tokens.split(|token| token.chars().count() > 1).filter(|letters| letters.len() > 1).map(<[&str]>::concat).collect()
}

fn is_form_of(token: &str, word: &str) -> bool {
    let inflected = stems(word)
        .iter()
        .any(|stem| token.strip_prefix(stem.as_str()).is_some_and(|ending| ENDINGS.contains(&ending)));
    token == word || inflected || is_compound_of(token, word)
}

/// What endings are hung on: `cit` + `i` for `city`, `bak` for `bake`, `swimm` for `swim`, `kniv` for `knife`.
fn stems(word: &str) -> Vec<String> {
    let mut stems = vec![word.to_owned()];
    for (end, changed) in [("e", ""), ("y", "i"), ("f", "v"), ("fe", "v")] {
        stems.extend(word.strip_suffix(end).map(|stem| format!("{stem}{changed}")));
    }
    stems.extend(word.chars().last().filter(|last| !"aeiouwxy".contains(*last)).map(|last| format!("{word}{last}")));
    stems
}

fn is_compound_of(token: &str, word: &str) -> bool {
    word.len() >= COMPOUND_WORD_LETTERS_MIN
        && token.len() >= word.len() + COMPOUND_REST_LETTERS_MIN
        && (token.starts_with(word) || token.ends_with(word))
}

#[cfg(test)]
mod tests {
    use super::says;

    #[test]
    fn the_word_its_forms_and_its_compounds_are_found() {
        for (text, word) in [
            ("a guitar", "guitar"),
            ("GUITAR!", "guitar"),
            ("played by a guitarist", "guitar"),
            ("two guitars", "Guitar"),
            ("the guitar's neck", "guitar"),
            ("air-guitar", "guitar"),
            ("g-u-i-t-a-r", "guitar"),
            ("It is a G U I T A R", "guitar"),
            ("many cherries", "cherry"),
            ("sharp knives", "knife"),
            ("autumn leaves", "leaf"),
            ("I was baking", "bake"),
            ("a biker", "bike"),
            ("swimming is fun", "swim"),
            ("boxes", "box"),
            ("wooden", "wood"),
            ("rainy days", "rain"),
            ("an airplane", "plane"),
            ("a seahorse", "horse"),
            ("horseback riding", "horse"),
        ] {
            assert!(says(text, word), "{text:?} says {word:?}");
        }
    }

    #[test]
    fn other_words_are_let_through() {
        for (text, word) in [
            ("", "guitar"),
            ("it has strings", "guitar"),
            ("a scarlet card", "car"),
            ("the price of it", "rice"),
            ("it can appear", "pear"),
            ("a planet", "plane"),
            ("steam and a team", "tea"),
            ("a b c", "guitar"),
            ("working and cooking", "king"),
            ("I am on it", "moon"),
            ("grüße, 你好", "guitar"),
        ] {
            assert!(!says(text, word), "{text:?} does not say {word:?}");
        }
    }
}
