//! A pass through the layers of the network: each in one call where there is one for it, by its parts where not.

use tch::{Kind, Tensor};

use crate::fused;
use crate::layer::{self, Layer};
use crate::projections::{Entering, Parameter, linear_each};

use super::attention::{Attention, Sight};
use super::llama::{Llama, Weights};
use super::lora::Adapter;
use super::rope::rotate;

/// What a layer computes with.
pub(super) struct LayerWeights {
    pub(super) attention_norm: Tensor,
    pub(super) query: Projection,
    pub(super) key: Projection,
    pub(super) value: Projection,
    /// Norms of each head's queries and keys (Qwen3).
    pub(super) head_norms: Option<(Tensor, Tensor)>,
    pub(super) output: Projection,
    pub(super) feed_norm: Tensor,
    pub(super) gate: Projection,
    pub(super) up: Projection,
    pub(super) down: Projection,
}

impl LayerWeights {
    /// Takes over what the masters have become, in the memory that is there.
    pub(super) fn refresh(&mut self) {
        let LayerWeights { query, key, value, output, gate, up, down, .. } = self;
        [query, key, value, output, gate, up, down].into_iter().for_each(Projection::refresh);
    }
}

/// A linear map of states, with a bias and an adapter where it has them.
pub(super) struct Projection {
    pub(super) weight: Parameter,
    pub(super) bias: Option<Parameter>,
    pub(super) adapter: Option<Adapter>,
}

impl Projection {
    fn refresh(&mut self) {
        let adapter = self.adapter.iter_mut().flat_map(|adapter| [&mut adapter.down, &mut adapter.up]);
        [&mut self.weight].into_iter().chain(&mut self.bias).chain(adapter).for_each(Parameter::refresh);
    }
}

/// What the layers of one pass have in common.
pub(super) struct Pass<'a> {
    llama: &'a Llama,
    attention: Attention<'a>,
    rotation: (Tensor, Tensor),
}

impl Pass<'_> {
    /// The hidden states behind a layer, of those before it: `[time, hidden]` each.
    pub(super) fn layer(&mut self, weights: &Weights, index: usize, hidden: &Tensor) -> Tensor {
        let layer = &weights.layers[index];
        if let Some(layer) = self.llama.whole(layer)
            && let Some(place) = self.attention.place(index, &self.rotation)
        {
            return layer.forward(hidden, &place);
        }
        self.layer_by_parts(layer, index, hidden)
    }

    fn layer_by_parts(&mut self, layer: &LayerWeights, index: usize, hidden: &Tensor) -> Tensor {
        let llama = self.llama;
        let (query, key, value) = llama.heads_of(layer, hidden, &self.rotation);
        let mixed = self.attention.mix(index, &query, &key, &value);
        let [attended] = llama.project([&layer.output], Entering::States(&mixed));
        // Not in place: backward still needs what the norms read.
        let hidden = hidden + attended;
        &hidden + llama.feed_forward(layer, &hidden)
    }
}

impl Llama {
    /// A pass through the layers of a block whose tokens have these positions.
    pub(super) fn pass<'a>(&'a self, positions: &Tensor, sight: Sight<'a>) -> Pass<'a> {
        Pass {
            llama: self,
            attention: Attention::new(self.heads(), sight, positions),
            rotation: self.rotation(positions),
        }
    }

    /// What some projections make of the same states, `[time, in]` to `[time, out]` each.
    fn project<const N: usize>(&self, projections: [&Projection; N], entering: Entering<'_>) -> [Tensor; N] {
        let parameters = projections.map(|own| (&own.weight, own.bias.as_ref()));
        let has_adapters = projections.iter().any(|projection| projection.adapter.is_some());
        if fused::can(self.device, self.compute) && !has_adapters {
            return linear_each(entering, parameters);
        }
        let states = self.entering(entering);
        let mut projected = linear_each(Entering::States(&states), parameters);
        for (projection, projected) in projections.iter().zip(&mut projected) {
            if let Some(adapter) = &projection.adapter {
                // In place: nothing needs what was there before.
                *projected += adapter.apply(&states);
            }
        }
        projected
    }

    /// A layer as one call, where it can be (see [`crate::layer`]).
    fn whole<'a>(&self, weights: &'a LayerWeights) -> Option<Layer<'a>> {
        let LayerWeights { query, key, value, output, gate, up, down, .. } = weights;
        let projections = [query, key, value, output, gate, up, down];
        let has_adapters = projections.iter().any(|projection| projection.adapter.is_some());
        let projection = |own: &'a Projection| (&own.weight.numbers, own.bias.as_ref().map(|bias| &bias.numbers));
        (layer::can(self.device, self.compute) && !has_adapters).then(|| Layer {
            attention_norm: &weights.attention_norm,
            query: projection(query),
            key: projection(key),
            value: projection(value),
            head_norms: weights.head_norms.as_ref().map(|(query, key)| (query, key)),
            output: &output.weight.numbers,
            feed_norm: &weights.feed_norm,
            gate: &gate.weight.numbers,
            up: &up.weight.numbers,
            down: &down.weight.numbers,
            epsilon: self.config.rms_norm_eps,
        })
    }

    /// What enters products, in the kind of computation.
    fn entering(&self, entering: Entering<'_>) -> Tensor {
        match entering {
            Entering::States(states) => states.shallow_clone(),
            Entering::Normed { states, weight, .. } => self.norm(states, weight, self.compute),
            Entering::Gated { gate, up } if fused::can(self.device, self.compute) => fused::gated(gate, up),
            Entering::Gated { gate, up } => gate.silu() * up,
        }
    }

    /// RMSNorm (1910.07467) over the last dimension, in float32 and then in `kind`.
    pub(super) fn norm(&self, states: &Tensor, weight: &Tensor, kind: Kind) -> Tensor {
        let epsilon = self.config.rms_norm_eps;
        if fused::can(self.device, kind) {
            return fused::norm(states, weight, epsilon, kind);
        }
        norm_by_parts(states, weight, epsilon).to_kind(kind)
    }

    /// Queries `[time, heads, head_dim]`, keys and values `[time, kv_heads, head_dim]` of hidden states.
    fn heads_of(&self, layer: &LayerWeights, hidden: &Tensor, rotation: &(Tensor, Tensor)) -> (Tensor, Tensor, Tensor) {
        let normed = self.normed_by(hidden, &layer.attention_norm);
        let projected = self.project([&layer.query, &layer.key, &layer.value], normed);
        let heads = |states: Tensor| states.reshape([hidden.size()[0], -1, self.config.head_dim]);
        let [mut query, mut key, value] = projected.map(heads);
        if let Some((query_norm, key_norm)) = &layer.head_norms {
            query = self.norm(&query, query_norm, self.compute);
            key = self.norm(&key, key_norm, self.compute);
        }
        (rotate(&query, rotation), rotate(&key, rotation), value)
    }

    fn feed_forward(&self, layer: &LayerWeights, hidden: &Tensor) -> Tensor {
        let normed = self.normed_by(hidden, &layer.feed_norm);
        let [gate, up] = self.project([&layer.gate, &layer.up], normed);
        let [fed] = self.project([&layer.down], Entering::Gated { gate: &gate, up: &up });
        fed
    }

    /// States behind a norm, for products.
    fn normed_by<'a>(&self, states: &'a Tensor, weight: &'a Tensor) -> Entering<'a> {
        Entering::Normed { states, weight, epsilon: self.config.rms_norm_eps }
    }
}

fn norm_by_parts(states: &Tensor, weight: &Tensor, epsilon: f64) -> Tensor {
    let wide = states.to_kind(Kind::Float);
    let mean = wide.square().mean_dim([-1i64].as_slice(), true, Kind::Float);
    let scale = (mean + epsilon).rsqrt();
    wide * scale * weight
}

#[cfg(test)]
mod tests;
