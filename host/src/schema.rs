//! The options of a game: its JSON Schema, and checking a person's options against it.
//!
//! The schema comes from a stranger, and so it is held to what can be checked in bounded time and without leaving this
//! process: references stay inside `$defs` or `definitions`, form no circle, and multiply out to a bounded size; patterns
//! run on an engine without backtracking. An answer to a person names the option, its value and what is allowed.

use std::collections::BTreeMap;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

use crate::canonical::to_canonical;
use crate::options::{listed, one_of};
use crate::suggest;
use crate::trap::truncate;

/// How many schema nodes there may be when every reference is replaced by what it names.
const EXPANDED_NODES_MAX: u64 = 50_000;
/// What one pattern counts for: each is compiled, which takes time and memory.
const PATTERN_NODES: u64 = 500;
/// An answer to a person may quote the schema; more than this is no sentence.
const ANSWER_BYTES_MAX: usize = 600;
/// Keywords that let a reference mean something else than its path. No game needs them.
const REFUSED_KEYWORDS: [&str; 6] = ["$id", "id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveRef"];
/// Keywords whose value maps names to schemas: the names are the author's own, not keywords.
const NAME_MAPS: [&str; 5] = ["properties", "$defs", "definitions", "dependentSchemas", "dependencies"];

/// A game's options schema, ready to check with.
pub(crate) struct OptionsSchema {
    schema: Value,
    validator: Validator,
}

impl OptionsSchema {
    /// # Errors
    /// A sentence for the game's author.
    pub fn parse(text: &str, bytes_max: usize) -> Result<OptionsSchema, String> {
        if text.len() > bytes_max {
            return Err(format!("`options-schema` has {} bytes, and {bytes_max} are the most", text.len()));
        }
        let schema: Value =
            serde_json::from_str(text).map_err(|error| format!("`options-schema` is not JSON: {error}"))?;
        if !schema.is_object() {
            return Err("`options-schema` must be a JSON object".to_string());
        }
        Expansion { root: &schema, sizes: BTreeMap::new() }.size(&schema, false)?;

        let validator = jsonschema::options()
            .with_pattern_options(PatternOptions::regex().size_limit(1 << 20))
            .build(&schema)
            .map_err(|error| bounded(format!("`options-schema` is no JSON Schema: {error}")))?;
        let options = OptionsSchema { schema, validator };
        options.check(&Value::Object(serde_json::Map::new())).map_err(|reason| {
            format!("`options-schema` must accept {{}}, since every option has a default: {reason}")
        })?;
        Ok(options)
    }

    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Checks a person's options and writes them canonically.
    ///
    /// # Errors
    /// One sentence that names the first wrong option, its value and what is allowed.
    pub fn check(&self, options: &Value) -> Result<String, String> {
        if !options.is_object() {
            return Err(bounded(format!("options are a table of names and values, not {options}")));
        }
        match self.validator.iter_errors(options).next() {
            None => Ok(to_canonical(options)),
            Some(error) => Err(bounded(self.refusal(&error))),
        }
    }

    /// The validator's own sentences cut lists of values short, and do not know which names there are.
    fn refusal(&self, error: &ValidationError<'_>) -> String {
        let option = error.instance_path().as_str().trim_start_matches('/').replace('/', ".");
        let properties = self.schema.get("properties").and_then(Value::as_object);
        if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind()
            && option.is_empty()
            && let Some(name) = unexpected.first()
        {
            let names = properties.into_iter().flatten().map(|(name, _)| name.as_str());
            return format!("it has no option `{name}`; {}", suggest::hint(name, names));
        }
        let words = properties.and_then(|properties| listed(&self.schema, properties.get(&option)?));
        match words {
            Some(words) => format!("option `{option}` is {}, but must be {}", error.instance(), one_of(&words)),
            None if option.is_empty() => error.to_string(),
            None => format!("option `{option}`: {error}"),
        }
    }
}

fn bounded(mut answer: String) -> String {
    truncate(&mut answer, ANSWER_BYTES_MAX);
    answer
}

/// Counts schema nodes with every reference followed.
struct Expansion<'a> {
    root: &'a Value,
    /// The size of each definition; none while it is being counted, which is how a circle shows.
    sizes: BTreeMap<&'a str, Option<u64>>,
}

impl<'a> Expansion<'a> {
    /// `names` says that this object's keys are the author's names and not keywords.
    fn size(&mut self, node: &'a Value, names: bool) -> Result<u64, String> {
        let mut size = 1u64;
        match node {
            Value::Object(fields) => {
                for (key, field) in fields {
                    size += match (names, key.as_str()) {
                        (false, keyword) if REFUSED_KEYWORDS.contains(&keyword) => {
                            return Err(format!(
                                "`options-schema` uses `{keyword}`: use `$ref` to `#/$defs/NAME` only"
                            ));
                        }
                        (false, "$ref") => self.reference(field)?,
                        // Plain data: what looks like a keyword in it is none.
                        (false, "default" | "const" | "enum" | "examples") => 1,
                        (false, "pattern") => PATTERN_NODES,
                        (false, "patternProperties") => {
                            let patterns = field.as_object().map_or(0, |patterns| patterns.len() as u64);
                            self.size(field, true)? + patterns.saturating_mul(PATTERN_NODES)
                        }
                        (false, keyword) => self.size(field, NAME_MAPS.contains(&keyword))?,
                        (true, _) => self.size(field, false)?,
                    };
                }
            }
            Value::Array(items) => {
                for item in items {
                    size += self.size(item, false)?;
                }
            }
            _ => {}
        }
        if size > EXPANDED_NODES_MAX {
            return Err("`options-schema` is too large once its references are followed".to_string());
        }
        Ok(size)
    }

    fn reference(&mut self, reference: &'a Value) -> Result<u64, String> {
        let target = reference.as_str().unwrap_or_default();
        let definition = target.strip_prefix("#/$defs/").map(|name| ("$defs", name));
        let definition = definition.or_else(|| target.strip_prefix("#/definitions/").map(|name| ("definitions", name)));
        let found = definition
            .filter(|(_, name)| !name.contains(['/', '~', '%']))
            .and_then(|(table, name)| self.root.get(table)?.get(name));
        let Some(found) = found else {
            return Err(bounded(format!(
                "`options-schema` refers to {reference}: only `#/$defs/NAME` can be referred to"
            )));
        };
        match self.sizes.get(target) {
            Some(Some(size)) => Ok(*size),
            Some(None) => Err(bounded(format!("`options-schema` refers in a circle through `{target}`"))),
            None => {
                self.sizes.insert(target, None);
                let size = self.size(found, false)?;
                self.sizes.insert(target, Some(size));
                Ok(size)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const BOARD: &str = r##"{"type":"object","additionalProperties":false,"properties":{
        "rows":{"type":"integer","minimum":3,"maximum":5,"default":3},
        "scoring":{"$ref":"#/$defs/Scoring","default":"payoff"}},
        "$defs":{"Scoring":{"type":"string","enum":["payoff","regret"]}}}"##;

    fn answer(options: Value) -> Result<String, String> {
        OptionsSchema::parse(BOARD, 10_000).unwrap().check(&options)
    }

    fn refusal(schema: Value) -> String {
        match OptionsSchema::parse(&schema.to_string(), 100_000) {
            Ok(_) => panic!("{schema} was taken"),
            Err(reason) => reason,
        }
    }

    #[test]
    fn good_options_come_back_canonically() {
        assert_eq!(answer(json!({"scoring": "regret", "rows": 4})), Ok(r#"{"rows":4,"scoring":"regret"}"#.into()));
        assert_eq!(answer(json!({})), Ok("{}".into()));
    }

    #[test]
    fn a_wrong_option_is_named_with_its_value_and_what_is_allowed() {
        let too_many = answer(json!({"rows": 7})).unwrap_err();
        assert!(too_many.contains("`rows`") && too_many.contains('7') && too_many.contains('5'), "{too_many}");
        let scoring = answer(json!({"scoring": "luck"})).unwrap_err();
        assert_eq!(scoring, "option `scoring` is \"luck\", but must be payoff or regret");
        let unknown = answer(json!({"rowz": 3})).unwrap_err();
        assert!(unknown.contains("`rowz`; did you mean `rows`?"), "{unknown}");
        let unlike = answer(json!({"colour": 3})).unwrap_err();
        assert!(unlike.contains("`colour`; there is `rows`, `scoring`"), "{unlike}");
        assert!(answer(json!([1])).unwrap_err().contains("[1]"));
    }

    #[test]
    fn a_schema_without_defaults_is_refused() {
        assert!(refusal(json!({"type": "object", "required": ["rows"]})).contains("must accept {}"));
    }

    #[test]
    fn a_schema_that_is_none_is_refused() {
        assert!(refusal(json!({"type": "objekt"})).contains("no JSON Schema"));
        assert!(refusal(json!([])).contains("JSON object"));
        assert!(OptionsSchema::parse(BOARD, 10).is_err());
    }

    #[test]
    fn references_that_circle_leave_or_explode_are_refused() {
        assert!(refusal(json!({"$ref": "#"})).contains("only `#/$defs/NAME`"));
        assert!(refusal(json!({"properties": {"a": {"$ref": "file:///etc/passwd"}}})).contains("only `#/$defs/NAME`"));
        assert!(refusal(json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}})).contains("circle"));
        assert!(refusal(json!({"$id": "https://example.com/", "type": "object"})).contains("$id"));
        let mut levels = serde_json::Map::new();
        for level in 0..40 {
            let next = json!({"$ref": format!("#/$defs/level{}", level + 1)});
            levels.insert(format!("level{level}"), json!({"allOf": [next, next]}));
        }
        levels.insert("level40".into(), json!({"type": "object"}));
        assert!(refusal(json!({"$ref": "#/$defs/level0", "$defs": levels})).contains("too large"));
    }

    #[test]
    fn what_depends_on_an_option_is_counted_whatever_the_option_is_called() {
        let mut levels = serde_json::Map::new();
        for level in 0..40 {
            let next = json!({"$ref": format!("#/$defs/level{}", level + 1)});
            levels.insert(format!("level{level}"), json!({"dependencies": {"const": {"allOf": [next, next]}}}));
        }
        levels.insert("level40".into(), json!({"type": "object"}));
        let dependencies = json!({"const": {"$ref": "#/$defs/level0"}});
        let properties = json!({"const": {"type": "boolean"}});
        let schema = json!({"properties": properties, "dependencies": dependencies, "$defs": levels});
        assert!(refusal(schema).contains("too large"));
        let named = json!({"properties": {"rows": {}, "columns": {}}, "dependencies": {"rows": ["columns"]}});
        assert!(OptionsSchema::parse(&named.to_string(), 10_000).is_ok());
    }

    #[test]
    fn a_schema_of_many_patterns_is_refused() {
        let patterns = |count: usize| {
            let names =
                (0..count).map(|number| (format!("option{number}"), json!({"type": "string", "pattern": "^a*$"})));
            json!({"type": "object", "properties": serde_json::Map::from_iter(names)})
        };
        assert!(OptionsSchema::parse(&patterns(5).to_string(), 100_000).is_ok());
        assert!(refusal(patterns(200)).contains("too large"));
    }

    #[test]
    fn an_option_may_have_a_keyword_for_its_name() {
        let schema = json!({"type": "object", "properties": {"id": {"type": "string"}, "$ref": {"type": "string"}}});
        assert!(OptionsSchema::parse(&schema.to_string(), 10_000).is_ok());
    }
}
