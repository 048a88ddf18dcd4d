//! Which of some concepts a sentence has words for.
//!
//! A concept is a dictionary form (`take`). A word is one of its own where it is that form or a regular inflection of it: with
//! -s, -es, -d, -ed, -ing, with an e left out (`taking`), a last letter doubled (`running`) or a y turned into i (`carries`).
//! Irregular forms (`took`) are not seen, so this is at most what a lemmatizer would find.

/// How many of the concepts are in the sentence.
pub fn covered(concepts: &[String], sentence: &str) -> usize {
    let lower = sentence.to_lowercase();
    let words: Vec<&str> = lower.split(|character: char| !character.is_alphanumeric()).collect();
    concepts.iter().filter(|concept| words.iter().any(|word| is_form(word, &concept.to_lowercase()))).count()
}

fn is_form(word: &str, concept: &str) -> bool {
    if word == concept {
        return true;
    }
    let doubled = concept.chars().next_back().map(|last| format!("{concept}{last}"));
    let stems = [
        (Some(concept.to_owned()), &["s", "es", "d", "ed", "ing"][..]),
        (doubled, &["ed", "ing"]),
        (concept.strip_suffix('e').map(str::to_owned), &["ing"]),
        (concept.strip_suffix('y').map(|stem| format!("{stem}i")), &["es", "ed"]),
    ];
    stems.iter().any(|(stem, endings)| {
        let ending = stem.as_ref().and_then(|stem| word.strip_prefix(stem.as_str()));
        ending.is_some_and(|ending| endings.contains(&ending))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(concepts: &[&str], sentence: &str) -> usize {
        covered(&concepts.iter().map(|&concept| concept.to_owned()).collect::<Vec<_>>(), sentence)
    }

    #[test]
    fn regular_inflections_are_seen_and_longer_words_are_not() {
        assert_eq!(count(&["run", "dog", "park"], "Dogs are running in the park."), 3);
        assert_eq!(count(&["carry", "take", "watch"], "She carries it, taking pictures, and watches."), 3);
        assert_eq!(count(&["cat", "car"], "A caterpillar in the cart"), 0);
        assert_eq!(count(&["take"], "He took it"), 0);
        assert_eq!(count(&["dog"], ""), 0);
    }
}
