//! One way to write a JSON value.
//!
//! Records are hashed, so the same options must always be the same bytes. Canonical here means: object keys sorted by
//! their UTF-8 bytes, no white space, strings escaped as serde_json does it, integers plainly, and floats in the shortest
//! digits that read back the same, as Rust's own `{:?}` writes them (serde_json changed its way between versions). The
//! result does not depend on whether serde_json was built to keep the order of keys.

use serde_json::Value;

/// Writes `value` canonically.
pub fn to_canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

/// Writes a finite float canonically: `0.5`, `1.0`, `1e-7`. JSON has no other floats.
pub fn format_f64(number: f64) -> String {
    format!("{number:?}")
}

/// Nested as deeply as serde_json lets a parsed value be (128), so plain recursion is safe.
fn write(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| key.as_bytes());
            text.push('{');
            for (index, (key, field)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(&Value::String(key.clone()), text);
                text.push(':');
                write(field, text);
            }
            text.push('}');
        }
        Value::Number(number) if number.is_f64() => text.push_str(&format_f64(number.as_f64().unwrap_or_default())),
        // Null, booleans, integers and strings: serde_json has one way to write each.
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_at_every_depth_and_nothing_is_spaced() {
        let value: Value =
            serde_json::from_str(r#"{ "b": [1, {"z": null, "a": true}], "B": 2, "a\"": "é\n" }"#).unwrap();
        assert_eq!(to_canonical(&value), r#"{"B":2,"a\"":"é\n","b":[1,{"a":true,"z":null}]}"#);
    }

    #[test]
    fn the_order_in_which_keys_were_written_does_not_matter() {
        let one: Value = serde_json::from_str(r#"{"x":1,"y":{"p":0.5,"q":[]}}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"y":{"q":[],"p":5e-1},"x":1}"#).unwrap();
        assert_eq!(to_canonical(&one), to_canonical(&other));
    }

    #[test]
    fn numbers_keep_their_kind() {
        assert_eq!(
            to_canonical(&json!([1, 1.0, -0.0, 0.1, 1e300, 1e-7, u64::MAX])),
            "[1,1.0,-0.0,0.1,1e300,1e-7,18446744073709551615]"
        );
    }
}
