//! MATH-500: competition problems whose answer is an expression in LaTeX.
//!
//! Rows have `problem`, `solution` (with the answer in `\boxed{}`, else `answer`) and `subject`. A solved example ends with the
//! words by which Minerva's prompt (Lewkowycz et al. 2022, appendix D) has answers be found.

use crate::benchmark::error::BenchmarkError;
use crate::benchmark::item::{Gold, Item};
use crate::benchmark::latex::{last_boxed, normalized};
use crate::benchmark::rows::Row;

pub fn item(row: &Row) -> Result<Item, BenchmarkError> {
    let solution = row.text("solution")?;
    let answer = match last_boxed(solution) {
        Some(boxed) => boxed,
        None => row.text("answer")?.to_owned(),
    };
    Ok(Item {
        id: if row.has("unique_id") { row.text("unique_id")?.to_owned() } else { row.name() },
        subject: if row.has("subject") { row.text("subject")?.to_owned() } else { String::new() },
        introduction: String::new(),
        question: format!("Problem:\n{}\n\nSolution:", row.text("problem")?),
        solution: format!("{solution}\nFinal Answer: The final answer is ${answer}$. I hope it is correct."),
        gold: Gold::Latex(normalized(&answer)),
    })
}
