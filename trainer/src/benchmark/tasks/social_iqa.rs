//! SocialIQA: a situation, a question about who is in it, and three answers, each of which is scored as a whole.
//!
//! Rows have `context`, `question`, `answerA` to `answerC` and `label`, from 1. In the benchmark's own archive labels lie beside
//! the rows: a line in `dev-labels.lst` for each of `dev.jsonl`.

use std::io::ErrorKind;

use ludus_host::regular_file;

use crate::benchmark::error::BenchmarkError;
use crate::benchmark::item::{Gold, Item};
use crate::benchmark::rows::Row;

pub fn items(rows: &[Row]) -> Result<Vec<Item>, BenchmarkError> {
    let mut items = Vec::with_capacity(rows.len());
    for of_a_file in rows.chunk_by(|one, next| one.path == next.path) {
        let beside = labels_beside(of_a_file)?;
        for row in of_a_file {
            let label = match &beside {
                Some(labels) if !row.has("label") => labels[row.number - 1].clone(),
                _ => row.word("label")?,
            };
            items.push(item(row, label.trim())?);
        }
    }
    Ok(items)
}

/// The lines of `dev-labels.lst` beside `dev.jsonl`, one for each of its rows; none where the rows say their labels themselves, or
/// where there is no such file.
fn labels_beside(rows: &[Row]) -> Result<Option<Vec<String>>, BenchmarkError> {
    let (Some(last), false) = (rows.last(), rows.iter().all(|row| row.has("label"))) else { return Ok(None) };
    let stem = last.path.file_stem().unwrap_or_default().to_string_lossy();
    let path = last.path.with_file_name(format!("{stem}-labels.lst"));
    let labels: Vec<String> = match regular_file::read_text(&path, u64::MAX) {
        Ok(text) => text.trim_end().lines().map(str::to_owned).collect(),
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(BenchmarkError::File { path, cause }),
    };
    // With a line too many or too few nobody can say whose labels they are.
    if labels.len() != last.number {
        let problem =
            format!("it has {} labels for the {} lines of {}", labels.len(), last.number, last.path.display());
        return Err(BenchmarkError::malformed(&path, format!("{problem}: it must have one for each")));
    }
    Ok(Some(labels))
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
