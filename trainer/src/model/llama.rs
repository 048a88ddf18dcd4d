//! The network of the Llama family: token ids in, hidden states and logits out. Qwen2 adds biases to the projections of
//! queries, keys and values; Qwen3 norms each head's queries and keys.
//!
//! One forward pass serves training and generation. Both feed a *block* of tokens with explicit positions and say what its
//! tokens may look at ([`Sight`]). Training feeds a whole pack of segments and keeps nothing. Generation feeds what is new and
//! keeps keys and values in a [`Cache`].
//!
//! Parameters are float32 masters. A pass computes in the kind asked for: [`Llama::weights`] casts the masters, and under
//! autograd the cast hands gradients back to them in float32. The residual stream, norms and logits stay in float32: only
//! matrix products and attention are computed in the narrower kind, so rounding does not add up from layer to layer.
//!
//! What it does not do: sampling, losses, chat text.

use std::path::Path;

use tch::{Device, Kind, Tensor};

use crate::pack::Segment;

use super::config::ModelConfig;
use super::{ModelError, weights};

/// A Llama-family network with float32 master parameters.
pub struct Llama {
    pub config: ModelConfig,
    /// Hugging Face names and masters, in the order of the network.
    pub parameters: Vec<(String, Tensor)>,
    pub device: Device,
    /// The kind in which matrix products are computed.
    pub compute: Kind,
    cosines: Tensor,
    sines: Tensor,
}

/// The parameters in the kind of computation, ready for a pass.
pub struct Weights {
    embedding: Tensor,
    layers: Vec<LayerWeights>,
    norm: Tensor,
    /// Always float32: bfloat16 would round logits of their size to eighths.
    head: Tensor,
}

struct LayerWeights {
    attention_norm: Tensor,
    query: Projection,
    key: Projection,
    value: Projection,
    /// Norms of each head's queries and keys (Qwen3).
    head_norms: Option<(Tensor, Tensor)>,
    output: Tensor,
    feed_norm: Tensor,
    gate: Tensor,
    up: Tensor,
    down: Tensor,
}

struct Projection {
    weight: Tensor,
    bias: Option<Tensor>,
}

/// Keys and values of every layer, `[rows, kv_heads, capacity, head_dim]` each: what a head attends to lies together, so that
/// a product reads it where it is.
pub struct Cache {
    layers: Vec<(Tensor, Tensor)>,
    capacity: i64,
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

/// Where the tokens of a block stand in the rows of a cache. Only attention goes by rows of equal length; everything else is
/// computed for the tokens that exist.
struct Rows {
    count: i64,
    /// The most tokens of a row.
    longest: i64,
    /// The row of each token, `[time]`.
    of_token: Tensor,
    /// The place of each token among padded rows, `[time]`, and for each padded place its token, or the first one.
    padded: Tensor,
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

impl Llama {
    /// Loads a Hugging Face-style folder. The masters require gradients.
    ///
    /// # Errors
    /// Where a file is missing or a tensor has another shape than `config.json` says.
    pub fn load(folder: &Path, device: Device, compute: Kind) -> Result<Llama, ModelError> {
        let config = ModelConfig::read(folder)?;
        let parameters = weights::load(folder, &config, device)?
            .into_iter()
            .map(|(name, tensor)| (name, tensor.set_requires_grad(true)))
            .collect();
        Ok(Llama::new(config, parameters, device, compute))
    }

    /// A network of parameters that are at hand, in the order in which [`weights::load`] returns them.
    pub fn new(config: ModelConfig, parameters: Vec<(String, Tensor)>, device: Device, compute: Kind) -> Llama {
        let (cosines, sines) = rotation_tables(&config, device);
        Llama { config, parameters, device, compute, cosines, sines }
    }

    /// The parameters in the kind of computation. Under autograd the gradients of what it returns flow to the masters.
    ///
    /// # Panics
    /// Where a parameter is missing, which [`weights::load`] excludes.
    pub fn weights(&self) -> Weights {
        let master = |name: &str| {
            let found = self.parameters.iter().find(|(known, _)| known == name);
            let (_, tensor) = found.unwrap_or_else(|| panic!("the network has no parameter {name}"));
            tensor.shallow_clone()
        };
        let required = |name: &str| master(name).to_kind(self.compute);
        const EMBEDDING: &str = "model.embed_tokens.weight";
        let layers = (0..self.config.layers)
            .map(|layer| {
                let of = |part: &str| required(&format!("model.layers.{layer}.{part}.weight"));
                let norm = |part: &str| master(&format!("model.layers.{layer}.{part}.weight"));
                let projection = |part: &str| Projection {
                    weight: of(part),
                    bias: self.config.attention_bias.then(|| required(&format!("model.layers.{layer}.{part}.bias"))),
                };
                LayerWeights {
                    attention_norm: norm("input_layernorm"),
                    query: projection("self_attn.q_proj"),
                    key: projection("self_attn.k_proj"),
                    value: projection("self_attn.v_proj"),
                    head_norms: self.config.qk_norm.then(|| (norm("self_attn.q_norm"), norm("self_attn.k_norm"))),
                    output: of("self_attn.o_proj"),
                    feed_norm: norm("post_attention_layernorm"),
                    gate: of("mlp.gate_proj"),
                    up: of("mlp.up_proj"),
                    down: of("mlp.down_proj"),
                }
            })
            .collect();
        let head = if self.config.tied_embeddings { EMBEDDING } else { "lm_head.weight" };
        Weights { embedding: master(EMBEDDING), layers, norm: master("model.norm.weight"), head: master(head) }
    }

    /// An empty cache for `rows` sequences.
    pub fn cache(&self, rows: i64) -> Cache {
        let layers =
            (0..self.config.layers).map(|_| (self.cache_tensor(rows, 0), self.cache_tensor(rows, 0))).collect();
        Cache { layers, capacity: 0 }
    }

    fn cache_tensor(&self, rows: i64, positions: i64) -> Tensor {
        let shape = [rows, self.config.kv_heads, positions, self.config.head_dim];
        Tensor::zeros(shape, (self.compute, self.device))
    }

    /// The hidden states of a block, before the last norm: `[time, hidden]` in float32.
    ///
    /// `tokens` and `positions` are `[time]` of int64.
    pub fn hidden(&self, weights: &Weights, tokens: &Tensor, positions: &Tensor, mut sight: Sight<'_>) -> Tensor {
        let mut rows = None;
        let masks = match &mut sight {
            Sight::Cached { cache, lengths, seen } => {
                self.reserve(cache, *seen);
                let placed = rows.insert(Rows::new(lengths, self.device));
                let keys = Tensor::arange(cache.capacity, (Kind::Int64, self.device)).view([1, 1, -1]);
                vec![self.folded_mask(&keys.le_tensor(&placed.pad(positions).unsqueeze(-1)))]
            }
            Sight::Segments(segments) => self.segment_masks(segments),
        };
        let rotation = self.rotation(positions);
        let mut hidden = Tensor::embedding(&weights.embedding, tokens, -1, false, false);
        for (index, layer) in weights.layers.iter().enumerate() {
            let normed = self.norm(&hidden, &layer.attention_norm).to_kind(self.compute);
            let (query, key, value) = self.project(layer, &normed, &rotation);
            let mixed = match (&mut sight, &rows) {
                (Sight::Cached { cache, .. }, Some(rows)) => {
                    let (keys, values) = cache.put(index, &rows.of_token, positions, &key, &value);
                    rows.take(&self.attend(&rows.pad(&query), &keys, &values, &masks[0]))
                }
                (Sight::Segments(segments), _) => self.attend_segments(&query, &key, &value, segments, &masks),
                (Sight::Cached { .. }, None) => unreachable!("a cached block has rows"),
            };
            // Not in place: backward still needs what the norms read.
            hidden = &hidden + mixed.linear(&layer.output, None::<&Tensor>);
            let normed = self.norm(&hidden, &layer.feed_norm).to_kind(self.compute);
            hidden = &hidden + feed_forward(layer, &normed);
        }
        hidden
    }

    /// The logits of hidden states `[count, hidden]`: `[count, vocab]` in float32 whatever the kind of computation.
    pub fn logits(&self, weights: &Weights, hidden: &Tensor) -> Tensor {
        let normed = self.norm(hidden, &weights.norm);
        normed.linear(&weights.head, None::<&Tensor>)
    }

    /// The logits of one whole text, `[time, vocab]` in float32, without autograd.
    pub fn logits_of(&self, tokens: &[i64]) -> Tensor {
        tch::no_grad(|| {
            let time = tokens.len() as i64;
            let tokens = Tensor::from_slice(tokens).to_device(self.device);
            let positions = Tensor::arange(time, (Kind::Int64, self.device));
            let weights = self.weights();
            let hidden = self.hidden(
                &weights,
                &tokens,
                &positions,
                Sight::Segments(&[Segment { sees: Vec::new(), length: time }]),
            );
            self.logits(&weights, &hidden)
        })
    }

    /// A mask for [`Llama::attend`] from what is `allowed`, `[rows, new, seen]`: zero there, else minus infinity, once for each
    /// query head that shares a key head.
    fn folded_mask(&self, allowed: &Tensor) -> Tensor {
        Tensor::zeros(allowed.size(), (self.compute, self.device))
            .masked_fill(&allowed.logical_not(), f64::NEG_INFINITY)
            .repeat([1, self.config.heads / self.config.kv_heads, 1])
            .unsqueeze(1)
    }

    /// A mask for each segment over what it sees and its own tokens.
    fn segment_masks(&self, segments: &[Segment]) -> Vec<Tensor> {
        let range = |length: i64| Tensor::arange(length, (Kind::Int64, self.device));
        let mask = |segment: &Segment| {
            let before = tokens_before(segment);
            let last_seen = (range(segment.length) + before).view([1, segment.length, 1]);
            let keys = whole_keys(before + segment.length);
            self.folded_mask(&range(keys).view([1, 1, keys]).le_tensor(&last_seen))
        };
        segments.iter().map(mask).collect()
    }

    /// RMSNorm (1910.07467) over the last dimension, in float32.
    fn norm(&self, states: &Tensor, weight: &Tensor) -> Tensor {
        let wide = states.to_kind(Kind::Float);
        let mean = wide.square().mean_dim([-1i64].as_slice(), true, Kind::Float);
        let scale = (mean + self.config.rms_norm_eps).rsqrt();
        wide * scale * weight
    }

    /// Queries `[time, heads, head_dim]`, keys and values `[time, kv_heads, head_dim]` of normed hidden states.
    fn project(&self, layer: &LayerWeights, normed: &Tensor, rotation: &(Tensor, Tensor)) -> (Tensor, Tensor, Tensor) {
        let project = |projection: &Projection, heads: i64| {
            normed.linear(&projection.weight, projection.bias.as_ref()).view([-1, heads, self.config.head_dim])
        };
        let mut query = project(&layer.query, self.config.heads);
        let mut key = project(&layer.key, self.config.kv_heads);
        if let Some((query_norm, key_norm)) = &layer.head_norms {
            query = self.norm(&query, query_norm).to_kind(self.compute);
            key = self.norm(&key, key_norm).to_kind(self.compute);
        }
        (rotate(&query, rotation), rotate(&key, rotation), project(&layer.value, self.config.kv_heads))
    }

    /// Attention of `query` over `key` and `value`, `[rows, new, heads, head_dim]` each, under a folded mask:
    /// `[rows, new, heads * head_dim]`.
    ///
    /// Query heads that share a key head are laid behind each other as further queries, so keys are never repeated.
    fn attend(&self, query: &Tensor, key: &Tensor, value: &Tensor, mask: &Tensor) -> Tensor {
        let (rows, new) = (query.size()[0], query.size()[1]);
        let (kv_heads, head_dim) = (self.config.kv_heads, self.config.head_dim);
        let groups = self.config.heads / kv_heads;
        let query = query.view([rows, new, kv_heads, groups, head_dim]).permute([0, 2, 3, 1, 4]).reshape([
            rows,
            kv_heads,
            groups * new,
            head_dim,
        ]);
        let (key, value) = (key.transpose(1, 2), value.transpose(1, 2));
        let mixed = if self.device == Device::Cpu {
            self.attend_by_products(&query, &key, &value, mask)
        } else {
            Tensor::scaled_dot_product_attention(&query, &key, &value, Some(mask), 0.0, false, None, false)
        };
        mixed.view([rows, kv_heads, groups, new, head_dim]).permute([0, 3, 1, 2, 4]).reshape([
            rows,
            new,
            kv_heads * groups * head_dim,
        ])
    }

    /// Attention in plain products, `[rows, kv_heads, queries, head_dim]`: libtorch's fused attention widens bfloat16 on
    /// processors without MKL's own kernels, and these products go to oneDNN.
    ///
    /// A few rows at a time, so that their scores stay in the processor's cache.
    fn attend_by_products(&self, query: &Tensor, key: &Tensor, value: &Tensor, mask: &Tensor) -> Tensor {
        let rows = query.size()[0];
        let scale = (self.config.head_dim as f64).powf(-0.5);
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

    /// Attention segment by segment, `[time, heads * head_dim]`: what segments may not see of each other is never computed.
    fn attend_segments(
        &self,
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
            let missing = keys[0].new_zeros(
                [1, whole_keys(length) - length, self.config.kv_heads, self.config.head_dim],
                (self.compute, self.device),
            );
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

    /// Cosines and sines of the positions, `[time, 1, head_dim]` in the kind of computation.
    fn rotation(&self, positions: &Tensor) -> (Tensor, Tensor) {
        let of = |table: &Tensor| table.index_select(0, positions).unsqueeze(1).to_kind(self.compute);
        (of(&self.cosines), of(&self.sines))
    }

    fn reserve(&self, cache: &mut Cache, seen: i64) {
        if seen <= cache.capacity {
            return;
        }
        let capacity = (seen + CAPACITY_STEP - 1) / CAPACITY_STEP * CAPACITY_STEP;
        for (keys, values) in &mut cache.layers {
            for tensor in [keys, values] {
                // Zeros, not whatever lies there: a masked NaN would still poison the sum.
                let added = self.cache_tensor(tensor.size()[0], capacity - cache.capacity);
                *tensor = Tensor::cat(&[&*tensor, &added], 2);
            }
        }
        cache.capacity = capacity;
    }
}

impl Cache {
    /// Writes the keys and values of new tokens, `[time, kv_heads, head_dim]`, into a layer, each into its row and position.
    /// Returns the whole layer, `[rows, capacity, kv_heads, head_dim]`.
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

    /// Keeps the given rows, in the given order; a row may be named several times.
    pub fn select(&mut self, rows: &Tensor) {
        for (keys, values) in &mut self.layers {
            *keys = keys.index_select(0, rows);
            *values = values.index_select(0, rows);
        }
    }
}

impl Rows {
    fn new(lengths: &[usize], device: Device) -> Rows {
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let (mut of_token, mut padded, mut token) = (Vec::new(), Vec::new(), vec![0i64; lengths.len() * longest]);
        for (row, &length) in lengths.iter().enumerate() {
            for place in row * longest..row * longest + length {
                token[place] = of_token.len() as i64;
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

fn feed_forward(layer: &LayerWeights, normed: &Tensor) -> Tensor {
    let gate = normed.linear(&layer.gate, None::<&Tensor>).silu();
    let up = normed.linear(&layer.up, None::<&Tensor>);
    (gate * up).linear(&layer.down, None::<&Tensor>)
}

/// Rotary position embedding in Hugging Face's layout: the two halves of a head are the two coordinates.
fn rotate(states: &Tensor, (cosines, sines): &(Tensor, Tensor)) -> Tensor {
    let half = states.size()[2] / 2;
    let (first, second) = (states.narrow(2, 0, half), states.narrow(2, half, half));
    let turned = Tensor::cat(&[second.neg(), first], 2);
    states * cosines + turned * sines
}

/// `cos` and `sin` of `position * theta^(-2i/d)`, `[positions, head_dim]` in float32 (Su et al., RoFormer, 2104.09864).
fn rotation_tables(config: &ModelConfig, device: Device) -> (Tensor, Tensor) {
    let half = config.head_dim / 2;
    let exponents = Tensor::arange(half, (Kind::Float, device)) * (2.0 / config.head_dim as f64);
    let frequencies = (exponents * -config.rope_theta.ln()).exp();
    let positions = Tensor::arange(config.max_positions, (Kind::Float, device));
    let angles = positions.unsqueeze(1) * frequencies.unsqueeze(0);
    let angles = Tensor::cat(&[&angles, &angles], 1);
    (angles.cos(), angles.sin())
}
