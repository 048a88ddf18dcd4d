//! SocialIQA: a situation, a question about who is in it, and three answers, each of which is scored as a whole.
//!
//! Rows have `context`, `question`, `answerA` to `answerC` and `label`, from 1. In the benchmark's own archive labels lie beside
//! the rows: a line in `dev-labels.lst` for each of `dev.jsonl`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::benchmark::error::BenchmarkError;
use crate::benchmark::item::{Gold, Item};
use crate::benchmark::rows::Row;

pub fn items(rows: &[Row]) -> Result<Vec<Item>, BenchmarkError> {
    let mut beside: BTreeMap<&Path, Vec<String>> = BTreeMap::new();
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        let mut label = None;
        if !row.has("label") {
            let labels = beside.entry(&row.path).or_insert_with(|| labels_beside(&row.path));
            label = labels.get(row.number - 1).cloned();
        }
        // Where there is none at all, the row says so.
        let label = label.map_or_else(|| row.word("label"), Ok)?;
        items.push(item(row, label.trim())?);
    }
    Ok(items)
}

/// The lines of `dev-labels.lst` beside `dev.jsonl`; none where it is not there.
fn labels_beside(path: &Path) -> Vec<String> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let text = fs::read_to_string(path.with_file_name(format!("{stem}-labels.lst"))).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn item(row: &Row, label: &str) -> Result<Item, BenchmarkError> {
    let answers = ["answerA", "answerB", "answerC"].into_iter().map(|name| answer(row, name));
    let choices = answers.collect::<Result<Vec<String>, BenchmarkError>>()?;
    let right = ["1", "2", "3"].iter().position(|number| *number == label);
    let right = right.ok_or_else(|| row.problem(format!("its `label` is `{label}`: it must be 1, 2 or 3")))?;
    Ok(Item {
        id: row.name(),
        subject: String::new(),
        introduction: String::new(),
        question: format!("Q: {} {}\nA:", row.text("context")?, row.text("question")?),
        solution: choices[right].clone(),
        gold: Gold::Choice { choices, right },
    })
}

/// An empty answer would be the likeliest of all, whatever the model, and have no length to divide by.
fn answer(row: &Row, name: &str) -> Result<String, BenchmarkError> {
    let text = row.text(name)?;
    if text.trim().is_empty() {
        return Err(row.problem(format!("its `{name}` is empty: fill it in or take the row out")));
    }
    Ok(text.to_owned())
}
