//! MMLU: a question, four choices, and the letter of the right one is scored.
//!
//! Rows have `question`, `choices` (or `A` to `D`) and `answer`, a letter or its number from 0; `subject`, else the file or its
//! folder is named after it.

use crate::benchmark::error::BenchmarkError;
use crate::benchmark::files::subject_of;
use crate::benchmark::item::{Gold, Item, letter};
use crate::benchmark::rows::Row;

const CHOICES: usize = 4;

pub fn item(row: &Row) -> Result<Item, BenchmarkError> {
    let choices = if row.has("choices") {
        row.texts("choices")?
    } else {
        ["A", "B", "C", "D"].iter().map(|name| row.text(name).map(str::to_owned)).collect::<Result<_, _>>()?
    };
    if choices.len() != CHOICES {
        return Err(row.problem(format!("it has {} choices, not {CHOICES}", choices.len())));
    }
    let subject =
        if row.has("subject") { row.text("subject")?.to_owned() } else { subject_of(&row.path).unwrap_or_default() };
    let right = right(row)?;
    let about = if subject.is_empty() { String::new() } else { format!(" about {}", subject.replace('_', " ")) };
    let listed: String =
        choices.iter().enumerate().map(|(index, choice)| format!("{}. {choice}\n", letter(index))).collect();
    Ok(Item {
        id: row.name(),
        subject,
        introduction: format!("The following are multiple choice questions (with answers){about}.\n\n"),
        question: format!("{}\n{listed}Answer:", row.text("question")?.trim()),
        solution: letter(right),
        gold: Gold::Choice { choices: (0..CHOICES).map(letter).collect(), right },
    })
}

fn right(row: &Row) -> Result<usize, BenchmarkError> {
    let answer = row.word("answer")?;
    let named = (0..CHOICES).find(|&index| letter(index) == answer.trim() || index.to_string() == answer.trim());
    named.ok_or_else(|| row.problem(format!("its `answer` is `{answer}`: it must be A to D, or 0 to 3")))
}
