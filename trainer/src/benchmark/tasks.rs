//! A file for each benchmark: its rows, and how a question is put.

pub mod common_gen;
pub mod gsm8k;
pub mod math_500;
pub mod mmlu;
pub mod mmlu_pro;
pub mod social_iqa;
