//! What makes two plans the same.
//!
//! The plan's hash is blake3 over the canonical JSON of the recipe and of the games' hashes. Left out is what says
//! where a run happens and not what comes of it: `name`, `model.device`, `model.threads`, `optimizer.sharded`, `[checkpoint]`,
//! and of `[endpoints]` where calls go and how patiently. A run is resumed only with the hash that it was started with.

use std::collections::BTreeSet;
use std::sync::Arc;

use ludus_host::canonical::to_canonical;
use ludus_host::component::Component;
use ludus_host::hash::Hash;
use serde_json::{Map, Value, json};

use crate::recipe::Recipe;

/// Of an endpoint, where calls go and how patiently: what a person mends where a server moved or is slow.
const HOW_IT_IS_REACHED: [&str; 5] = ["url", "key_variable", "timeout_s", "retries", "concurrent"];

/// The recipe without what says where and how it is run.
fn what_counts(recipe: &Recipe) -> Value {
    // A recipe holds no map with keys that are no strings and no value that fails to serialize.
    let mut written = serde_json::to_value(recipe).unwrap_or_default();
    let left_out =
        [("/model", "device"), ("/model", "threads"), ("/optimizer", "sharded"), ("", "name"), ("", "checkpoint")];
    for (section, key) in left_out {
        if let Some(fields) = written.pointer_mut(section).and_then(|value| value.as_object_mut()) {
            fields.remove(key);
        }
    }
    if let Some(endpoints) = written.get_mut("endpoints").and_then(Value::as_object_mut) {
        for endpoint in endpoints.values_mut().filter_map(Value::as_object_mut) {
            endpoint.retain(|key, _| !HOW_IT_IS_REACHED.contains(&key.as_str()));
        }
    }
    written
}

/// How one recipe differs from another in what counts: `optimizer.learning_rate is 2e-5, was 1e-5` for each key. Empty
/// where they are the same.
pub fn differences(recipe: &Recipe, before: &Recipe) -> Vec<String> {
    let mut found = Vec::new();
    compare(&what_counts(recipe), &what_counts(before), "", &mut found);
    found
}

fn compare(now: &Value, before: &Value, path: &str, found: &mut Vec<String>) {
    let within = |key: &str| if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
    match (now, before) {
        (Value::Object(now), Value::Object(before)) => {
            let keys: BTreeSet<&String> = now.keys().chain(before.keys()).collect();
            for key in keys {
                let value = |fields: &Map<String, Value>| fields.get(key).cloned().unwrap_or_default();
                compare(&value(now), &value(before), &within(key), found);
            }
        }
        (Value::Array(now), Value::Array(before)) if now.len() == before.len() => {
            for (index, (now, before)) in now.iter().zip(before).enumerate() {
                compare(now, before, &within(&index.to_string()), found);
            }
        }
        _ if now != before => {
            let shown = |value: &Value| match value {
                Value::Array(_) | Value::Object(_) => "another one".to_string(),
                _ => value.to_string(),
            };
            found.push(format!("{path} is {}, was {}", shown(now), shown(before)));
        }
        _ => {}
    }
}

pub(super) fn hash(recipe: &Recipe, components: &[Arc<Component>]) -> Hash {
    let written = what_counts(recipe);
    let games: Vec<Hash> = components.iter().map(|component| component.hash).collect();
    Hash::of(to_canonical(&json!({ "version": 1, "recipe": written, "games": games })).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::read;

    const WITH_A_RIVAL: &str = r#"
        name = "a"
        steps = 1
        [[stage]]
        game = "tictactoe"
        [endpoints.rival]
        url = "http://one/v1"
        model = "m"
    "#;

    fn with_rival(changed: &str) -> Recipe {
        read::parse(WITH_A_RIVAL, "the test's recipe", &[format!("endpoints.rival.{changed}")]).unwrap()
    }

    #[test]
    fn an_endpoint_may_move_and_be_asked_more_patiently_but_not_for_something_else() {
        let before = with_rival("model=m");
        for same in ["url=http://two/v1", "key_variable=KEY", "timeout_s=5", "retries=0", "concurrent=1"] {
            let now = with_rival(same);
            assert_ne!(now, before, "{same}");
            assert_eq!(hash(&now, &[]), hash(&before, &[]), "{same}");
            assert!(differences(&now, &before).is_empty(), "{same}");
        }
        for other in ["model=n", "system=Play", "temperature=0.5", "top_p=0.5", "tokens=8"] {
            let now = with_rival(other);
            assert_ne!(hash(&now, &[]), hash(&before, &[]), "{other}");
            assert_eq!(differences(&now, &before).len(), 1, "{other}");
        }
    }
}
