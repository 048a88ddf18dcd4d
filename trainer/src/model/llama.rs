//! The network of the Llama family: token ids in, hidden states and logits out. Qwen2 adds biases to the projections of
//! queries, keys and values; Qwen3 norms each head's queries and keys.
//!
//! One forward pass serves training and generation. Both feed a *block* of tokens with explicit positions and say what its
//! tokens may look at ([`Sight`]).
//!
//! Parameters are float32 masters. A pass computes in the kind asked for: [`Llama::weights`] casts the masters, and under
//! autograd the cast hands gradients back to them in float32. The residual stream, norms and logits stay in float32: only
//! matrix products and attention are computed in the narrower kind, so rounding does not add up from layer to layer.
//!
//! What it does not do: sampling, losses, chat text.

use std::path::Path;

use tch::{Device, Kind, Tensor};

use crate::pack::Segment;

use super::attention::{Attention, Heads, Sight};
use super::cache::Cache;
use super::config::ModelConfig;
use super::rope::{self, rotate};
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
        let (cosines, sines) = rope::tables(&config, device);
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

    /// An empty cache.
    pub fn cache(&self) -> Cache {
        Cache::new(self.heads(), self.config.layers)
    }

    fn heads(&self) -> Heads {
        let config = &self.config;
        let (queries, keys, dim) = (config.heads, config.kv_heads, config.head_dim);
        Heads { queries, keys, dim, compute: self.compute, device: self.device }
    }

    /// The hidden states of a block, before the last norm: `[time, hidden]` in float32.
    ///
    /// `tokens` and `positions` are `[time]` of int64.
    pub fn hidden(&self, weights: &Weights, tokens: &Tensor, positions: &Tensor, sight: Sight<'_>) -> Tensor {
        let mut attention = Attention::new(self.heads(), sight, positions);
        let rotation = self.rotation(positions);
        let mut hidden = Tensor::embedding(&weights.embedding, tokens, -1, false, false);
        for (index, layer) in weights.layers.iter().enumerate() {
            let normed = self.norm(&hidden, &layer.attention_norm).to_kind(self.compute);
            let (query, key, value) = self.project(layer, &normed, &rotation);
            let mixed = attention.mix(index, &query, &key, &value);
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

    /// Cosines and sines of the positions, `[time, 1, head_dim]` in the kind of computation.
    fn rotation(&self, positions: &Tensor) -> (Tensor, Tensor) {
        let of = |table: &Tensor| table.index_select(0, positions).unsqueeze(1).to_kind(self.compute);
        (of(&self.cosines), of(&self.sines))
    }
}

fn feed_forward(layer: &LayerWeights, normed: &Tensor) -> Tensor {
    let gate = normed.linear(&layer.gate, None::<&Tensor>).silu();
    let up = normed.linear(&layer.up, None::<&Tensor>);
    (gate * up).linear(&layer.down, None::<&Tensor>)
}
