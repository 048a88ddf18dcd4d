//! What a schema says of a game's options, in words for people.

use serde_json::Value;

/// An option as a list of them shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionWords {
    pub name: String,
    /// What it may be: `3 to 5`, `lists, lines or grid`, `text`. Empty where the schema does not say.
    pub allowed: String,
    /// As JSON; empty where there is none.
    pub default: String,
    pub description: String,
}

/// The options of a schema, by name.
pub fn options(schema: &Value) -> Vec<OptionWords> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let words = |(name, property): (&String, &Value)| {
        let text = |key: &str| property.get(key).or_else(|| resolved(schema, property).get(key));
        OptionWords {
            name: name.clone(),
            allowed: allowed(schema, property),
            default: text("default").map(Value::to_string).unwrap_or_default(),
            description: text("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " "),
        }
    };
    let mut options: Vec<OptionWords> = properties.into_iter().flatten().map(words).collect();
    options.sort_by(|one, other| one.name.cmp(&other.name));
    options
}

/// What a value may be.
fn allowed(schema: &Value, property: &Value) -> String {
    if let Some(words) = listed(schema, property) {
        return one_of(&words);
    }
    let property = resolved(schema, property);
    let range = range(property);
    match property.get("type").and_then(Value::as_str) {
        Some("integer" | "number") if !range.is_empty() => range,
        Some("integer") => "a whole number".to_string(),
        Some("number") => "a number".to_string(),
        Some("boolean") => "true or false".to_string(),
        Some("string") => "text".to_string(),
        Some("array") => "a list".to_string(),
        Some("object") => "a table".to_string(),
        _ => String::new(),
    }
}

/// The bounds of a number: `3 to 5`, `above 0, up to 1`.
fn range(property: &Value) -> String {
    let bound = |key: &str| property.get(key).map(Value::to_string);
    if let (Some(least), Some(most)) = (bound("minimum"), bound("maximum")) {
        return format!("{least} to {most}");
    }
    let words =
        [("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "up to"), ("exclusiveMaximum", "below")];
    let told = words.iter().filter_map(|(key, word)| Some(format!("{word} {}", bound(key)?)));
    told.collect::<Vec<String>>().join(", ")
}

/// The values of an option that lists them; `oneOf` counts as a list where each part is one value.
pub(crate) fn listed(schema: &Value, property: &Value) -> Option<Vec<String>> {
    let property = resolved(schema, property);
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    if let Some(values) = property.get("enum").and_then(Value::as_array) {
        return Some(values.iter().map(word).collect());
    }
    if let Some(value) = property.get("const") {
        return Some(vec![word(value)]);
    }
    let parts = ["oneOf", "anyOf"].iter().find_map(|key| property.get(*key)?.as_array())?;
    // The schema of a stranger may be nested: one level of parts says what people need.
    let part = |part: &Value| {
        let part = resolved(schema, part);
        let values = part.get("enum").and_then(Value::as_array).map(|values| values.iter().map(word).collect());
        values.or_else(|| part.get("const").map(|value| vec![word(value)]))
    };
    parts.iter().map(part).collect::<Option<Vec<Vec<String>>>>().map(|words| words.concat())
}

/// The definition that a reference names, else the property itself. References form no circle, but one is followed at the
/// most.
fn resolved<'a>(schema: &'a Value, property: &'a Value) -> &'a Value {
    let target = property.get("$ref").and_then(Value::as_str);
    let path = target.and_then(|target| target.strip_prefix('#'));
    path.and_then(|path| schema.pointer(path)).unwrap_or(property)
}

/// `a, b or c`.
pub(crate) fn one_of(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_option_is_told_in_words() {
        let schema = json!({
            "properties": {
                "rows": { "type": "integer", "minimum": 3, "maximum": 5, "default": 3, "description": "Rows of\nthe board." },
                "first": { "$ref": "#/$defs/First", "default": "random" },
                "notation": { "$ref": "#/$defs/Notation" },
                "share": { "type": "number", "minimum": 0 },
                "pace": { "type": "number", "exclusiveMinimum": 0, "maximum": 1 },
                "loud": { "type": "boolean" },
                "odd": true,
            },
            "$defs": {
                "First": { "type": "string", "enum": ["random", "seat-0"], "description": "Who moves first." },
                "Notation": { "oneOf": [{ "enum": ["lists", "grid"] }, { "const": "lines", "type": "string" }] },
            },
        });
        let told: Vec<[String; 4]> = options(&schema)
            .into_iter()
            .map(|option| [option.name, option.allowed, option.default, option.description])
            .collect();
        let expected = [
            ["first", "random or seat-0", "\"random\"", "Who moves first."],
            ["loud", "true or false", "", ""],
            ["notation", "lists, grid or lines", "", ""],
            ["odd", "", "", ""],
            ["pace", "above 0, up to 1", "", ""],
            ["rows", "3 to 5", "3", "Rows of the board."],
            ["share", "from 0", "", ""],
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_schema_without_options_has_none() {
        assert_eq!(options(&json!({ "type": "object" })), []);
        assert_eq!(options(&json!({ "properties": { "a": { "$ref": "#/$defs/none" } } }))[0].allowed, "");
    }
}
