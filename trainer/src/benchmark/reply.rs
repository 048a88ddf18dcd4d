//! Greedy replies, cut before the first of some stops.

use ludus_host::stream::Stream;

use super::error::BenchmarkError;
use super::prompt::Prompter;
use crate::generate::{Row, Sampling, Session};
use crate::model::config::ModelConfig;
use crate::model::llama::{Llama, Weights};

const GREEDY: Sampling = Sampling { temperature: 0.0, top_p: 1.0, top_k: 0, min_p: 0.0 };

/// How replies are made.
pub struct Replies<'a> {
    pub llama: &'a Llama,
    pub weights: &'a Weights,
    pub prompter: &'a Prompter,
    pub stops: &'a [&'a str],
    pub tokens_max: usize,
    /// So many are made at a time.
    pub rows: usize,
}

impl Replies<'_> {
    /// The reply to each prompt; a prompt keeps its last tokens, so many that the reply has room behind them. `done` hears of
    /// each that is complete.
    ///
    /// # Errors
    /// Where the model has no positions for such a reply.
    pub fn to(&self, prompts: &[Vec<i64>], done: &mut dyn FnMut(usize)) -> Result<Vec<String>, BenchmarkError> {
        let room = prompt_room(&self.llama.config, self.tokens_max)?;
        let prompts: Vec<&[i64]> = prompts.iter().map(|prompt| &prompt[prompt.len().saturating_sub(room)..]).collect();
        let is_complete = |tokens: &[i64]| self.has_stop(tokens);
        let session = Session::new(self.llama, self.weights, GREEDY, self.prompter.end_ids());
        let mut session = session.stop_where(&is_complete);
        if let Some(common) = common_beginning(&prompts) {
            session.share(common);
        }
        let mut replies = vec![String::new(); prompts.len()];
        let mut asked: Vec<(Row, usize)> = Vec::new();
        let mut waiting = 0..prompts.len();
        loop {
            while asked.len() < self.rows.max(1)
                && let Some(next) = waiting.next()
            {
                // Nothing is drawn.
                let row = session.join(prompts[next], Stream::derive(0, &["benchmark".into()]));
                session.ask(row, &[], self.tokens_max);
                asked.push((row, next));
            }
            if asked.is_empty() {
                return Ok(replies);
            }
            for (row, reply) in session.advance() {
                let place = asked.iter().position(|(known, _)| *known == row).expect("only who was asked replies");
                let (row, prompt) = asked.swap_remove(place);
                session.leave(row);
                replies[prompt] = self.cut(&self.prompter.decode(&reply.tokens));
                done(1);
            }
        }
    }

    /// Whether the last token completed a stop. No token is shorter than a byte, so a stop is in as many tokens as it has bytes.
    fn has_stop(&self, tokens: &[i64]) -> bool {
        self.stops.iter().any(|stop| {
            let last = &tokens[tokens.len().saturating_sub(stop.len())..];
            self.prompter.decode_all(last).contains(stop)
        })
    }

    fn cut(&self, reply: &str) -> String {
        let kept = self.stops.iter().fold(reply, |kept, stop| kept.split(stop).next().unwrap_or_default());
        kept.to_owned()
    }
}

/// Tokens that a prompt may have before a reply.
///
/// # Errors
/// Where there is none.
pub fn prompt_room(config: &ModelConfig, reply_tokens: usize) -> Result<usize, BenchmarkError> {
    let possible = usize::try_from(config.max_positions).unwrap_or(usize::MAX);
    possible.checked_sub(reply_tokens).filter(|&room| room > 0).ok_or_else(|| {
        BenchmarkError::Asked(format!(
            "a reply of {reply_tokens} tokens leaves no room for a question: the model was made for {possible}; lower --tokens"
        ))
    })
}

/// What all prompts begin with, if it is worth to be read once; each has at least a token behind it.
fn common_beginning<'a>(prompts: &[&'a [i64]]) -> Option<&'a [i64]> {
    const WORTH: usize = 16;
    let (first, others) = prompts.split_first()?;
    let common = |other: &&[i64]| first.iter().zip(*other).take_while(|(one, other)| one == other).count();
    let length = others.iter().map(common).min()?.min(first.len().saturating_sub(1));
    let shortest = others.iter().map(|other| other.len().saturating_sub(1)).min()?;
    Some(&first[..length.min(shortest)]).filter(|beginning| beginning.len() >= WORTH)
}
