//! MMLU-Pro: a question, up to ten options, and a reply that thinks before it comes to `the answer is (X)`.
//!
//! Rows have `question`, `options`, `answer` (a letter) and `category`; those of the examples `cot_content`.

use crate::benchmark::error::BenchmarkError;
use crate::benchmark::item::{Gold, Item, letter};
use crate::benchmark::rows::Row;

const OPTIONS_MAX: usize = 10;

pub fn item(row: &Row) -> Result<Item, BenchmarkError> {
    let options = row.texts("options")?;
    let answer = row.text("answer")?.trim().to_owned();
    if options.len() > OPTIONS_MAX || !(0..options.len()).any(|index| letter(index) == answer) {
        return Err(row.problem(format!("its `answer` is `{answer}`, and it has {} options", options.len())));
    }
    let category = row.text("category")?.to_owned();
    let thought = if row.has("cot_content") { row.text("cot_content")? } else { "" };
    let listed: String =
        options.iter().enumerate().map(|(index, option)| format!("{}. {}\n", letter(index), option.trim())).collect();
    Ok(Item {
        id: if row.has("question_id") { row.word("question_id")? } else { row.name() },
        introduction: format!(
            "The following are multiple choice questions (with answers) about {category}. Think step by step and then finish \
             your answer with \"the answer is (X)\" where X is the correct letter choice.\n"
        ),
        subject: category,
        question: format!("Question:\n{}\nOptions:\n{listed}Answer: Let's think step by step.", row.text("question")?),
        solution: thought.replace("A: Let's think step by step. ", ""),
        gold: Gold::Letter(answer),
    })
}
