//! Continuous batched sampling with a key-value cache that lives across turns.
//!
//! A [`Session`] holds many conversations. Each is asked when it has something to answer, and [`Session::advance`] makes one
//! pass for all that are: whoever has unread text reads it, and everyone draws a token. A conversation whose reply is
//! complete can be asked again at once, or leave, and another one join: nobody waits for the slowest.
//!
//! Conversations that have seen the same tokens are computed once: a group that was dealt the same game reads its opening
//! together, and parts where its replies do.
//!
//! What it does not do: chat text, games.

mod sampling;

use std::collections::BTreeMap;

use ludus_host::stream::Stream;
use tch::Tensor;

use crate::model::attention::{Read, Sight};
use crate::model::cache::Cache;
use crate::model::llama::{Llama, Weights};

pub use sampling::Sampling;

/// What a conversation replied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The sampled tokens, the end token included where it was sampled.
    pub tokens: Vec<i64>,
    /// Their log-probabilities under the whole distribution at the sampling temperature.
    pub log_probabilities: Vec<f32>,
    /// Whether the model ended the reply itself, with an end token or what it is stopped at.
    pub ended: bool,
}

/// A conversation of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row(usize);

/// Conversations that are continued together.
pub struct Session<'a> {
    llama: &'a Llama,
    weights: &'a Weights,
    sampling: Sampling,
    end_tokens: Vec<i64>,
    /// Whether a reply of these tokens is complete, whatever its last one is.
    is_complete: &'a dyn Fn(&[i64]) -> bool,
    cache: Cache,
    /// Beginnings that conversations may share, and the histories that hold them.
    beginnings: Vec<(Vec<i64>, usize)>,
    rows: BTreeMap<Row, Conversation>,
    joined: usize,
}

struct Conversation {
    history: usize,
    /// What the cache has not seen yet: new text, or the token that was sampled last.
    unread: Vec<i64>,
    /// The reply so far, while it is asked for one.
    reply: Option<Reply>,
    reply_tokens_max: usize,
    stream: Stream,
}

impl<'a> Session<'a> {
    /// A session without conversations.
    pub fn new(llama: &'a Llama, weights: &'a Weights, sampling: Sampling, end_tokens: &[i64]) -> Session<'a> {
        Session {
            llama,
            weights,
            sampling,
            end_tokens: end_tokens.to_vec(),
            is_complete: &|_| false,
            cache: llama.cache(),
            beginnings: Vec::new(),
            rows: BTreeMap::new(),
            joined: 0,
        }
    }

    /// Ends replies also where this holds for the tokens so far.
    pub fn stop_where(self, is_complete: &'a dyn Fn(&[i64]) -> bool) -> Session<'a> {
        Session { is_complete, ..self }
    }

    /// Reads the beginning of many conversations once and for all.
    ///
    /// # Panics
    /// Where it has no token.
    pub fn share(&mut self, beginning: &[i64]) {
        assert!(!beginning.is_empty(), "a beginning has at least one token");
        let history = self.cache.add();
        let _ = tch::no_grad(|| self.feed(&[(history, beginning)]));
        self.beginnings.push((beginning.to_vec(), history));
    }

    /// Adds a conversation that opens with these tokens, at least one. Every draw of it comes from `stream`.
    pub fn join(&mut self, opening: &[i64], stream: Stream) -> Row {
        // The last token is left: what follows it has to be computed.
        let known = |beginning: &[i64]| opening.len() > beginning.len() && opening.starts_with(beginning);
        let shared = self.beginnings.iter().filter(|(tokens, _)| known(tokens)).max_by_key(|(tokens, _)| tokens.len());
        let (read, history) = match shared {
            Some((tokens, history)) => (tokens.len(), *history),
            None => (0, self.nothing()),
        };
        let row = Row(self.joined);
        self.joined += 1;
        let unread = opening[read..].to_vec();
        self.rows.insert(row, Conversation { history, unread, reply: None, reply_tokens_max: 0, stream });
        row
    }

    /// Removes a conversation.
    pub fn leave(&mut self, row: Row) {
        self.rows.remove(&row);
    }

    /// Tokens of a conversation so far, those included that it has not read yet.
    pub fn length(&self, row: Row) -> usize {
        let conversation = &self.rows[&row];
        self.cache.length(conversation.history) as usize + conversation.unread.len()
    }

    /// Asks a conversation for a reply of at most so many tokens, after further text.
    ///
    /// # Panics
    /// Where it has left, or is asked already.
    pub fn ask(&mut self, row: Row, text: &[i64], reply_tokens_max: usize) {
        let conversation = self.rows.get_mut(&row).expect("a conversation that is there");
        assert!(conversation.reply.is_none(), "one reply at a time");
        conversation.unread.extend(text);
        conversation.reply = Some(Reply::default());
        conversation.reply_tokens_max = reply_tokens_max.max(1);
    }

    /// One pass: every conversation that is asked reads what it has not read and draws a token. Returns the replies that are
    /// complete now, in the order in which their conversations joined; none where nobody is asked.
    pub fn advance(&mut self) -> Vec<(Row, Reply)> {
        let asked: Vec<Row> =
            self.rows.iter().filter(|(_, conversation)| conversation.reply.is_some()).map(|(&row, _)| row).collect();
        if asked.is_empty() {
            return Vec::new();
        }
        tch::no_grad(|| {
            self.drop_unused();
            let (blocks, block_of) = self.part(&asked);
            let feeds: Vec<(usize, &[i64])> =
                blocks.iter().map(|(history, block)| (*history, block.as_slice())).collect();
            let hidden = self.feed(&feeds);
            let logits = self.llama.logits(self.weights, &hidden);
            let numbers: Vec<f64> = asked.iter().map(|row| self.conversation(*row).stream.unit_f64()).collect();
            let (tokens, log_probabilities) = sampling::draw(logits, &block_of, &numbers, self.sampling);
            let drawn = tokens.into_iter().zip(log_probabilities);
            asked.into_iter().zip(drawn).filter_map(|(row, drawn)| Some((row, self.write(row, drawn)?))).collect()
        })
    }

    /// Advances until nobody is asked any more, and returns all replies.
    pub fn complete(&mut self) -> BTreeMap<Row, Reply> {
        let mut replies = BTreeMap::new();
        while self.rows.values().any(|conversation| conversation.reply.is_some()) {
            replies.extend(self.advance());
        }
        replies
    }

    /// Adds a token to a conversation's reply and returns the reply where it is complete.
    fn write(&mut self, row: Row, (token, log_probability): (i64, f32)) -> Option<Reply> {
        let is_end = self.end_tokens.contains(&token);
        let is_complete = self.is_complete;
        let conversation = self.conversation(row);
        conversation.unread = vec![token];
        let reply = conversation.reply.as_mut()?;
        reply.tokens.push(token);
        reply.log_probabilities.push(log_probability);
        reply.ended = is_end || is_complete(&reply.tokens);
        if reply.ended || reply.tokens.len() == conversation.reply_tokens_max {
            return conversation.reply.take();
        }
        None
    }

    fn conversation(&mut self, row: Row) -> &mut Conversation {
        self.rows.get_mut(&row).expect("a conversation that is there")
    }

    /// A history of nothing; conversations that have read nothing yet share it.
    fn nothing(&mut self) -> usize {
        let mut histories = self.rows.values().map(|conversation| conversation.history);
        histories.find(|&history| self.cache.length(history) == 0).unwrap_or_else(|| self.cache.add())
    }

    /// Drops histories that no conversation has.
    fn drop_unused(&mut self) {
        let mut used = vec![false; self.cache.histories()];
        let of_rows = self.rows.values_mut().map(|conversation| &mut conversation.history);
        let of_beginnings = self.beginnings.iter_mut().map(|(_, history)| history);
        let mut all: Vec<&mut usize> = of_rows.chain(of_beginnings).collect();
        all.iter().for_each(|history| used[**history] = true);
        let places = self.cache.compact(&used);
        all.iter_mut().for_each(|history| **history = places[**history]);
    }

    /// Gives each way in which a history goes on a history of its own. Returns them with what they read, reads of one token
    /// first, and for each of the conversations which of them it is.
    fn part(&mut self, asked: &[Row]) -> (Vec<(usize, Vec<i64>)>, Vec<usize>) {
        // A history that someone else has too, as it is, may not grow.
        let mut taken = vec![false; self.cache.histories()];
        self.beginnings.iter().for_each(|(_, history)| taken[*history] = true);
        let resting = self.rows.values().filter(|conversation| conversation.reply.is_none());
        resting.for_each(|conversation| taken[conversation.history] = true);

        let mut ways: BTreeMap<(bool, usize, Vec<i64>), Vec<Row>> = BTreeMap::new();
        for &row in asked {
            let conversation = self.conversation(row);
            let unread = std::mem::take(&mut conversation.unread);
            ways.entry((unread.len() > 1, conversation.history, unread)).or_default().push(row);
        }
        let mut copied = Vec::new();
        let mut blocks = Vec::with_capacity(ways.len());
        let mut block_of = BTreeMap::new();
        for ((_, origin, block), rows) in ways {
            let history = if std::mem::replace(&mut taken[origin], true) {
                copied.push(origin);
                self.cache.histories() + copied.len() - 1
            } else {
                origin
            };
            for row in rows {
                self.conversation(row).history = history;
                block_of.insert(row, blocks.len());
            }
            blocks.push((history, block));
        }
        self.cache.copy(&copied);
        (blocks, asked.iter().map(|row| block_of[row]).collect())
    }

    /// Appends a block of tokens to each of these histories, reads of one token first, and returns the hidden state of each
    /// one's last token, `[blocks, hidden]`.
    fn feed(&mut self, blocks: &[(usize, &[i64])]) -> Tensor {
        let device = self.llama.device;
        let tensor = |values: &[i64]| Tensor::from_slice(values).to_device(device);
        let (mut tokens, mut positions, mut last, mut reads) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for &(history, block) in blocks {
            let before = self.cache.length(history);
            positions.extend(before..before + block.len() as i64);
            tokens.extend(block);
            last.push(tokens.len() as i64 - 1);
            reads.push(Read { history, tokens: block.len() });
        }
        let sight = Sight::Cached { cache: &mut self.cache, reads: &reads };
        let hidden = self.llama.hidden(self.weights, &tensor(&tokens), &tensor(&positions), sight);
        hidden.index_select(0, &tensor(&last))
    }
}
