//! Which options to play with: the game's own schema says what there is, and each option is tried at its ends.

use serde_json::{Map, Value, json};

use crate::component::Component;
use crate::manifest::Manifest;

/// More than these are not tried.
const VARIANTS_MAX: usize = 40;

/// One way to set a game up.
pub(super) struct Variant {
    /// For people.
    pub name: String,
    pub seats: u32,
    /// Canonical JSON.
    pub options: String,
    /// The game as it is when nobody says anything.
    pub is_plain: bool,
}

impl Variant {
    /// Who plays each seat in this episode: a house player, or none for random legal moves. In turn over the seeds, so that
    /// each house player meets itself and the random player.
    pub fn players(&self, manifest: &Manifest, seed: u64) -> Vec<Option<String>> {
        let house = &manifest.house_players;
        let choices = house.len() as u64 + 1;
        let choose = |number: u64| house.get((number % choices) as usize).cloned();
        (0..u64::from(self.seats)).map(|seat| choose(if seat % 2 == 0 { seed } else { seed / choices })).collect()
    }
}

/// The plain game, the other numbers of seats, and each option changed alone.
pub(super) fn of(component: &Component) -> Vec<Variant> {
    let manifest = &component.manifest;
    let mut variants = Vec::new();
    let mut add = |seats: u32, options: Value| {
        // What the schema itself does not allow is nobody's option.
        let Ok(canonical) = component.check_options(&options) else { return };
        let is_plain = variants.is_empty();
        let name = match canonical.as_str() {
            "{}" => format!("{seats} seats"),
            options => format!("{seats} seats, {options}"),
        };
        if variants.len() < VARIANTS_MAX {
            variants.push(Variant { name, seats, options: canonical, is_plain });
        }
    };
    add(manifest.seats_min, json!({}));
    for seats in [manifest.seats_max, u32::midpoint(manifest.seats_min, manifest.seats_max)] {
        if seats != manifest.seats_min {
            add(seats, json!({}));
        }
    }
    for (name, schema) in manifest.options_schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        for value in values(schema, &manifest.options_schema) {
            add(manifest.seats_min, Value::Object(Map::from_iter([(name.clone(), value)])));
        }
    }
    variants
}

/// Values at the ends of what a schema allows; those that it turns out not to allow are dropped later.
fn values(schema: &Value, root: &Value) -> Vec<Value> {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/$defs/")) {
        return root.get("$defs").and_then(|defs| defs.get(name)).map_or(Vec::new(), |found| values(found, root));
    }
    if let Some(listed) = schema.get("enum").and_then(Value::as_array) {
        return listed.clone();
    }
    if let Some(only) = schema.get("const") {
        return vec![only.clone()];
    }
    for list in ["oneOf", "anyOf", "allOf"] {
        if let Some(schemas) = schema.get(list).and_then(Value::as_array) {
            return schemas.iter().flat_map(|schema| values(schema, root)).collect();
        }
    }
    let ends = || ["minimum", "maximum"].into_iter().filter_map(|end| schema.get(end).cloned());
    match schema.get("type").and_then(Value::as_str) {
        Some("boolean") => vec![json!(false), json!(true)],
        Some("integer") => {
            let ends: Vec<Value> = ends().filter_map(|end| end.as_f64()).map(|end| json!(end as i64)).collect();
            if ends.is_empty() { vec![json!(0), json!(1), json!(7)] } else { ends }
        }
        Some("number") => ends().collect(),
        Some("string") => vec![json!(""), json!("x")],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_tried_at_their_ends() {
        let root =
            json!({ "$defs": { "First": { "oneOf": [{ "const": "seat-0" }, { "enum": ["seat-1", "random"] }] } } });
        assert_eq!(
            values(&json!({ "$ref": "#/$defs/First" }), &root),
            [json!("seat-0"), json!("seat-1"), json!("random")]
        );
        assert_eq!(values(&json!({ "type": "integer", "minimum": 3, "maximum": 5.0 }), &root), [json!(3), json!(5)]);
        assert_eq!(values(&json!({ "type": "boolean" }), &root), [json!(false), json!(true)]);
    }
}
