//! Attention: what the tokens of a block look at, and what they make of it.
//!
//! Training feeds a whole pack of segments and keeps nothing. Generation feeds what is new of each row and keeps keys and
//! values in a [`Cache`]. In both, a token sees what its own conversation has up to it, in order, so the same arithmetic
//! serves both: softmax of the scaled products with those keys, times their values ("Attention Is All You Need", 1706.03762).
//!
//! Query heads that share a key head (grouped queries, 2305.13245) are laid behind each other as further queries, so keys are
//! never repeated.

use tch::{Device, Kind, Tensor};

use super::cache::Cache;
use crate::pack::Segment;

/// The heads of a layer, and where and in which kind they compute.
#[derive(Clone, Copy)]
pub struct Heads {
    pub queries: i64,
    pub keys: i64,
    /// Numbers in one head.
    pub dim: i64,
    pub compute: Kind,
    pub device: Device,
}

/// What the tokens of a block may look at.
pub enum Sight<'a> {
    /// The block is segments, one behind the other. A token sees its own segment up to itself, and before it the beginnings
    /// that the segment names. Nothing is kept.
    Segments(&'a [Segment]),
    /// The block is what histories of a cache go on with, read by read, at most one of each history; reads of one token come
    /// first. A token sees its history up to itself. The block's keys and values are added to the cache.
    Cached { cache: &'a mut Cache, reads: &'a [Read] },
}

/// The attention of one pass, in all layers.
pub struct Attention<'a> {
    heads: Heads,
    placed: Placed<'a>,
}

/// A [`Sight`] with its masks.
enum Placed<'a> {
    Segments { segments: &'a [Segment], masks: Vec<Tensor> },
    Cached { cache: &'a mut Cache, reads: Reads },
}

/// What one history of a cache is fed: so many tokens behind those that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    pub history: usize,
    pub tokens: usize,
}

/// How the tokens of a block look into a cache. Each history that is fed one token looks together with all others, where the
/// cache lies; longer reads are few and each looks alone. So a long prompt makes nobody else's attention longer.
struct Reads {
    /// The history and the position of each token, `[time]`.
    histories: Tensor,
    positions: Tensor,
    single: Option<Single>,
    long: Vec<Long>,
}

/// The reads of one token, which come first in a block. Every history of the cache takes part; those that are not fed one
/// token have another's query, and what comes of it is dropped.
struct Single {
    tokens: i64,
    /// For each history of the cache its token in the block, or the first one.
    token_of: Tensor,
    /// The history of each token.
    history_of: Tensor,
    /// `[histories, 1, groups, keys]`.
    mask: Tensor,
    keys: i64,
}

/// A read of several tokens.
struct Long {
    history: i64,
    first: i64,
    tokens: i64,
    mask: Tensor,
    keys: i64,
}

/// About as many attention scores exist at one time on a CPU; their few copies fit its cache.
const SCORES_AT_ONCE: i64 = 1 << 20;

/// Attention is over a multiple of this many keys, those that do not exist being masked. A softmax over a whole number of the
/// processor's vectors adds in the same order whatever their number, so what was sampled from a cache and what is trained on
/// in a pack agree to the last bit, in bfloat16 too.
const KEYS_STEP: i64 = 32;

impl<'a> Attention<'a> {
    /// `positions` are those of the block's tokens, `[time]`.
    pub fn new(heads: Heads, sight: Sight<'a>, positions: &Tensor) -> Attention<'a> {
        let placed = match sight {
            Sight::Segments(segments) => Placed::Segments { segments, masks: heads.segment_masks(segments) },
            Sight::Cached { cache, reads } => {
                let reads = Reads::new(heads, cache, reads, positions);
                Placed::Cached { cache, reads }
            }
        };
        Attention { heads, placed }
    }

    /// What the block's tokens make of what they see in a layer, `[time, queries * dim]`, from its queries `[time, queries, dim]`,
    /// keys and values `[time, keys, dim]`.
    pub fn mix(&mut self, layer: usize, query: &Tensor, key: &Tensor, value: &Tensor) -> Tensor {
        match &mut self.placed {
            Placed::Segments { segments, masks } => self.heads.attend_segments(query, key, value, segments, masks),
            Placed::Cached { cache, reads } => {
                cache.put(layer, &reads.histories, &reads.positions, key, value);
                reads.attend(self.heads, cache, layer, query)
            }
        }
    }
}

impl Heads {
    /// A mask for [`Heads::attend`] from what is `allowed`, `[rows, new, seen]`: zero there, else minus infinity, once for each
    /// query head that shares a key head.
    fn folded_mask(self, allowed: &Tensor) -> Tensor {
        Tensor::zeros(allowed.size(), (self.compute, self.device))
            .masked_fill(&allowed.logical_not(), f64::NEG_INFINITY)
            .repeat([1, self.queries / self.keys, 1])
            .unsqueeze(1)
    }

    /// A mask over so many keys for queries that see those up to `last`, `[rows, new, 1]`.
    fn mask(self, last: &Tensor, keys: i64) -> Tensor {
        let keys = Tensor::arange(keys, (Kind::Int64, self.device)).view([1, 1, keys]);
        self.folded_mask(&keys.le_tensor(last))
    }

    /// A mask for each segment over what it sees and its own tokens.
    fn segment_masks(self, segments: &[Segment]) -> Vec<Tensor> {
        let range = |length: i64| Tensor::arange(length, (Kind::Int64, self.device));
        let mask = |segment: &Segment| {
            let before = tokens_before(segment);
            let last_seen = (range(segment.length) + before).view([1, segment.length, 1]);
            self.mask(&last_seen, whole_keys(before + segment.length))
        };
        segments.iter().map(mask).collect()
    }

    /// Attention of `query`, `[rows, new, queries, dim]`, over `key` and `value`, `[rows, seen, keys, dim]`, under a folded mask:
    /// `[rows, new, queries * dim]`.
    fn attend(self, query: &Tensor, key: &Tensor, value: &Tensor, mask: &Tensor) -> Tensor {
        let (rows, new) = (query.size()[0], query.size()[1]);
        let groups = self.queries / self.keys;
        let query = query.view([rows, new, self.keys, groups, self.dim]).permute([0, 2, 3, 1, 4]).reshape([
            rows,
            self.keys,
            groups * new,
            self.dim,
        ]);
        let (key, value) = (key.transpose(1, 2), value.transpose(1, 2));
        let mixed = if self.device == Device::Cpu {
            self.attend_by_products(&query, &key, &value, mask)
        } else {
            Tensor::scaled_dot_product_attention(&query, &key, &value, Some(mask), 0.0, false, None, false)
        };
        mixed.view([rows, self.keys, groups, new, self.dim]).permute([0, 3, 1, 2, 4]).reshape([
            rows,
            new,
            self.queries * self.dim,
        ])
    }

    /// Attention in plain products, `[rows, keys, queries, dim]`: libtorch's fused attention widens bfloat16 on processors
    /// without MKL's own kernels, and these products go to oneDNN.
    ///
    /// A few rows at a time, so that their scores stay in the processor's cache.
    fn attend_by_products(self, query: &Tensor, key: &Tensor, value: &Tensor, mask: &Tensor) -> Tensor {
        let rows = query.size()[0];
        let scale = (self.dim as f64).powf(-0.5);
        let scores_of_a_row = query.size()[1] * query.size()[2] * key.size()[2];
        let rows_at_once = (SCORES_AT_ONCE / scores_of_a_row.max(1)).clamp(1, rows);
        let mixed: Vec<Tensor> = (0..rows)
            .step_by(rows_at_once as usize)
            .map(|row| {
                let part = |tensor: &Tensor| tensor.narrow(0, row, rows_at_once.min(rows - row));
                let mut scores = (part(query) * scale).matmul(&part(key).transpose(2, 3));
                let _ = scores.g_add_(&part(mask));
                scores.softmax(-1, self.compute).matmul(&part(value))
            })
            .collect();
        Tensor::cat(&mixed, 0)
    }

    /// Attention segment by segment, `[time, queries * dim]`: what segments may not see of each other is never computed.
    fn attend_segments(
        self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        segments: &[Segment],
        masks: &[Tensor],
    ) -> Tensor {
        let lengths: Vec<i64> = segments.iter().map(|segment| segment.length).collect();
        let parts = |tensor: &Tensor| tensor.unsqueeze(0).split_with_sizes(&lengths, 1);
        let (queries, keys, values) = (parts(query), parts(key), parts(value));
        let attended = segments.iter().enumerate().map(|(index, segment)| {
            let length = tokens_before(segment) + segment.length;
            let missing =
                keys[0].new_zeros([1, whole_keys(length) - length, self.keys, self.dim], (self.compute, self.device));
            let seen = |parts: &[Tensor]| {
                let mut pieces: Vec<Tensor> =
                    segment.sees.iter().map(|seen| parts[seen.segment].narrow(1, 0, seen.length)).collect();
                pieces.push(parts[index].shallow_clone());
                pieces.push(missing.shallow_clone());
                Tensor::cat(&pieces, 1)
            };
            self.attend(&queries[index], &seen(&keys), &seen(&values), &masks[index])
        });
        Tensor::cat(&attended.collect::<Vec<_>>(), 1).squeeze_dim(0)
    }
}

impl Reads {
    /// Lays out the reads and notes in the cache that they are there.
    fn new(heads: Heads, cache: &mut Cache, reads: &[Read], positions: &Tensor) -> Reads {
        let device = heads.device;
        let tensor = |values: &[i64]| Tensor::from_slice(values).to_device(device);
        for read in reads {
            cache.grow(read.history, read.tokens);
        }
        let seen = |read: &Read| cache.length(read.history);
        let longest = reads.iter().map(seen).max().unwrap_or(0);
        let singles = reads.iter().take_while(|read| read.tokens == 1).count();
        let (single, long) = reads.split_at(singles);
        let keys_of = |reads: &[Read]| whole_keys(reads.iter().map(seen).max().unwrap_or(0));
        let single = (!single.is_empty()).then(|| {
            let mut token_of = vec![0i64; cache.histories()];
            let mut last = vec![0i64; cache.histories()];
            for (token, read) in single.iter().enumerate() {
                token_of[read.history] = token as i64;
                last[read.history] = seen(read) - 1;
            }
            let history_of: Vec<i64> = single.iter().map(|read| read.history as i64).collect();
            let keys = keys_of(single);
            Single {
                tokens: single.len() as i64,
                token_of: tensor(&token_of),
                history_of: tensor(&history_of),
                mask: heads.mask(&tensor(&last).view([-1, 1, 1]), keys),
                keys,
            }
        });
        let mut first = singles as i64;
        let long = long
            .iter()
            .map(|read| {
                let tokens = read.tokens as i64;
                let keys = keys_of(std::slice::from_ref(read));
                let mask = heads.mask(&positions.narrow(0, first, tokens).view([1, -1, 1]), keys);
                first += tokens;
                Long { history: read.history as i64, first: first - tokens, tokens, mask, keys }
            })
            .collect();
        let histories: Vec<i64> =
            reads.iter().flat_map(|read| std::iter::repeat_n(read.history as i64, read.tokens)).collect();
        cache.reserve(0, whole_keys(longest));
        Reads { histories: tensor(&histories), positions: positions.shallow_clone(), single, long }
    }

    /// What the block's tokens make of what they see in a layer whose keys and values are in the cache.
    fn attend(&self, heads: Heads, cache: &Cache, layer: usize, query: &Tensor) -> Tensor {
        let mut parts = Vec::with_capacity(self.long.len() + 1);
        if let Some(single) = &self.single {
            let (keys, values) = cache.view(layer, 0, cache.histories() as i64, single.keys);
            let queries = query.narrow(0, 0, single.tokens).index_select(0, &single.token_of).unsqueeze(1);
            let mixed = heads.attend(&queries, &keys, &values, &single.mask).squeeze_dim(1);
            parts.push(mixed.index_select(0, &single.history_of));
        }
        for long in &self.long {
            let (keys, values) = cache.view(layer, long.history, 1, long.keys);
            let queries = query.narrow(0, long.first, long.tokens).unsqueeze(0);
            parts.push(heads.attend(&queries, &keys, &values, &long.mask).squeeze_dim(0));
        }
        Tensor::cat(&parts, 0)
    }
}

/// A number of keys, rounded up.
fn whole_keys(keys: i64) -> i64 {
    (keys + KEYS_STEP - 1) / KEYS_STEP * KEYS_STEP
}

/// The tokens that a segment sees before its own.
fn tokens_before(segment: &Segment) -> i64 {
    segment.sees.iter().map(|seen| seen.length).sum()
}
