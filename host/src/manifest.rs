//! What a game says of itself, checked once when its component is loaded.
//!
//! People read these texts, recipes name these players, and the host plans with these numbers: so a manifest that is
//! unclear keeps its game out, with a sentence to its author.

use serde_json::Value;

use crate::bindings::exports::ludus::game::game as raw;
use crate::limits::Limits;
use crate::schema::OptionsSchema;

/// The checked manifest of a game.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Kebab-case.
    pub name: String,
    /// Semantic version of the rules.
    pub version: String,
    /// One line.
    pub summary: String,
    /// At least 1.
    pub seats_min: u32,
    pub seats_max: u32,
    /// No episode takes more calls of `step` in which every move was taken.
    pub steps_max: u32,
    /// JSON Schema of the options; `{}` satisfies it.
    pub options_schema: Value,
    /// In the game's order, each once.
    pub house_players: Vec<String>,
    pub abilities: Vec<String>,
}

impl Manifest {
    /// Checks what `describe` returned.
    ///
    /// # Errors
    /// A sentence for the game's author.
    pub(crate) fn check(raw: raw::Manifest, limits: &Limits) -> Result<(Manifest, OptionsSchema), String> {
        check_name("name", &raw.name, limits)?;
        if raw.version.len() > limits.name_bytes_max || semver::Version::parse(&raw.version).is_err() {
            return Err(format!("`version` is `{}`: write a semantic version such as `1.0.0`", shown(&raw.version)));
        }
        if raw.summary.trim().is_empty() || raw.summary.chars().any(char::is_control) || raw.summary.len() > 400 {
            return Err("`summary` must be one line of at most 400 bytes that says what the game is".to_string());
        }
        if raw.seats_min == 0 || raw.seats_min > raw.seats_max || raw.seats_max > limits.seats_max {
            let (min, max) = (raw.seats_min, raw.seats_max);
            return Err(format!(
                "seats from {min} to {max} make no table: they must lie from 1 to {}",
                limits.seats_max
            ));
        }
        if raw.steps_max == 0 || raw.steps_max > limits.steps_max {
            return Err(format!("`steps-max` is {}: it must lie from 1 to {}", raw.steps_max, limits.steps_max));
        }
        check_names("house-players", &raw.house_players, limits)?;
        check_names("abilities", &raw.abilities, limits)?;
        let options = OptionsSchema::parse(&raw.options_schema, limits.schema_bytes_max)?;

        let manifest = Manifest {
            name: raw.name,
            version: raw.version,
            summary: raw.summary,
            seats_min: raw.seats_min,
            seats_max: raw.seats_max,
            steps_max: raw.steps_max,
            options_schema: options.schema().clone(),
            house_players: raw.house_players,
            abilities: raw.abilities,
        };
        Ok((manifest, options))
    }
}

fn check_names(list: &str, names: &[String], limits: &Limits) -> Result<(), String> {
    if names.len() > limits.names_max {
        return Err(format!("`{list}` has {} names, and {} are the most", names.len(), limits.names_max));
    }
    for (index, name) in names.iter().enumerate() {
        check_name(list, name, limits)?;
        if names[..index].contains(name) {
            return Err(format!("`{list}` has `{name}` twice"));
        }
    }
    Ok(())
}

fn check_name(field: &str, name: &str, limits: &Limits) -> Result<(), String> {
    if is_kebab_case(name) && name.len() <= limits.name_bytes_max {
        return Ok(());
    }
    let bytes_max = limits.name_bytes_max;
    Err(format!(
        "`{field}` has `{}`: names are kebab-case, such as `tic-tac-toe`, of at most {bytes_max} bytes",
        shown(name)
    ))
}

/// Lower-case letters and digits in words that single hyphens join; the first character is a letter.
pub(crate) fn is_kebab_case(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .split('-')
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
}

/// A guest's text in a sentence for people: escaped and short.
fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> raw::Manifest {
        raw::Manifest {
            name: "tic-tac-toe".into(),
            version: "1.0.0".into(),
            summary: "Three in a row.".into(),
            seats_min: 2,
            seats_max: 2,
            steps_max: 9,
            options_schema: r#"{"type":"object"}"#.into(),
            house_players: vec!["optimal".into()],
            abilities: vec!["planning".into()],
        }
    }

    fn refusal(change: impl FnOnce(&mut raw::Manifest)) -> String {
        let mut manifest = good();
        change(&mut manifest);
        match Manifest::check(manifest, &Limits::STANDARD) {
            Ok(_) => panic!("the manifest was taken"),
            Err(reason) => reason,
        }
    }

    #[test]
    fn a_good_manifest_is_taken_as_it_is() {
        let (manifest, _) = Manifest::check(good(), &Limits::STANDARD).unwrap();
        assert_eq!((manifest.name.as_str(), manifest.steps_max, manifest.house_players.len()), ("tic-tac-toe", 9, 1));
    }

    #[test]
    fn each_unclear_part_of_a_manifest_is_named() {
        assert!(refusal(|m| m.name = "Tic Tac".into()).contains("`name` has `Tic Tac`"));
        assert!(refusal(|m| m.name = "a".repeat(65)).contains("at most 64 bytes"));
        assert!(refusal(|m| m.version = "1".into()).contains("semantic version"));
        assert!(refusal(|m| m.summary = "two\nlines".into()).contains("one line"));
        assert!(refusal(|m| m.seats_min = 0).contains("from 0 to 2"));
        assert!(refusal(|m| m.seats_max = 1).contains("from 2 to 1"));
        assert!(refusal(|m| m.seats_max = 65).contains("from 1 to 64"));
        assert!(refusal(|m| m.steps_max = 0).contains("`steps-max` is 0"));
        assert!(refusal(|m| m.house_players = vec!["best".into(), "best".into()]).contains("`best` twice"));
        assert!(refusal(|m| m.abilities = vec!["-x".into()]).contains("kebab-case"));
        assert!(refusal(|m| m.options_schema = "{".into()).contains("options-schema"));
    }

    #[test]
    fn kebab_case_is_words_joined_by_single_hyphens() {
        for good in ["a", "tit-for-tat", "x2", "a-1"] {
            assert!(is_kebab_case(good), "{good}");
        }
        for bad in ["", "-", "a-", "-a", "a--b", "A", "a_b", "1a", "ä", "a b"] {
            assert!(!is_kebab_case(bad), "{bad}");
        }
    }
}
