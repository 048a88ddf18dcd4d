//! `--set key=value`: changes one value of a recipe before it is checked.
//!
//! The key is dotted (`optimizer.learning_rate`); a number indexes an array (`stage.0.players`). The value is read as
//! TOML (`2e-5`, `true`, `["random"]`, `{ rows = 4 }`); what is no TOML value is taken as a string, so that
//! `model.device=cpu` needs no quotes. Whether a key exists and its value fits is checked with the whole recipe, after.

use toml::{Table, Value};

use super::read::RecipeError;

/// More than any key has; each goes one deeper.
const PARTS_MAX: usize = 16;

/// Applies one `key=value` to the recipe's table.
///
/// # Errors
/// Where there is no `=`, or the key goes through something that is no table or array, or past an array's end.
pub fn apply(recipe: &mut Table, assignment: &str) -> Result<(), RecipeError> {
    let (key, text) = assignment
        .split_once('=')
        .ok_or_else(|| RecipeError::Set(format!("--set {assignment} has no `=`; write it as --set key=value")))?;
    let key = key.trim();
    if key.is_empty() || key.split('.').any(str::is_empty) {
        return Err(RecipeError::Set(format!(
            "--set {assignment}: `{key}` is no key; write it like optimizer.learning_rate"
        )));
    }
    let parts: Vec<&str> = key.split('.').collect();
    if parts.len() > PARTS_MAX {
        return Err(RecipeError::Set(format!("--set: a key has at most {PARTS_MAX} parts, and no recipe has more")));
    }
    let (first, rest) = (parts[0], &parts[1..]);
    if rest.is_empty() {
        recipe.insert(first.into(), value_of(text));
        return Ok(());
    }
    let next = recipe.entry(first).or_insert_with(|| Value::Table(Table::new()));
    place(next, rest, value_of(text), key, first)
}

fn place(target: &mut Value, parts: &[&str], value: Value, key: &str, reached: &str) -> Result<(), RecipeError> {
    let Some((part, rest)) = parts.split_first() else {
        *target = value;
        return Ok(());
    };
    let next = match target {
        Value::Table(table) => table.entry(*part).or_insert_with(|| Value::Table(Table::new())),
        Value::Array(items) => {
            let count = items.len();
            part.parse::<usize>().ok().and_then(|index| items.get_mut(index)).ok_or_else(|| {
                RecipeError::Set(format!(
                    "--set {key}: `{reached}` has {count} entries, counted from 0, and none is `{part}`"
                ))
            })?
        }
        _ => {
            return Err(RecipeError::Set(format!(
                "--set {key}: `{reached}` is a single value, so nothing can be set inside it"
            )));
        }
    };
    place(next, rest, value, key, &format!("{reached}.{part}"))
}

/// The TOML value that the text spells, or the text itself.
fn value_of(text: &str) -> Value {
    let text = text.trim();
    match format!("value = {text}").parse::<Table>() {
        // A line break in the text could smuggle a second key in; then it is a string like any other.
        Ok(mut table) if table.len() == 1 => table.remove("value").unwrap_or_else(|| Value::String(text.into())),
        _ => Value::String(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(assignments: &[&str]) -> Result<Table, String> {
        let mut table: Table = "steps = 4\n[model]\nsource = \"a\"\n[[stage]]\ngame = \"matrix\"\n".parse().unwrap();
        for assignment in assignments {
            apply(&mut table, assignment).map_err(|error| error.to_string())?;
        }
        Ok(table)
    }

    #[test]
    fn values_are_typed_as_toml_and_bare_words_are_strings() {
        let table = after(&["steps=7", "optimizer.learning_rate=2e-5", "model.device=cuda:1"]).unwrap();
        assert_eq!(table["steps"].as_integer(), Some(7));
        assert_eq!(table["optimizer"]["learning_rate"].as_float(), Some(2e-5));
        assert_eq!(table["model"]["device"].as_str(), Some("cuda:1"));
        assert_eq!(table["model"]["source"].as_str(), Some("a"));
    }

    #[test]
    fn a_number_indexes_an_array_of_stages() {
        let table = after(&["stage.0.players=[\"house:defect\"]", "stage.0.options.rounds=3"]).unwrap();
        assert_eq!(table["stage"][0]["players"][0].as_str(), Some("house:defect"));
        assert_eq!(table["stage"][0]["options"]["rounds"].as_integer(), Some(3));
    }

    #[test]
    fn an_equals_sign_belongs_to_the_value_after_the_first() {
        let table = after(&["name=a=b"]).unwrap();
        assert_eq!(table["name"].as_str(), Some("a=b"));
    }

    #[test]
    fn errors_name_the_key() {
        assert_eq!(
            after(&["stage.3.game=spy"]).unwrap_err(),
            "--set stage.3.game: `stage` has 1 entries, counted from 0, and none is `3`"
        );
        assert!(after(&["steps.more=1"]).unwrap_err().contains("`steps` is a single value"));
        assert!(after(&["steps"]).unwrap_err().contains("has no `=`"));
        let deep = format!("{}=1", vec!["a"; PARTS_MAX + 1].join("."));
        assert!(after(&[&deep]).unwrap_err().contains("at most 16 parts"));
        assert!(after(&["a..b=1"]).unwrap_err().contains("`a..b` is no key"));
    }
}
