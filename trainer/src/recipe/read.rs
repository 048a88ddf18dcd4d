//! From a name or a path to a checked [`Recipe`]: find the text, parse it, apply `--set`, refuse unknown keys.
//!
//! The shipped recipes are part of the program, so that an installed `ludus-train` has them.

use std::path::{Path, PathBuf};

use serde::de::Deserialize;
use toml::{Table, Value};

use super::keys::{keys_of, nearest};
use super::{
    AlgorithmRecipe, CheckpointRecipe, EvaluationRecipe, Example, LoraRecipe, ModelRecipe, OptimizerRecipe, Recipe,
    ReplyRecipe, RolloutRecipe, SelfPlayRecipe, StageRecipe, TaskRecipe, set,
};

/// The recipes of `trainer/recipes/`: name and text.
pub const SHIPPED: [(&str, &str); 8] = [
    ("quickstart", include_str!("../../recipes/quickstart.toml")),
    ("quickstart-spy", include_str!("../../recipes/quickstart-spy.toml")),
    ("self-play", include_str!("../../recipes/self-play.toml")),
    ("self-play-poker", include_str!("../../recipes/self-play-poker.toml")),
    ("tabletop", include_str!("../../recipes/tabletop.toml")),
    ("gift-1.5b-nested", include_str!("../../recipes/gift-1.5b-nested.toml")),
    ("gift-1.5b-mixed", include_str!("../../recipes/gift-1.5b-mixed.toml")),
    ("gift-7b-nested", include_str!("../../recipes/gift-7b-nested.toml")),
];

/// The suites of `trainer/suites/`: recipes that only evaluate.
pub const SUITES: [(&str, &str); 1] = [("ladder", include_str!("../../suites/ladder.toml"))];

/// Why a recipe could not be read. Each is one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    #[error(
        "there is no recipe `{wanted}`{}: give the path of a .toml file, or one of {}",
        meant(wanted),
        shipped_names()
    )]
    NotFound { wanted: String },
    #[error("there is no suite `{wanted}`: give one of {}, or a recipe with --recipe", suite_names())]
    NoSuite { wanted: String },
    #[error("{} cannot be read: {error}", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("{place} is not valid TOML: {message}")]
    Syntax { place: String, message: String },
    #[error("{place}: unknown key `{key}`; {hint}")]
    UnknownKey { place: String, key: String, hint: String },
    #[error("{place}: {message}")]
    Value { place: String, message: String },
    #[error("{0}")]
    Set(String),
}

/// Reads the recipe that `wanted` names (a path, or a shipped recipe's name) and applies `--set` to it.
///
/// # Errors
/// Where there is none, or it is no TOML, or has an unknown key, a missing one, or a value of the wrong type.
pub fn read(wanted: &str, assignments: &[String]) -> Result<Recipe, RecipeError> {
    if let Some((name, text)) = SHIPPED.iter().find(|(name, _)| *name == wanted) {
        return parse(text, &format!("recipe {name}"), assignments);
    }
    let path = Path::new(wanted);
    if !path.is_file() {
        return Err(RecipeError::NotFound { wanted: wanted.into() });
    }
    let text = std::fs::read_to_string(path).map_err(|error| RecipeError::Unreadable { path: path.into(), error })?;
    parse(&text, wanted, assignments)
}

/// Reads the suite of this name and applies `--set` to it.
///
/// # Errors
/// As [`read`].
pub fn suite(wanted: &str, assignments: &[String]) -> Result<Recipe, RecipeError> {
    let found = SUITES.iter().find(|(name, _)| *name == wanted);
    let (name, text) = found.ok_or_else(|| RecipeError::NoSuite { wanted: wanted.into() })?;
    parse(text, &format!("suite {name}"), assignments)
}

/// The same from a recipe's text; `place` is what errors call it.
pub fn parse(text: &str, place: &str, assignments: &[String]) -> Result<Recipe, RecipeError> {
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| RecipeError::Syntax {
        place: place.into(),
        message: in_one_line(&error.to_string()),
    })?;
    for assignment in assignments {
        set::apply(&mut table, assignment)?;
    }
    check_keys(&table, place)?;
    Recipe::deserialize(Value::Table(table))
        .map_err(|error| RecipeError::Value { place: place.into(), message: in_one_line(&error.to_string()) })
}

/// The recipe as TOML, with every default written out.
pub fn write(recipe: &Recipe) -> Result<String, toml::ser::Error> {
    toml::to_string(recipe)
}

/// The tables of a recipe that have one place, and their keys.
type Section = (&'static str, fn() -> &'static [&'static str]);
const SECTIONS: [Section; 10] = [
    ("model", keys_of::<ModelRecipe>),
    ("lora", keys_of::<LoraRecipe>),
    ("self_play", keys_of::<SelfPlayRecipe>),
    ("task", keys_of::<TaskRecipe>),
    ("reply", keys_of::<ReplyRecipe>),
    ("rollout", keys_of::<RolloutRecipe>),
    ("algorithm", keys_of::<AlgorithmRecipe>),
    ("optimizer", keys_of::<OptimizerRecipe>),
    ("evaluation", keys_of::<EvaluationRecipe>),
    ("checkpoint", keys_of::<CheckpointRecipe>),
];

fn check_keys(recipe: &Table, place: &str) -> Result<(), RecipeError> {
    check_table(recipe, keys_of::<Recipe>(), "", place)?;
    for (name, known) in SECTIONS {
        if let Some(Value::Table(section)) = recipe.get(name) {
            check_table(section, known(), &format!("{name}."), place)?;
        }
    }
    for (index, stage) in tables_of(recipe.get("stage")) {
        check_table(stage, keys_of::<StageRecipe>(), &format!("stage.{index}."), place)?;
        for (example_index, example) in tables_of(stage.get("examples")) {
            let prefix = format!("stage.{index}.examples.{example_index}.");
            check_table(example, keys_of::<Example>(), &prefix, place)?;
        }
    }
    Ok(())
}

fn tables_of(array: Option<&Value>) -> impl Iterator<Item = (usize, &Table)> {
    let items = array.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    items.iter().enumerate().filter_map(|(index, item)| Some((index, item.as_table()?)))
}

fn check_table(table: &Table, known: &[&str], prefix: &str, place: &str) -> Result<(), RecipeError> {
    let Some(unknown) = table.keys().find(|key| !known.contains(&key.as_str())) else {
        return Ok(());
    };
    let section = SECTIONS.iter().find(|(_, keys)| prefix.is_empty() && keys().contains(&unknown.as_str()));
    let hint = match (section, nearest(unknown, known)) {
        (Some((section, _)), _) => format!("did you mean `{section}.{unknown}`?"),
        (None, Some(key)) => format!("did you mean `{prefix}{key}`?"),
        (None, None) => format!("the keys here are {}", known.join(", ")),
    };
    Err(RecipeError::UnknownKey { place: place.into(), key: format!("{prefix}{unknown}"), hint })
}

/// toml draws the place of an error over several lines and calls kinds of numbers by Rust's names; errors here are one
/// sentence for people.
fn in_one_line(message: &str) -> String {
    let lines = message
        .lines()
        .map(str::trim)
        // The picture of the source: `  |`, `3 | steps = `, `  |   ^`.
        .filter(|line| !line.is_empty() && !line.contains('|'));
    lines.map(in_plain_words).collect::<Vec<_>>().join(", ")
}

fn in_plain_words(line: &str) -> String {
    const KINDS: [(&str, &str); 6] = [
        ("u32", "a whole number from 0 to 4294967295"),
        ("u64", "a whole number from 0 on"),
        ("usize", "a whole number from 0 on"),
        ("i64", "a whole number"),
        ("f32", "a number"),
        ("f64", "a number"),
    ];
    // Behind what was given, which may be any text.
    let Some((given, expected)) = line.rsplit_once("expected ") else { return line.into() };
    match KINDS.iter().find(|(kind, _)| *kind == expected) {
        Some((_, words)) => format!("{given}expected {words}"),
        None => line.into(),
    }
}

/// The shipped recipe that was probably meant.
fn meant(wanted: &str) -> String {
    let names = SHIPPED.map(|(name, _)| name);
    nearest(wanted, &names).map_or(String::new(), |name| format!(" (did you mean `{name}`?)"))
}

fn shipped_names() -> String {
    SHIPPED.map(|(name, _)| name).join(", ")
}

fn suite_names() -> String {
    SUITES.map(|(name, _)| name).join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const SMALL: &str = "name = \"small\"\nsteps = 2\n[[stage]]\ngame = \"matrix\"\n";

    fn error_of(text: &str, assignments: &[&str]) -> String {
        let assignments: Vec<String> = assignments.iter().map(|text| (*text).to_owned()).collect();
        parse(text, "small.toml", &assignments).unwrap_err().to_string()
    }

    #[test]
    fn a_small_recipe_takes_every_default() {
        let recipe = parse(SMALL, "small.toml", &[]).unwrap();
        assert_eq!(recipe.seed, 1);
        assert_eq!(recipe.rollout, RolloutRecipe::default());
        assert_eq!(recipe.stages[0].players, ["random"]);
    }

    /// docs/recipe.md is what people read.
    #[test]
    fn the_reference_of_recipes_has_every_key_with_its_default() {
        let reference = include_str!("../../../docs/recipe.md");
        let written = write(&parse(SMALL, "small.toml", &[]).unwrap()).unwrap();
        let defaults: Table = written.parse().unwrap();
        let rows_below = |heading: &str| -> BTreeMap<&str, &str> {
            let (_, rest) = reference.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("{heading}"));
            let rows = rest.split("\n## ").next().unwrap_or_default().lines();
            let in_backticks = |cell: &str| cell.strip_prefix("| `")?.strip_suffix('`').map(str::len);
            let row = |line: &'static str| {
                let mut cells = line.split(" | ");
                let (key, default) = (cells.next()?, cells.next()?);
                in_backticks(key).map(|length| (&key[3..3 + length], default))
            };
            rows.filter_map(row).collect()
        };
        let assert_told = |heading: &str, known: &[&str], values: &Table| {
            let rows = rows_below(heading);
            let mut known = known.to_vec();
            known.sort_unstable();
            assert_eq!(rows.keys().copied().collect::<Vec<&str>>(), known, "{heading}");
            for (key, default) in rows {
                let told = default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
                if let (Some(value), Some(told)) = (values.get(key), told) {
                    let told: Table = format!("value = {told}").parse().unwrap_or_else(|_| panic!("{key}: {told}"));
                    assert_eq!(&told["value"], value, "{heading}, {key}");
                }
            }
        };
        for (name, known) in SECTIONS {
            let empty = Table::new();
            let values = defaults.get(name).and_then(Value::as_table).unwrap_or(&empty);
            assert_told(&format!("`[{name}]`"), known(), values);
        }
        assert_told("`[[stage]]`", keys_of::<StageRecipe>(), defaults["stage"][0].as_table().unwrap());
        let is_table = |key: &str| {
            ["stage", "models", "endpoints"].contains(&key) || SECTIONS.iter().any(|(name, _)| *name == key)
        };
        let at_the_top: Vec<&str> = keys_of::<Recipe>().iter().copied().filter(|key| !is_table(key)).collect();
        assert_told("At the top", &at_the_top, &defaults);
    }

    #[test]
    fn an_unknown_key_names_itself_and_the_nearest() {
        assert_eq!(
            error_of(&format!("{SMALL}[optimizer]\nlerning_rate = 1e-5\n"), &[]),
            "small.toml: unknown key `optimizer.lerning_rate`; did you mean `optimizer.learning_rate`?"
        );
        assert_eq!(
            error_of(SMALL, &["stage.0.player=random"]),
            "small.toml: unknown key `stage.0.player`; did you mean `stage.0.players`?"
        );
        assert_eq!(
            error_of(SMALL, &["learning_rate=1e-5"]),
            "small.toml: unknown key `learning_rate`; did you mean `optimizer.learning_rate`?"
        );
        assert!(error_of(&format!("quaternion = 1\n{SMALL}"), &[]).contains("the keys here are name, seed, steps"));
    }

    #[test]
    fn a_wrong_type_names_its_key() {
        let error = error_of(SMALL, &["rollout.groups=many"]);
        assert!(error.contains("rollout.groups") && !error.contains('\n'), "{error}");
        assert!(error.contains("expected a whole number from 0"), "{error}");
        let error = error_of(SMALL, &["task.combine=sum"]);
        assert!(error.contains("task.combine") && error.contains("product"), "{error}");
    }

    #[test]
    fn broken_toml_names_the_line() {
        let error = error_of("name = \nsteps = 2", &[]);
        assert!(error.contains("line 1") && !error.contains('\n'), "{error}");
    }

    #[test]
    fn a_missing_recipe_lists_those_that_are_there() {
        let error = read("quickstrat", &[]).unwrap_err().to_string();
        assert!(error.contains("quickstart, quickstart-spy, self-play, self-play-poker, tabletop"), "{error}");
        assert!(error.contains("did you mean `quickstart`?"), "{error}");
        assert!(!read("somewhere/else.toml", &[]).unwrap_err().to_string().contains("did you mean"));
    }

    #[test]
    fn every_shipped_recipe_parses_and_has_its_files_name() {
        for (name, _) in SHIPPED {
            let recipe = read(name, &[]).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(recipe.name, name);
        }
    }

    #[test]
    fn a_written_recipe_reads_back_as_the_same() {
        for (name, _) in SHIPPED {
            let recipe = read(name, &[]).unwrap();
            let text = write(&recipe).unwrap();
            assert_eq!(parse(&text, name, &[]).unwrap(), recipe);
        }
    }
}
