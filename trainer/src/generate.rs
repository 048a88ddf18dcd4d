//! Batched sampling with a key-value cache that lives across turns.
//!
//! A [`Session`] holds many conversations, one a row. [`Session::reply`] feeds each row what is new to it and samples its
//! reply. Rows have lengths of their own: a row writes its keys where its own text ends, and the mask hides whatever lies
//! beyond.
//!
//! Rows that have seen the same tokens are computed once: a group that was dealt the same game reads its opening together, and
//! parts where its replies do.
//!
//! A token is drawn by inverting the cumulative distribution at a number from the row's own stream, so a draw does not
//! depend on which other rows are in the batch.
//!
//! What it does not do: chat text, games, continuous batching.

use std::collections::BTreeMap;

use ludus_host::stream::Stream;
use tch::{Kind, Tensor};

use crate::model::attention::{Cache, Sight};
use crate::model::llama::{Llama, Weights};

/// How tokens are drawn from logits.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// Logits are divided by it. Zero takes the likeliest token.
    pub temperature: f64,
    /// Only the likeliest tokens that together reach this probability stay; 1 keeps all.
    pub top_p: f64,
    /// Only this many likeliest tokens stay; 0 keeps all.
    pub top_k: i64,
    /// Only tokens at least this fraction as likely as the likeliest stay; 0 keeps all.
    pub min_p: f64,
}

/// What one row is asked: its new text, and how long the reply may be.
pub struct Ask {
    /// Tokens that the row has not seen, at least one.
    pub tokens: Vec<i64>,
    /// At most this many tokens are sampled.
    pub reply_tokens_max: usize,
}

/// What one row replied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The sampled tokens, the end token included where it was sampled.
    pub tokens: Vec<i64>,
    /// Their log-probabilities under the whole distribution at the sampling temperature.
    pub log_probabilities: Vec<f32>,
    /// Whether the model ended the reply itself.
    pub ended: bool,
}

/// Conversations that are continued together.
pub struct Session<'a> {
    llama: &'a Llama,
    weights: &'a Weights,
    sampling: Sampling,
    end_tokens: Vec<i64>,
    /// Keys and values of each history: of the tokens that one or more rows have seen.
    cache: Cache,
    /// Cached tokens of each history.
    lengths: Vec<i64>,
    /// The history of each row.
    histories: Vec<usize>,
    /// The last sampled token of each row, which the cache has not seen yet.
    unseen: Vec<Option<i64>>,
}

impl<'a> Session<'a> {
    /// As many conversations as `rows`, all of which begin with `prefix` (may be empty). The prefix is computed once.
    pub fn new(
        llama: &'a Llama,
        weights: &'a Weights,
        sampling: Sampling,
        end_tokens: &[i64],
        prefix: &[i64],
        rows: usize,
    ) -> Session<'a> {
        let mut session = Session {
            llama,
            weights,
            sampling,
            end_tokens: end_tokens.to_vec(),
            cache: llama.cache(1),
            lengths: vec![0],
            histories: vec![0],
            unseen: vec![None],
        };
        if !prefix.is_empty() {
            let _ = tch::no_grad(|| session.feed(&[prefix.to_vec()]));
        }
        session.keep(&vec![0; rows]);
        session
    }

    /// Keeps these rows, in this order, and drops the others.
    pub fn keep(&mut self, rows: &[usize]) {
        self.histories = rows.iter().map(|&row| self.histories[row]).collect();
        self.unseen = rows.iter().map(|&row| self.unseen[row]).collect();
    }

    /// Tokens of a row so far, sampled ones included.
    pub fn length(&self, row: usize) -> usize {
        self.lengths[self.histories[row]] as usize + usize::from(self.unseen[row].is_some())
    }

    /// Feeds every row its new tokens and samples its reply. One ask and one stream a row, in the rows' order.
    ///
    /// # Panics
    /// Where the number of asks or streams is not the number of rows, or an ask has no token.
    pub fn reply(&mut self, asks: &[Ask], streams: &mut [&mut Stream]) -> Vec<Reply> {
        assert_eq!(asks.len(), self.histories.len(), "one ask a row");
        assert_eq!(streams.len(), self.histories.len(), "one stream a row");
        tch::no_grad(|| {
            let blocks: Vec<Vec<i64>> = asks
                .iter()
                .enumerate()
                .map(|(row, ask)| {
                    assert!(!ask.tokens.is_empty(), "an ask has at least one token");
                    let unseen = self.unseen[row].take();
                    unseen.into_iter().chain(ask.tokens.iter().copied()).collect()
                })
                .collect();
            let mut replies = vec![Reply::default(); asks.len()];
            let mut hidden = self.feed(&blocks);
            loop {
                let logits = self.llama.logits(self.weights, &hidden);
                let open = |row: usize, replies: &[Reply]| {
                    !replies[row].ended && replies[row].tokens.len() < asks[row].reply_tokens_max
                };
                let numbers: Vec<f64> = (0..asks.len())
                    .map(|row| if open(row, &replies) { streams[row].unit_f64() } else { 0.0 })
                    .collect();
                let (tokens, log_probabilities) = draw(&logits, &self.histories, &numbers, self.sampling);
                for row in 0..asks.len() {
                    if open(row, &replies) {
                        let reply = &mut replies[row];
                        reply.tokens.push(tokens[row]);
                        reply.log_probabilities.push(log_probabilities[row]);
                        reply.ended = self.end_tokens.contains(&tokens[row]);
                        self.unseen[row] = Some(tokens[row]);
                    }
                }
                if !(0..asks.len()).any(|row| open(row, &replies)) {
                    return replies;
                }
                let blocks: Vec<Vec<i64>> = (0..asks.len())
                    .map(|row| match open(row, &replies) {
                        true => self.unseen[row].take().into_iter().collect(),
                        false => Vec::new(),
                    })
                    .collect();
                hidden = self.feed(&blocks);
            }
        })
    }

    /// Appends a block to every row (an empty one leaves the row as it is) and returns the hidden state of each history's last
    /// token, `[histories, hidden]`; of a history with an empty block it means nothing.
    fn feed(&mut self, blocks: &[Vec<i64>]) -> Tensor {
        let blocks = self.part(blocks);
        let device = self.llama.device;
        let lengths: Vec<usize> = blocks.iter().map(|block| block.len()).collect();
        let positions = |(block, &length): (&&[i64], &i64)| length..length + block.len() as i64;
        let positions: Vec<i64> = blocks.iter().zip(&self.lengths).flat_map(positions).collect();
        let seen = positions.iter().max().map_or(0, |last| last + 1);
        let tensor = |values: &[i64]| Tensor::from_slice(values).to_device(device);
        let sight = Sight::Cached { cache: &mut self.cache, lengths: &lengths, seen };
        let hidden = self.llama.hidden(self.weights, &tensor(&blocks.concat()), &tensor(&positions), sight);
        for (length, block) in self.lengths.iter_mut().zip(&blocks) {
            *length += block.len() as i64;
        }
        let mut fed = 0;
        let last_of = |&length: &usize| {
            fed += length as i64;
            (fed - 1).max(0)
        };
        let last: Vec<i64> = lengths.iter().map(last_of).collect();
        hidden.index_select(0, &tensor(&last))
    }

    /// Parts the rows of a history that go on differently, drops histories without rows, and returns what each history is
    /// fed next.
    fn part<'b>(&mut self, blocks: &'b [Vec<i64>]) -> Vec<&'b [i64]> {
        let mut known: BTreeMap<(usize, &[i64]), usize> = BTreeMap::new();
        // Of each history from now on: which one it was, and its block.
        let mut parted: Vec<(usize, &[i64])> = Vec::new();
        for (history, block) in self.histories.iter_mut().zip(blocks) {
            let continued = (*history, block.as_slice());
            *history = *known.entry(continued).or_insert_with(|| {
                parted.push(continued);
                parted.len() - 1
            });
        }
        let origins: Vec<i64> = parted.iter().map(|&(origin, _)| origin as i64).collect();
        if !origins.iter().copied().eq(0..self.lengths.len() as i64) {
            self.cache.select(&Tensor::from_slice(&origins).to_device(self.llama.device));
            self.lengths = parted.iter().map(|&(origin, _)| self.lengths[origin]).collect();
        }
        parted.into_iter().map(|(_, block)| block).collect()
    }
}

/// Draws one token a row at the row's number in `[0, 1)`, from the logits of its history, `[histories, vocab]`: tokens and
/// their log-probabilities.
fn draw(logits: &Tensor, histories: &[usize], numbers: &[f64], sampling: Sampling) -> (Vec<i64>, Vec<f32>) {
    // Each history's numbers stand in a line of their own: columns of rows.
    let mut columns = Vec::with_capacity(histories.len());
    let mut used = vec![0usize; logits.size()[0] as usize];
    for &history in histories {
        columns.push(used[history]);
        used[history] += 1;
    }
    let width = used.iter().copied().max().unwrap_or(0).max(1);
    let mut table = vec![0.0; used.len() * width];
    let cells: Vec<usize> = histories.iter().zip(&columns).map(|(history, column)| history * width + column).collect();
    cells.iter().zip(numbers).for_each(|(&cell, &number)| table[cell] = number);

    let greedy = sampling.temperature == 0.0;
    let scaled = if greedy { logits.shallow_clone() } else { logits / sampling.temperature };
    let log_probabilities = scaled.log_softmax(-1, Kind::Float);
    let tokens = if greedy {
        logits.argmax(-1, true).expand([-1, width as i64], false)
    } else {
        let weights = truncated(&log_probabilities.exp(), sampling);
        let cumulative = weights.cumsum(-1, Kind::Double);
        let total = cumulative.narrow(-1, cumulative.size()[1] - 1, 1);
        let numbers = Tensor::from_slice(&table).view([-1, width as i64]).to_device(logits.device()) * total;
        let found = numbers.searchsorted(&cumulative, false, true, "right", None::<Tensor>);
        found.clamp_max(logits.size()[1] - 1)
    };
    let chosen = log_probabilities.gather(-1, &tokens, false);
    let (mut token_values, mut chosen_values) = (vec![0i64; table.len()], vec![0f32; table.len()]);
    tokens.contiguous().copy_data(&mut token_values, table.len());
    chosen.copy_data(&mut chosen_values, table.len());
    cells.iter().map(|&cell| (token_values[cell], chosen_values[cell])).unzip()
}

/// The probabilities `[rows, vocab]` with the tokens set to zero that top-k, top-p or min-p leaves out.
fn truncated(probabilities: &Tensor, sampling: Sampling) -> Tensor {
    let mut kept = probabilities.shallow_clone();
    if sampling.min_p > 0.0 {
        let least = probabilities.amax([-1i64].as_slice(), true) * sampling.min_p;
        kept = kept.masked_fill(&probabilities.lt_tensor(&least), 0.0);
    }
    let vocabulary = probabilities.size()[1];
    if sampling.top_k > 0 && sampling.top_k < vocabulary {
        let (largest, _) = kept.topk(sampling.top_k, -1, true, true);
        let least = largest.narrow(-1, sampling.top_k - 1, 1);
        kept = kept.masked_fill(&kept.lt_tensor(&least), 0.0);
    }
    if sampling.top_p < 1.0 {
        let (sorted, order) = kept.sort_stable(true, -1, true);
        let before = sorted.cumsum(-1, Kind::Float) - &sorted;
        let total = sorted.sum_dim_intlist([-1i64].as_slice(), true, Kind::Float);
        let outside = before.ge_tensor(&(total * sampling.top_p));
        let sorted = sorted.masked_fill(&outside, 0.0);
        kept = kept.scatter(-1, &order, &sorted);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Sampling = Sampling { temperature: 1.0, top_p: 1.0, top_k: 0, min_p: 0.0 };

    fn logits() -> Tensor {
        // Probabilities 0.1, 0.2, 0.7.
        Tensor::from_slice(&[0.1f32, 0.2, 0.7]).log().unsqueeze(0)
    }

    fn drawn(number: f64, sampling: Sampling) -> i64 {
        draw(&logits(), &[0], &[number], sampling).0[0]
    }

    #[test]
    fn a_number_picks_the_token_whose_share_of_the_cumulative_distribution_it_falls_in() {
        let tokens: Vec<i64> = [0.0, 0.09, 0.11, 0.29, 0.31, 0.999].map(|n| drawn(n, ALL)).to_vec();
        assert_eq!(tokens, [0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn the_log_probability_is_that_of_the_whole_distribution() {
        let (tokens, found) = draw(&logits(), &[0], &[0.15], Sampling { top_k: 2, ..ALL });
        assert_eq!(tokens, [1]);
        assert!((f64::from(found[0]) - 0.2f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn top_k_top_p_and_min_p_leave_out_the_unlikely_tokens() {
        assert_eq!(drawn(0.0, Sampling { top_k: 1, ..ALL }), 2);
        assert_eq!(drawn(0.0, Sampling { top_p: 0.6, ..ALL }), 2);
        assert_eq!(drawn(0.0, Sampling { min_p: 0.2, ..ALL }), 1);
    }

    #[test]
    fn rows_of_one_history_draw_each_at_its_own_number() {
        let logits = Tensor::cat(&[logits(), Tensor::from_slice(&[0.7f32, 0.2, 0.1]).log().unsqueeze(0)], 0);
        let (tokens, found) = draw(&logits, &[1, 0, 0, 1], &[0.75, 0.05, 0.95, 0.1], ALL);
        assert_eq!(tokens, [1, 0, 2, 0]);
        for (found, expected) in found.iter().zip([0.2f64, 0.1, 0.7, 0.7]) {
            assert!((f64::from(*found) - expected.ln()).abs() < 1e-6, "{found}");
        }
    }

    #[test]
    fn temperature_zero_takes_the_likeliest_token() {
        assert_eq!(drawn(0.0, Sampling { temperature: 0.0, ..ALL }), 2);
    }
}
