//! The `tojson` filter of chat templates. A template's text is what a model was trained on, so the
//! filter writes what transformers' own writes, space for space.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, Value};

/// `json.dumps(value, ensure_ascii=False, indent=indent)`: a space after commas and colons, which
/// Jinja's own filter does not write, and nothing escaped for HTML, which it does.
pub(super) fn to_json(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    // transformers' filter takes these too; their standard values are what is done here.
    for name in ["ensure_ascii", "sort_keys", "separators"] {
        if options.has(name) {
            let _: Option<Value> = options.get(name)?;
        }
    }
    options.assert_all_used()?;
    let mut text = String::new();
    write_json(&mut text, value, indent, 0)?;
    Ok(text)
}

fn write_json(text: &mut String, value: &Value, indent: Option<usize>, depth: usize) -> Result<(), Error> {
    match value.kind() {
        ValueKind::None | ValueKind::Undefined => text.push_str("null"),
        ValueKind::Bool => text.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => text.push_str(&value.to_string()),
        ValueKind::String => text.push_str(&quoted(value.as_str().unwrap_or_default())),
        ValueKind::Map => {
            let mut items = Vec::new();
            for key in value.try_iter()? {
                let mut item = quoted(&key.to_string()) + ": ";
                write_json(&mut item, &value.get_item(&key)?, indent, depth + 1)?;
                items.push(item);
            }
            join(text, ['{', '}'], &items, indent, depth);
        }
        _ => {
            let mut items = Vec::new();
            for element in value.try_iter()? {
                let mut item = String::new();
                write_json(&mut item, &element, indent, depth + 1)?;
                items.push(item);
            }
            join(text, ['[', ']'], &items, indent, depth);
        }
    }
    Ok(())
}

fn join(text: &mut String, brackets: [char; 2], items: &[String], indent: Option<usize>, depth: usize) {
    let line = |depth: usize| indent.map(|indent| format!("\n{}", " ".repeat(indent * depth)));
    text.push(brackets[0]);
    for (number, item) in items.iter().enumerate() {
        match (line(depth + 1), number) {
            (None, 0) => {}
            (None, _) => text.push_str(", "),
            (Some(line), 0) => text.push_str(&line),
            (Some(line), _) => text.push_str(&format!(",{line}")),
        }
        text.push_str(item);
    }
    if !items.is_empty() {
        text.push_str(&line(depth).unwrap_or_default());
    }
    text.push(brackets[1]);
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
