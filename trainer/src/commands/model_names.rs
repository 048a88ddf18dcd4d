//! What models are called in tables.

use std::path::Path;

/// The shortest ends of paths by which the models can be told apart.
pub fn short_names(models: &[String]) -> Vec<String> {
    let end = |model: &str, parts: usize| -> String {
        let all: Vec<_> = Path::new(model).components().map(|part| part.as_os_str().to_string_lossy()).collect();
        all[all.len().saturating_sub(parts)..].join("/")
    };
    let longest = models.iter().map(|model| Path::new(model).components().count()).max().unwrap_or(1);
    let apart = |parts: &usize| {
        let ends: Vec<String> = models.iter().map(|model| end(model, *parts)).collect();
        (0..ends.len()).all(|index| !ends[..index].contains(&ends[index]))
    };
    match (1..=longest).find(apart) {
        Some(parts) => models.iter().map(|model| end(model, parts)).collect(),
        None => models.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_called_by_the_shortest_ends_that_tell_them_apart() {
        let names = |models: &[&str]| short_names(&models.iter().map(|model| (*model).to_string()).collect::<Vec<_>>());
        assert_eq!(names(&["runs/a/checkpoints/step-000020"]), ["step-000020"]);
        assert_eq!(names(&["base", "runs/a/step-2"]), ["base", "step-2"]);
        assert_eq!(names(&["runs/a/step-2", "runs/b/step-2"]), ["a/step-2", "b/step-2"]);
        assert_eq!(names(&["same", "same"]), ["same", "same"]);
    }
}
