//! Attention: what the tokens of a block look at, and what they make of it.
//!
//! Training feeds a whole pack of segments and keeps nothing. Generation feeds what is new of each row and keeps keys and
//! values in a [`Cache`]. In both, a token sees what its own conversation has up to it, in order, so the same arithmetic
//! serves both: softmax of the scaled products with those keys, times their values ("Attention Is All You Need", 1706.03762).
//!
//! On a CPU it is one operation ([`attend`]). Elsewhere it is libtorch's, which picks the best there is; for it, query heads that
//! share a key head (grouped queries, 2305.13245) are laid behind each other as further queries, so keys are never repeated.

use tch::{Device, Kind, Tensor};

use super::cache::Cache;
use crate::attend::{self, Windows};
use crate::layer::Place;
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
    /// Whether attention is one operation here.
    pub fused: bool,
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

/// A [`Sight`] with what is worked out once for all layers.
enum Placed<'a> {
    /// Segments in windows, all at once.
    Windows(Windows),
    /// One segment after the other, each under its own mask.
    Masked {
        segments: &'a [Segment],
        masks: Vec<Mask>,
    },
    Cached {
        cache: &'a mut Cache,
        reads: Reads,
    },
}

/// What the tokens of a segment may see.
struct Mask {
    mask: Tensor,
    /// How many keys the segment sees, and over how many the mask is.
    keys: i64,
    whole: i64,
}

/// What one history of a cache is fed: so many tokens behind those that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    pub history: usize,
    pub tokens: usize,
}

/// How the tokens of a block look into a cache.
struct Reads {
    /// The history and the position of each token, `[time]`.
    histories: Tensor,
    positions: Tensor,
    looks: Looks,
}

enum Looks {
    /// All together: how many positions each token sees, `[time]`.
    Fused { seen: Tensor },
    /// Each history that is fed one token looks together with all others, where the cache lies; longer reads are few and each
    /// looks alone. So a long prompt makes nobody else's attention longer.
    Masked { single: Option<Single>, long: Vec<Long> },
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

/// A mask is over a multiple of this many keys, as libtorch's kernels for a GPU want it.
const KEYS_STEP: i64 = 32;

impl<'a> Attention<'a> {
    /// `positions` are those of the block's tokens, `[time]`.
    pub fn new(heads: Heads, sight: Sight<'a>, positions: &Tensor) -> Attention<'a> {
        let placed = match sight {
            Sight::Segments(segments) if heads.fused => Placed::Windows(windows(segments)),
            Sight::Segments(segments) => {
                Placed::Masked { segments, masks: segments.iter().map(|segment| heads.mask_of(segment)).collect() }
            }
            Sight::Cached { cache, reads } => {
                let reads = Reads::new(heads, cache, reads, positions);
                Placed::Cached { cache, reads }
            }
        };
        Attention { heads, placed }
    }

    /// Where the tokens of a block that reads a cache look in a layer, for [`crate::layer`]; none for other blocks.
    pub(super) fn place<'b>(&'b self, layer: usize, (cosines, sines): &'b (Tensor, Tensor)) -> Option<Place<'b>> {
        let Placed::Cached { cache, reads } = &self.placed else { return None };
        let Looks::Fused { seen } = &reads.looks else { return None };
        let (keys, values) = cache.layer(layer);
        let (places, positions) = (&reads.histories, &reads.positions);
        Some(Place { cosines, sines, keys, values, places, positions, seen })
    }

    /// What the block's tokens make of what they see in a layer, `[time, queries * dim]`, from its queries `[time, queries, dim]`,
    /// keys and values `[time, keys, dim]`.
    pub fn mix(&mut self, layer: usize, query: &Tensor, key: &Tensor, value: &Tensor) -> Tensor {
        match &mut self.placed {
            Placed::Windows(windows) => attend::attend_pack(query, key, value, windows),
            Placed::Masked { segments, masks } => self.heads.attend_segments(query, key, value, segments, masks),
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

    /// What the tokens of a segment may see of what it sees and of its own tokens.
    fn mask_of(self, segment: &Segment) -> Mask {
        let keys = tokens_before(segment) + segment.length;
        let last = Tensor::arange_start(keys - segment.length, keys, (Kind::Int64, self.device));
        let whole = whole_keys(keys);
        Mask { mask: self.mask(&last.view([1, -1, 1]), whole), keys, whole }
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
        let mixed = Tensor::scaled_dot_product_attention(&query, &key, &value, Some(mask), 0.0, false, None, false);
        mixed.view([rows, self.keys, groups, new, self.dim]).permute([0, 3, 1, 2, 4]).reshape([
            rows,
            new,
            self.queries * self.dim,
        ])
    }

    /// Attention segment by segment, `[time, queries * dim]`: what segments may not see of each other is never computed.
    fn attend_segments(
        self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        segments: &[Segment],
        masks: &[Mask],
    ) -> Tensor {
        let lengths: Vec<i64> = segments.iter().map(|segment| segment.length).collect();
        let parts = |tensor: &Tensor| tensor.split_with_sizes(&lengths, 0);
        let (queries, keys, values) = (parts(query), parts(key), parts(value));
        let attended = segments.iter().zip(masks).enumerate().map(|(index, (segment, mask))| {
            // `[1, positions, keys, dim]`, with zeros behind those that there are.
            let seen = |parts: &[Tensor]| {
                let mut pieces: Vec<Tensor> =
                    segment.sees.iter().map(|seen| parts[seen.segment].narrow(0, 0, seen.length)).collect();
                pieces.push(parts[index].shallow_clone());
                let missing = mask.whole - mask.keys;
                if missing > 0 {
                    pieces.push(parts[index].new_zeros([missing, self.keys, self.dim], (self.compute, self.device)));
                }
                Tensor::cat(&pieces, 0).unsqueeze(0)
            };
            let query = queries[index].unsqueeze(0);
            self.attend(&query, &seen(&keys), &seen(&values), &mask.mask).squeeze_dim(0)
        });
        Tensor::cat(&attended.collect::<Vec<_>>(), 0)
    }
}

/// The windows of a pack: what each segment sees, and its own tokens behind that.
fn windows(segments: &[Segment]) -> Windows {
    let (mut tokens, mut firsts, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    let lengths = segments.iter().map(|segment| segment.length);
    let begins: Vec<i64> = lengths.scan(0, |next, length| Some(std::mem::replace(next, *next + length))).collect();
    for (segment, &begin) in segments.iter().zip(&begins) {
        let first = tokens.len() as i64;
        for beginning in &segment.sees {
            let of = begins[beginning.segment];
            tokens.extend(of..of + beginning.length);
        }
        let before = tokens.len() as i64 - first;
        tokens.extend(begin..begin + segment.length);
        firsts.extend((0..segment.length).map(|_| first));
        seen.extend((1..=segment.length).map(|token| before + token));
    }
    let see_others = segments.iter().any(|segment| !segment.sees.is_empty());
    Windows {
        tokens: see_others.then(|| Tensor::from_slice(&tokens)),
        firsts: Tensor::from_slice(&firsts),
        seen: Tensor::from_slice(&seen),
    }
}

impl Reads {
    /// Lays out the reads and notes in the cache that they are there.
    fn new(heads: Heads, cache: &mut Cache, reads: &[Read], positions: &Tensor) -> Reads {
        for read in reads {
            cache.grow(read.history, read.tokens);
        }
        let longest = reads.iter().map(|read| cache.length(read.history)).max().unwrap_or(0);
        let histories: Vec<i64> =
            reads.iter().flat_map(|read| std::iter::repeat_n(read.history as i64, read.tokens)).collect();
        cache.reserve(0, if heads.fused { longest } else { whole_keys(longest) });
        let looks = match heads.fused {
            true => Looks::Fused { seen: positions + 1 },
            false => Looks::masked(heads, cache, reads, positions),
        };
        let histories = Tensor::from_slice(&histories).to_device(heads.device);
        Reads { histories, positions: positions.shallow_clone(), looks }
    }

    /// What the block's tokens make of what they see in a layer whose keys and values are in the cache.
    fn attend(&self, heads: Heads, cache: &Cache, layer: usize, query: &Tensor) -> Tensor {
        let (single, long) = match &self.looks {
            Looks::Fused { seen } => {
                let (keys, values) = cache.layer(layer);
                return attend::attend_cache(query, keys, values, &self.histories, seen);
            }
            Looks::Masked { single, long } => (single, long),
        };
        let mut parts = Vec::with_capacity(long.len() + 1);
        if let Some(single) = single {
            let (keys, values) = cache.view(layer, 0, cache.histories() as i64, single.keys);
            let queries = query.narrow(0, 0, single.tokens).index_select(0, &single.token_of).unsqueeze(1);
            let mixed = heads.attend(&queries, &keys, &values, &single.mask).squeeze_dim(1);
            parts.push(mixed.index_select(0, &single.history_of));
        }
        for long in long {
            let (keys, values) = cache.view(layer, long.history, 1, long.keys);
            let queries = query.narrow(0, long.first, long.tokens).unsqueeze(0);
            parts.push(heads.attend(&queries, &keys, &values, &long.mask).squeeze_dim(0));
        }
        Tensor::cat(&parts, 0)
    }
}

impl Looks {
    /// The masks of some reads, which are in the cache.
    fn masked(heads: Heads, cache: &Cache, reads: &[Read], positions: &Tensor) -> Looks {
        let tensor = |values: &[i64]| Tensor::from_slice(values).to_device(heads.device);
        let seen = |read: &Read| cache.length(read.history);
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
        Looks::Masked { single, long }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::Beginning;

    const HEADS: Heads = Heads { queries: 6, keys: 2, dim: 16, compute: Kind::Float, device: Device::Cpu, fused: true };

    fn numbers(heads: i64, from: i64, time: i64) -> Tensor {
        let count = Tensor::arange_start(from, from + time * heads * HEADS.dim, (Kind::Float, Device::Cpu));
        (count * 0.7).sin().view([time, heads, HEADS.dim])
    }

    fn positions(of: &[i64]) -> Tensor {
        Tensor::from_slice(of)
    }

    fn assert_same(fused: &Tensor, apart: &Tensor) {
        let off = (fused - apart).abs().max().double_value(&[]);
        assert!(off < 1e-5, "{off} apart");
    }

    /// What a CPU computes in one operation, and what other devices compute by libtorch's.
    #[test]
    fn tokens_of_a_pack_mix_the_same_by_either_way() {
        let segments = [
            Segment { sees: Vec::new(), length: 20 },
            Segment { sees: vec![Beginning { segment: 0, length: 13 }], length: 9 },
            Segment {
                sees: vec![Beginning { segment: 0, length: 13 }, Beginning { segment: 1, length: 9 }],
                length: 1,
            },
        ];
        let (query, key, value) = (numbers(6, 0, 30), numbers(2, 5, 30), numbers(2, 9, 30));
        let mixed = |fused: bool| {
            let mut attention =
                Attention::new(Heads { fused, ..HEADS }, Sight::Segments(&segments), &positions(&[0; 30]));
            attention.mix(0, &query, &key, &value)
        };
        assert_same(&mixed(true), &mixed(false));
    }

    #[test]
    fn tokens_that_read_a_cache_mix_the_same_by_either_way() {
        let mixed = |fused: bool| {
            let heads = Heads { fused, ..HEADS };
            let mut cache = Cache::new(heads, 1);
            let (first, second) = (cache.add(), cache.add());
            let passes = [
                (vec![Read { history: first, tokens: 7 }, Read { history: second, tokens: 40 }], (0..7).chain(0..40)),
                (vec![Read { history: second, tokens: 1 }, Read { history: first, tokens: 3 }], (40..41).chain(7..10)),
            ];
            let passes = passes.map(|(reads, at)| {
                let at: Vec<i64> = at.collect();
                let time = at.len() as i64;
                let sight = Sight::Cached { cache: &mut cache, reads: &reads };
                Attention::new(heads, sight, &positions(&at)).mix(
                    0,
                    &numbers(6, 1, time),
                    &numbers(2, time, time),
                    &numbers(2, 2 * time, time),
                )
            });
            Tensor::cat(&passes, 0)
        };
        assert_same(&mixed(true), &mixed(false));
    }
}
