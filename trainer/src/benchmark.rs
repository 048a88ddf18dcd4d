//! Ability benchmarks of language models, from files on this machine: MMLU, MMLU-Pro, SocialIQA, CommonGen, MATH-500 and
//! GSM8K.
//!
//! ```text
//! files -> rows -> items -> prompts -> log-likelihoods of the choices, or a greedy reply -> scores -> report
//! ```
//!
//! Prompts, stops, extraction and scores are those of EleutherAI's lm-evaluation-harness 0.4.13, so that a number can be
//! compared with published ones; tests hold ours to its answers, item by item. CommonGen, which it does not have, says for
//! itself what is computed ([`tasks::common_gen`]). Two things are otherwise: solved examples are always the first ones of
//! their split (the harness draws them for GSM8K and SocialIQA, and brings its own for MATH-500), and answers in LaTeX are
//! compared without a computer algebra system ([`latex`]).

pub mod asked;
pub mod bleu;
pub mod compare;
pub mod concepts;
pub mod error;
pub mod extract;
pub mod files;
pub mod item;
pub mod latex;
pub mod likelihood;
pub mod prompt;
pub mod questions;
pub mod reply;
pub mod report;
pub mod rows;
pub mod score;
pub mod table;
pub mod task;
pub mod tasks;
