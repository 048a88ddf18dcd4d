//! SocialIQA: a situation, a question about who is in it, and three answers, each of which is scored as a whole.
//!
//! Rows have `context`, `question`, `answerA` to `answerC` and `label`, from 1.

use crate::benchmark::error::BenchmarkError;
use crate::benchmark::item::{Gold, Item};
use crate::benchmark::rows::Row;

pub fn item(row: &Row) -> Result<Item, BenchmarkError> {
    let answers = ["answerA", "answerB", "answerC"].into_iter().map(|name| answer(row, name));
    let choices = answers.collect::<Result<Vec<String>, BenchmarkError>>()?;
    let label = row.word("label")?;
    let right = ["1", "2", "3"].iter().position(|number| *number == label.trim());
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
