//! A model that is asked the questions of a benchmark.

use std::collections::BTreeMap;

use super::error::BenchmarkError;
use super::item::{Gold, Item};
use super::likelihood::log_likelihoods;
use super::prompt::{Prompter, Scored};
use super::questions::Questions;
use super::reply::{Replies, prompt_room};
use super::report::{Answer, Report, Settings};
use super::score;
use crate::model::llama::{Llama, Weights};

/// A model that is asked.
pub struct Asked<'a> {
    pub name: &'a str,
    pub llama: &'a Llama,
    pub weights: &'a Weights,
    pub prompter: &'a Prompter,
    /// Tokens that go through the network at once, where choices are scored.
    pub pack_tokens: usize,
    /// Replies that are made at a time.
    pub rows: usize,
}

impl Asked<'_> {
    /// Asks every question. `done` hears of choices or replies as they come.
    ///
    /// # Errors
    /// Where a prompt cannot be written, or the model has no room for it.
    pub fn answer(
        &self,
        questions: &Questions,
        settings: &Settings,
        done: &mut dyn FnMut(usize),
    ) -> Result<Report, BenchmarkError> {
        let texts = questions.items.iter().map(|item| self.prompter.text(item, &questions.examples_of(item)));
        let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
        let (cut, answers) = if questions.are_choices() {
            self.choose(&questions.items, &texts, done)?
        } else {
            self.reply(questions, &texts, settings.reply_tokens.unwrap_or(1), done)?
        };
        Ok(Report::of(self.name.to_owned(), settings.clone(), &questions.items, cut, answers))
    }

    fn choose(
        &self,
        items: &[Item],
        texts: &[String],
        done: &mut dyn FnMut(usize),
    ) -> Result<(usize, Vec<Answer>), BenchmarkError> {
        let room = usize::try_from(self.llama.config.max_positions).unwrap_or(usize::MAX);
        let mut scored: Vec<Scored> = Vec::new();
        let mut cut = 0;
        for (item, text) in items.iter().zip(texts) {
            let Gold::Choice { choices, .. } = &item.gold else { continue };
            let first = scored.len();
            for choice in choices {
                scored.push(self.prompter.choice(text, choice)?);
            }
            cut += usize::from(scored[first..].iter().any(|choice| choice.tokens.len() > room));
        }
        let found = log_likelihoods(self.llama, self.weights, &scored, self.pack_tokens, done);
        let mut found = found.into_iter();
        let answer = |item: &Item| {
            let (log_likelihoods, scores) = match &item.gold {
                Gold::Choice { choices, right } => {
                    let of_item: Vec<f64> = found.by_ref().take(choices.len()).collect();
                    let scores = score::of_choices(choices, *right, &of_item);
                    (of_item, scores)
                }
                _ => (Vec::new(), Vec::new()),
            };
            Answer {
                id: item.id.clone(),
                subject: item.subject.clone(),
                gold: item.gold.shown(),
                log_likelihoods,
                reply: None,
                scores,
            }
        };
        Ok((cut, items.iter().map(answer).collect()))
    }

    fn reply(
        &self,
        questions: &Questions,
        texts: &[String],
        tokens_max: usize,
        done: &mut dyn FnMut(usize),
    ) -> Result<(usize, Vec<Answer>), BenchmarkError> {
        let room = prompt_room(&self.llama.config, tokens_max)?;
        let prompts: Vec<Vec<i64>> = texts.iter().map(|text| self.prompter.tokens(text)).collect::<Result<_, _>>()?;
        let cut = prompts.iter().filter(|prompt| prompt.len() > room).count();
        let replies = Replies {
            llama: self.llama,
            weights: self.weights,
            prompter: self.prompter,
            stops: questions.task.defaults().stops,
            tokens_max,
            rows: self.rows,
        };
        // Items of a subject have most or all of their examples in common, so they are asked together.
        let mut of_subjects: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let by_subject = questions.task.defaults().examples_by_subject;
        for (index, item) in questions.items.iter().enumerate() {
            of_subjects.entry(if by_subject { &item.subject } else { "" }).or_default().push(index);
        }
        let mut found: Vec<String> = vec![String::new(); prompts.len()];
        for indices in of_subjects.values() {
            let of_subject: Vec<Vec<i64>> = indices.iter().map(|&index| prompts[index].clone()).collect();
            for (&index, reply) in indices.iter().zip(replies.to(&of_subject, done)?) {
                found[index] = reply;
            }
        }
        let answer = |(item, reply): (&Item, String)| Answer {
            id: item.id.clone(),
            subject: item.subject.clone(),
            gold: item.gold.shown(),
            log_likelihoods: Vec::new(),
            scores: score::of_reply(&item.gold, &reply),
            reply: Some(reply),
        };
        Ok((cut, questions.items.iter().zip(found).map(answer).collect()))
    }
}
