//! Attention: what the tokens of a block look at, and what they make of it.
//!
//! Training feeds a whole pack of segments and keeps nothing. Generation feeds what is new of each row and keeps keys and
//! values in a [`Cache`]. In both, a token sees what its own conversation has up to it, in order, so the same arithmetic
//! serves both: softmax of the scaled products with those keys, times their values ("Attention Is All You Need", 1706.03762).
//!
//! Query heads that share a key head (grouped queries, 2305.13245) are laid behind each other as further queries, so keys are
//! never repeated.

use tch::{Device, Kind, Tensor};

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
    /// The block is what each row of the cache goes on with, row by row: as many tokens as `lengths` says, maybe none. A token
    /// sees the cached positions of its row up to its own. The block's keys and values are added to the cache, after which
    /// `seen` positions of the longest row are in use.
    Cached { cache: &'a mut Cache, lengths: &'a [usize], seen: i64 },
}

/// The attention of one pass, in all layers.
pub struct Attention<'a> {
    heads: Heads,
    placed: Placed<'a>,
}

/// A [`Sight`] with its masks.
enum Placed<'a> {
    Segments { segments: &'a [Segment], masks: Vec<Tensor> },
    Cached { cache: &'a mut Cache, rows: Rows, positions: Tensor, mask: Tensor },
}

/// Keys and values of every layer, `[rows, keys, capacity, dim]` each: what a head attends to lies together, so that a product
/// reads it where it is.
pub struct Cache {
    heads: Heads,
    layers: Vec<(Tensor, Tensor)>,
    capacity: i64,
}

/// Where the tokens of a block stand in the rows of a cache. Only attention goes by rows of equal length; everything else is
/// computed for the tokens that exist.
struct Rows {
    count: i64,
    /// The most tokens of a row.
    longest: i64,
    /// The row of each token, `[time]`.
    of_token: Tensor,
    /// The place of each token among padded rows, `[time]`.
    padded: Tensor,
    /// For each padded place its token, or the first one, `[rows * longest]`.
    token: Tensor,
}

/// About as many attention scores exist at one time on a CPU; their few copies fit its cache.
const SCORES_AT_ONCE: i64 = 1 << 20;

/// Attention is over a multiple of this many keys, those that do not exist being masked. A softmax over a whole number of the
/// processor's vectors adds in the same order whatever their number, so what was sampled from a cache and what is trained on
/// in a pack agree to the last bit, in bfloat16 too.
const KEYS_STEP: i64 = 32;

/// New positions are made this many at a time, a multiple of [`KEYS_STEP`]. All of them are attended to, the unused ones
/// masked: more would be computed in vain, and with fewer the cache would be copied more often to grow.
const CAPACITY_STEP: i64 = 64;

impl<'a> Attention<'a> {
    /// `positions` are those of the block's tokens, `[time]`.
    pub fn new(heads: Heads, sight: Sight<'a>, positions: &Tensor) -> Attention<'a> {
        let placed = match sight {
            Sight::Segments(segments) => Placed::Segments { segments, masks: heads.segment_masks(segments) },
            Sight::Cached { cache, lengths, seen } => {
                cache.reserve(seen);
                let rows = Rows::new(lengths, heads.device);
                let keys = Tensor::arange(cache.capacity, (Kind::Int64, heads.device)).view([1, 1, -1]);
                let mask = heads.folded_mask(&keys.le_tensor(&rows.pad(positions).unsqueeze(-1)));
                Placed::Cached { cache, rows, positions: positions.shallow_clone(), mask }
            }
        };
        Attention { heads, placed }
    }

    /// What the block's tokens make of what they see in a layer, `[time, queries * dim]`, from its queries `[time, queries, dim]`,
    /// keys and values `[time, keys, dim]`.
    pub fn mix(&mut self, layer: usize, query: &Tensor, key: &Tensor, value: &Tensor) -> Tensor {
        match &mut self.placed {
            Placed::Segments { segments, masks } => self.heads.attend_segments(query, key, value, segments, masks),
            Placed::Cached { cache, rows, positions, mask } => {
                let (keys, values) = cache.put(layer, &rows.of_token, positions, key, value);
                rows.take(&self.heads.attend(&rows.pad(query), &keys, &values, mask))
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

    /// A mask for each segment over what it sees and its own tokens.
    fn segment_masks(self, segments: &[Segment]) -> Vec<Tensor> {
        let range = |length: i64| Tensor::arange(length, (Kind::Int64, self.device));
        let mask = |segment: &Segment| {
            let before = tokens_before(segment);
            let last_seen = (range(segment.length) + before).view([1, segment.length, 1]);
            let keys = whole_keys(before + segment.length);
            self.folded_mask(&range(keys).view([1, 1, keys]).le_tensor(&last_seen))
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

impl Cache {
    /// An empty cache of so many layers and rows.
    pub fn new(heads: Heads, layers: i64, rows: i64) -> Cache {
        let empty = || empty_positions(heads, rows, 0);
        Cache { heads, layers: (0..layers).map(|_| (empty(), empty())).collect(), capacity: 0 }
    }

    /// Keeps the given rows, in the given order; a row may be named several times.
    pub fn select(&mut self, rows: &Tensor) {
        for (keys, values) in &mut self.layers {
            *keys = keys.index_select(0, rows);
            *values = values.index_select(0, rows);
        }
    }

    /// Makes room for so many positions.
    fn reserve(&mut self, positions: i64) {
        if positions <= self.capacity {
            return;
        }
        let capacity = (positions + CAPACITY_STEP - 1) / CAPACITY_STEP * CAPACITY_STEP;
        for (keys, values) in &mut self.layers {
            for tensor in [keys, values] {
                let added = empty_positions(self.heads, tensor.size()[0], capacity - self.capacity);
                *tensor = Tensor::cat(&[&*tensor, &added], 2);
            }
        }
        self.capacity = capacity;
    }

    /// Writes the keys and values of new tokens, `[time, keys, dim]`, into a layer, each into its row and position. Returns the
    /// whole layer, `[rows, capacity, keys, dim]`.
    fn put(
        &mut self,
        layer: usize,
        rows: &Tensor,
        positions: &Tensor,
        key: &Tensor,
        value: &Tensor,
    ) -> (Tensor, Tensor) {
        let (keys, values) = &self.layers[layer];
        let (mut keys, mut values) = (keys.transpose(1, 2), values.transpose(1, 2));
        let place = [Some(rows), Some(positions)];
        let _ = keys.index_put_(&place, key, false);
        let _ = values.index_put_(&place, value, false);
        (keys, values)
    }
}

/// Zeros, not whatever lies there: a masked NaN would still poison the sum.
fn empty_positions(heads: Heads, rows: i64, positions: i64) -> Tensor {
    Tensor::zeros([rows, heads.keys, positions, heads.dim], (heads.compute, heads.device))
}

impl Rows {
    fn new(lengths: &[usize], device: Device) -> Rows {
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let (mut of_token, mut padded, mut token) = (Vec::new(), Vec::new(), vec![0i64; lengths.len() * longest]);
        for (row, &length) in lengths.iter().enumerate() {
            let first = row * longest;
            for (place, token) in token.iter_mut().enumerate().skip(first).take(length) {
                *token = of_token.len() as i64;
                of_token.push(row as i64);
                padded.push(place as i64);
            }
        }
        let tensor = |values: &[i64]| Tensor::from_slice(values).to_device(device);
        Rows {
            count: lengths.len() as i64,
            longest: longest as i64,
            of_token: tensor(&of_token),
            padded: tensor(&padded),
            token: tensor(&token),
        }
    }

    /// From `[time, ..]` to `[rows, longest, ..]`.
    fn pad(&self, tokens: &Tensor) -> Tensor {
        let shape: Vec<i64> = [self.count, self.longest].iter().chain(&tokens.size()[1..]).copied().collect();
        tokens.index_select(0, &self.token).view(shape.as_slice())
    }

    /// From `[rows, longest, ..]` to `[time, ..]`.
    fn take(&self, rows: &Tensor) -> Tensor {
        rows.flatten(0, 1).index_select(0, &self.padded)
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
