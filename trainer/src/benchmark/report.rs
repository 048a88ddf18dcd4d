//! What came of a benchmark: how it was run, every answer, and what they add up to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::bleu;
use super::item::{Gold, Item};
use super::score::Score;
use crate::evaluate::Share;

/// How a benchmark was run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    pub task: String,
    pub data: String,
    pub split: String,
    /// Solved examples in front of each question: the first ones of `examples`, of the item's subject where there are subjects.
    pub shots: usize,
    pub examples: Option<String>,
    /// Whether questions went through the model's chat template.
    pub chat: bool,
    /// The most tokens of a reply, where replies were made; they are greedy.
    pub reply_tokens: Option<usize>,
    pub limit: Option<usize>,
    pub precision: String,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    pub id: String,
    pub subject: String,
    pub gold: String,
    /// In nats, of each choice; none where a reply was made.
    pub log_likelihoods: Vec<f64>,
    pub reply: Option<String>,
    pub scores: Vec<Score>,
}

/// The answers of one model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub model: String,
    pub settings: Settings,
    pub items: usize,
    /// Prompts that were longer than the model takes, and lost their beginning.
    pub cut: usize,
    /// The mean score by each measure, with Wilson's interval.
    pub measures: Vec<(String, Share)>,
    /// Of each subject, by the first measure.
    pub subjects: BTreeMap<String, Share>,
    /// Corpus BLEU-4, 0 to 100, where there are references.
    pub bleu: Option<f64>,
    pub answers: Vec<Answer>,
}

impl Report {
    /// Sums up answers, one for each item.
    pub fn of(model: String, settings: Settings, items: &[Item], cut: usize, answers: Vec<Answer>) -> Report {
        let names = answers.first().map(|answer| names(&answer.scores)).unwrap_or_default();
        let measures =
            names.iter().enumerate().map(|(index, name)| (name.clone(), share(answers.iter(), index))).collect();
        let mut of_subjects: BTreeMap<String, Vec<&Answer>> = BTreeMap::new();
        for answer in answers.iter().filter(|answer| !answer.subject.is_empty()) {
            of_subjects.entry(answer.subject.clone()).or_default().push(answer);
        }
        let subjects =
            of_subjects.into_iter().map(|(subject, answers)| (subject, share(answers.into_iter(), 0))).collect();
        Report {
            model,
            items: answers.len(),
            cut,
            measures,
            subjects,
            bleu: bleu_of(items, &answers),
            settings,
            answers,
        }
    }
}

fn names(scores: &[Score]) -> Vec<String> {
    scores.iter().map(|score| score.measure.clone()).collect()
}

fn share<'a>(answers: impl Iterator<Item = &'a Answer>, measure: usize) -> Share {
    let scores: Vec<f64> = answers.map(|answer| answer.scores[measure].score).collect();
    Share::new(scores.iter().sum(), scores.len() as u64)
}

fn bleu_of(items: &[Item], answers: &[Answer]) -> Option<f64> {
    let pairs: Vec<(&str, &[String])> = items
        .iter()
        .zip(answers)
        .filter_map(|(item, answer)| match &item.gold {
            Gold::Sentence { references, .. } => Some((answer.reply.as_deref()?.trim(), references.as_slice())),
            _ => None,
        })
        .collect();
    (!pairs.is_empty()).then(|| bleu::corpus(&pairs))
}
