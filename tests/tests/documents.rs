//! What the documents name is there.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the clone.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust source below a folder, but what cargo and the starter keep there.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !["target", "built", ".git", ".ludus"].contains(&name) {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(fs::read_to_string(&path).expect("a source"));
        }
    }
}

/// The texts in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_test_that_the_architecture_names_is_there() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let (_, invariants) = text.split_once("## Invariants").expect("a chapter of invariants");
    let mut all = Vec::new();
    sources(&root(), &mut all);
    let named: Vec<&str> = quoted(invariants).filter_map(|name| name.rsplit_once("::")).map(|(_, test)| test).collect();
    assert!(named.len() > 50, "{} tests are named", named.len());
    let is_there = |test: &str| {
        all.iter().any(|source| {
            source.contains(&format!("#[test]\nfn {test}(")) || source.contains(&format!("#[test]\n    fn {test}("))
        })
    };
    let missing: Vec<&&str> = named.iter().filter(|test| !is_there(test)).collect();
    assert!(missing.is_empty(), "no test has this name: {missing:?}");
}

#[test]
fn every_link_within_the_documents_leads_somewhere() {
    let mut links = 0;
    let documents = [
        "README.md",
        "ARCHITECTURE.md",
        "docs/performance.md",
        "docs/performance-history.md",
        "docs/recipe.md",
        "docs/record-format.md",
        "docs/experiments/nesting.md",
        "docs/experiments/quickstart.md",
        "docs/experiments/self-play.md",
    ];
    for document in documents {
        let path = root().join(document);
        let text = fs::read_to_string(&path).expect("a document");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.starts_with('#') {
                continue;
            }
            let target = target.split('#').next().unwrap_or_default();
            assert!(path.with_file_name("").join(target).exists(), "{document} links to {target}");
            links += 1;
        }
    }
    assert!(links > 5, "{links} links");
}
