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
//! With adapters ([`super::lora`]) the network's own weights are frozen and the adapters' are the parameters.
//!
//! What it does not do: sampling, losses, chat text.

use std::collections::BTreeMap;
use std::path::Path;

use tch::{Device, Kind, Tensor};

use crate::embedding::embed;
use crate::fused;
use crate::gradients;
use crate::pack::Segment;
use crate::products::{self, add_wide_product, wide_linear, wide_product};
use crate::projections::{Parameter, linear};

use super::attention::{Heads, Sight};
use super::cache::Cache;
use super::config::ModelConfig;
use super::lora::{self, Adapter, Lora};
use super::pass::{LayerWeights, Projection};
use super::rope;
use super::{ModelError, weights};

/// A Llama-family network with float32 master parameters.
pub struct Llama {
    pub config: ModelConfig,
    /// What is trained: Hugging Face names and masters, in the order of the network. With adapters these alone.
    pub parameters: Vec<(String, Tensor)>,
    /// What stays as it is beside adapters: the network's own weights.
    frozen: Vec<(String, Tensor)>,
    /// How the adapters are made, where there are any.
    pub lora: Option<Lora>,
    pub device: Device,
    /// The kind in which matrix products are computed.
    pub compute: Kind,
    cosines: Tensor,
    sines: Tensor,
}

/// The parameters in the kind of computation, ready for a pass.
pub struct Weights {
    embedding: Tensor,
    pub(super) layers: Vec<LayerWeights>,
    norm: Tensor,
    /// The float32 head: logits are float32 always, for bfloat16 would round numbers of their size to eighths.
    head: Tensor,
    /// The head in a narrower kind of computation, where a device multiplies that into float32 many times faster, as a GPU does,
    /// or a row's logits would else depend on the rows beside it (see `products`).
    narrow_head: Option<Tensor>,
}

impl Llama {
    /// Loads a Hugging Face-style folder, or one of adapters, which are merged into the weights of their base. The masters
    /// require gradients.
    ///
    /// # Errors
    /// Where a file is missing or a tensor has another shape than `config.json` says.
    pub fn load(folder: &Path, device: Device, compute: Kind) -> Result<Llama, ModelError> {
        if let Some(adapters) = lora::read(folder, device)? {
            let llama = Llama::load(&adapters.base, device, compute)?;
            return llama.with_adapters(adapters.lora, adapters.tensors)?.merged();
        }
        let config = ModelConfig::read(folder)?;
        let parameters = weights::load(folder, &config, device)?
            .into_iter()
            .map(|(name, tensor)| (name, tensor.set_requires_grad(true)))
            .collect();
        Ok(Llama::new(config, parameters, device, compute))
    }

    /// Loads a folder whose weights stay as they are, as a base for adapters. Projections are held in the kind of computation
    /// alone.
    ///
    /// # Errors
    /// As [`Llama::load`].
    pub fn load_frozen(folder: &Path, device: Device, compute: Kind) -> Result<Llama, ModelError> {
        let config = ModelConfig::read(folder)?;
        let kind = |name: &str| if name.contains("_proj.") { compute } else { Kind::Float };
        let frozen = weights::load_as(folder, &config, device, &kind)?;
        Ok(Llama { frozen, ..Llama::new(config, Vec::new(), device, compute) })
    }

    /// A network of parameters that are at hand, in the order in which [`weights::load`] returns them.
    pub fn new(config: ModelConfig, parameters: Vec<(String, Tensor)>, device: Device, compute: Kind) -> Llama {
        products::choose();
        let (cosines, sines) = rope::tables(&config, device);
        Llama { config, parameters, frozen: Vec::new(), lora: None, device, compute, cosines, sines }
    }

    /// The same network with adapters, which alone are trained from now on.
    ///
    /// # Errors
    /// Where they do not fit this network.
    pub fn with_adapters(mut self, lora: Lora, tensors: Vec<(String, Tensor)>) -> Result<Llama, ModelError> {
        lora.check(&self.config, &tensors)?;
        let all = std::mem::take(&mut self.parameters).into_iter().chain(std::mem::take(&mut self.frozen));
        self.frozen = all.map(|(name, tensor)| (name, tensor.set_requires_grad(false))).collect();
        self.parameters = tensors.into_iter().map(|(name, tensor)| (name, tensor.set_requires_grad(true))).collect();
        self.lora = Some(lora);
        Ok(self)
    }

    /// The network as one without adapters: what they add is added to the weights.
    ///
    /// # Errors
    /// Where libtorch fails.
    pub fn merged(self) -> Result<Llama, ModelError> {
        let Some(lora) = &self.lora else { return Ok(self) };
        let merged = tch::no_grad(|| lora.merge(&self.frozen, &self.parameters))?;
        let parameters = merged.into_iter().map(|(name, tensor)| (name, tensor.set_requires_grad(true))).collect();
        Ok(Llama { parameters, frozen: Vec::new(), lora: None, ..self })
    }

    /// The parameters in the kind of computation, as they are now. Gradients of what is computed with them go to the masters.
    ///
    /// # Panics
    /// Where a parameter is missing, which [`weights::load`] excludes.
    pub fn weights(&self) -> Weights {
        self.weights_with(self.lora.as_ref(), false)
    }

    /// The parameters in the kind of computation as they are now, whatever becomes of them.
    ///
    /// # Panics
    /// As [`Llama::weights`].
    pub fn snapshot(&self) -> Weights {
        tch::no_grad(|| self.weights_with(self.lora.as_ref(), true))
    }

    /// The parameters without what adapters add.
    ///
    /// # Panics
    /// As [`Llama::weights`].
    pub fn base_weights(&self) -> Weights {
        self.weights_with(None, false)
    }

    /// `copied`: nothing of it is shared with what is trained.
    fn weights_with(&self, lora: Option<&Lora>, copied: bool) -> Weights {
        let trained = self.parameters.iter().map(|parameter| (parameter, copied));
        let all = trained.chain(self.frozen.iter().map(|parameter| (parameter, false)));
        let known: BTreeMap<&str, Tensor> = all
            .map(|((name, tensor), copied)| {
                (name.as_str(), if copied { tensor.detach().copy() } else { tensor.shallow_clone() })
            })
            .collect();
        let master = |name: &str| {
            let tensor = known.get(name).unwrap_or_else(|| panic!("the network has no parameter {name}"));
            tensor.shallow_clone()
        };
        let required = |name: &str| Parameter::of(&master(name), self.compute);
        const EMBEDDING: &str = "model.embed_tokens.weight";
        let layers = (0..self.config.layers)
            .map(|layer| {
                let norm = |part: &str| master(&format!("model.layers.{layer}.{part}.weight"));
                let projection = |part: &str, bias: bool| {
                    let path = format!("model.layers.{layer}.{part}");
                    Projection {
                        weight: required(&format!("{path}.weight")),
                        bias: bias.then(|| required(&format!("{path}.bias"))),
                        adapter: lora.filter(|lora| lora.has(part)).map(|lora| Adapter {
                            down: required(&lora::down_name(&path)),
                            up: required(&lora::up_name(&path)),
                            scale: lora.scale(),
                        }),
                    }
                };
                let bias = self.config.attention_bias;
                LayerWeights {
                    attention_norm: norm("input_layernorm"),
                    query: projection("self_attn.q_proj", bias),
                    key: projection("self_attn.k_proj", bias),
                    value: projection("self_attn.v_proj", bias),
                    head_norms: self.config.qk_norm.then(|| (norm("self_attn.q_norm"), norm("self_attn.k_norm"))),
                    output: projection("self_attn.o_proj", false),
                    feed_norm: norm("post_attention_layernorm"),
                    gate: projection("mlp.gate_proj", false),
                    up: projection("mlp.up_proj", false),
                    down: projection("mlp.down_proj", false),
                }
            })
            .collect();
        let head = master(if self.config.tied_embeddings { EMBEDDING } else { "lm_head.weight" });
        let narrow_head = has_narrow_head(self.device, self.compute).then(|| head.detach().to_kind(self.compute));
        Weights { embedding: master(EMBEDDING), layers, norm: master("model.norm.weight"), head, narrow_head }
    }

    /// An empty cache.
    pub fn cache(&self) -> Cache {
        Cache::new(self.heads(), self.config.layers)
    }

    pub(super) fn heads(&self) -> Heads {
        let config = &self.config;
        let (queries, keys, dim) = (config.heads, config.kv_heads, config.head_dim);
        let (compute, device) = (self.compute, self.device);
        Heads { queries, keys, dim, compute, device, fused: fused::can(device, compute) }
    }

    /// The hidden states of a block, before the last norm: `[time, hidden]` in float32.
    ///
    /// `tokens` and `positions` are `[time]` of int64.
    pub fn hidden(&self, weights: &Weights, tokens: &Tensor, positions: &Tensor, sight: Sight<'_>) -> Tensor {
        let mut pass = self.pass(positions, sight);
        let embedded = weights.embed(tokens);
        (0..weights.layers.len()).fold(embedded, |hidden, layer| pass.layer(weights, layer, &hidden))
    }

    /// The logits of hidden states `[count, hidden]`: `[count, vocab]` in float32 whatever the kind of computation.
    pub fn logits(&self, weights: &Weights, hidden: &Tensor) -> Tensor {
        self.head(weights, &self.normed(weights, hidden))
    }

    /// The hidden states behind the last norm.
    pub fn normed(&self, weights: &Weights, hidden: &Tensor) -> Tensor {
        self.norm(hidden, &weights.norm, Kind::Float)
    }

    /// The logits of normed states, without autograd.
    pub fn head(&self, weights: &Weights, normed: &Tensor) -> Tensor {
        tch::no_grad(|| match &weights.narrow_head {
            Some(head) => wide_linear(&normed.to_kind(self.compute), head),
            None => linear(normed, &Parameter::of(&weights.head, Kind::Float), None).contiguous(),
        })
    }

    /// The kind in which [`Llama::head_backward`] wants the gradient of the logits.
    pub fn kind_of_logits_gradient(&self, weights: &Weights) -> Kind {
        let is_narrow = weights.narrow_head.is_some() && products::multiplies_into_float32(self.device);
        if is_narrow { self.compute } else { Kind::Float }
    }

    /// Walks back from the gradient of logits `[count, vocab]` to that of the normed states, `[count, hidden]`, and adds the head's
    /// to it, in place: as wide as a vocabulary is, a gradient of its own for each of many chunks would be most of the work.
    pub fn head_backward(&self, weights: &Weights, normed: &Tensor, of_logits: &Tensor) -> Tensor {
        tch::no_grad(|| {
            let head = &weights.head;
            if head.requires_grad() {
                gradients::begin(head);
            }
            match &weights.narrow_head {
                Some(narrow) if of_logits.kind() != Kind::Float => {
                    if head.requires_grad() {
                        add_wide_product(&mut head.grad(), &of_logits.tr(), &normed.to_kind(self.compute));
                    }
                    wide_product(of_logits, narrow)
                }
                _ => {
                    if head.requires_grad() {
                        let _ = head.grad().addmm_(&of_logits.tr(), normed);
                    }
                    of_logits.matmul(head)
                }
            }
        })
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

    /// Cosines and sines of the positions, `[time, head_dim]` in the kind of computation.
    pub(super) fn rotation(&self, positions: &Tensor) -> (Tensor, Tensor) {
        let of = |table: &Tensor| table.index_select(0, positions).to_kind(self.compute);
        (of(&self.cosines), of(&self.sines))
    }
}

impl Weights {
    /// Takes over what the masters have become, in the memory that is there: nothing else may use these weights.
    pub fn refresh(&mut self) {
        self.layers.iter_mut().for_each(LayerWeights::refresh);
        if let Some(narrow) = &mut self.narrow_head {
            narrow.copy_(&self.head.detach());
        }
    }

    /// The hidden states before the first layer, `[time, hidden]`.
    pub(super) fn embed(&self, tokens: &Tensor) -> Tensor {
        embed(&self.embedding, tokens)
    }

    pub(super) fn layers(&self) -> usize {
        self.layers.len()
    }
}

/// Whether weights keep their head in the kind of computation too.
pub fn has_narrow_head(device: Device, compute: Kind) -> bool {
    let has_kernel = device == Device::Cpu && !products::kernels().is_empty();
    compute != Kind::Float && (has_kernel || products::multiplies_into_float32(device))
}
