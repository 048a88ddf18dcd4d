//! GSM8K: word problems of grade school, whose worked answer ends with `#### ` and a number.
//!
//! Rows have `question` and `answer`.

use crate::benchmark::error::BenchmarkError;
use crate::benchmark::item::{Gold, Item};
use crate::benchmark::rows::Row;

pub fn item(row: &Row) -> Result<Item, BenchmarkError> {
    let answer = row.text("answer")?.to_owned();
    if !answer.contains("#### ") {
        return Err(row.problem("its `answer` has no `#### ` before a number"));
    }
    Ok(Item {
        id: row.name(),
        subject: String::new(),
        introduction: String::new(),
        question: format!("Question: {}\nAnswer:", row.text("question")?),
        solution: answer.clone(),
        gold: Gold::Number(answer),
    })
}
