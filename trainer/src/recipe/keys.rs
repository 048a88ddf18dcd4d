//! Finds keys that no struct knows, and the known one that was probably meant.
//!
//! serde's own refusal names neither the table nor the nearest key. So the keys are checked before: a probe asks each
//! struct's `Deserialize` for its field names, which keeps this file free of a second list of them.

use serde::de::value::Error as ProbeError;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};

/// The keys of a struct as its TOML table has them (after `rename`).
pub fn keys_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // The probe always refuses: it only wants to be asked.
    let _ = T::deserialize(Probe { fields: &mut fields });
    fields
}

/// The known key with the fewest edits to `written`, where that is few enough to be a slip.
pub fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let allowed = (written.chars().count() / 2).max(2);
    known
        .iter()
        .map(|key| (edits(written, key), *key))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, key)| key)
}

struct Probe<'a> {
    fields: &'a mut &'static [&'static str],
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = ProbeError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ProbeError> {
        Err(ProbeError::custom("not a struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, ProbeError> {
        *self.fields = fields;
        Err(ProbeError::custom("asked"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Levenshtein's distance: insertions, deletions and substitutions of one character.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{CheckpointRecipe, Recipe};

    #[test]
    fn the_probe_sees_field_names_and_renames() {
        assert_eq!(keys_of::<CheckpointRecipe>(), ["every", "keep"]);
        assert!(keys_of::<Recipe>().contains(&"stage"));
    }

    #[test]
    fn edits_counts_single_character_changes() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("same", "same"), 0);
    }

    #[test]
    fn a_slip_finds_its_key_and_a_foreign_word_finds_none() {
        assert_eq!(nearest("clip_hihg", &["clip_low", "clip_high"]), Some("clip_high"));
        assert_eq!(nearest("zzzzzz", &["clip_low", "clip_high"]), None);
    }
}
