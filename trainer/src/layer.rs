//! A layer of the network as one call, for what is drawn from a cache: bfloat16 on a CPU that has a kernel for its products.
//!
//! A token that is drawn costs a dozen operations a layer, each of which asks libtorch for memory and for its way through the
//! dispatcher, on one thread while the others wait. Here they are loops one behind the other over the same memory
//! (`aten/layer.cpp`). What comes out is what the operations of [`crate::fused`] and [`crate::projections`] make of it, to the last
//! bit: a pack that is learned from goes through those.

use std::ffi::c_char;
use std::ptr;

use tch::{Device, Kind, Tensor};

use crate::aten::{RawTensor, made, raw};
use crate::products;

/// As `LudusLayer` in `aten/layer.cpp`.
#[repr(C)]
struct RawLayer {
    attention_norm: RawTensor,
    query: RawTensor,
    query_bias: RawTensor,
    query_norm: RawTensor,
    key: RawTensor,
    key_bias: RawTensor,
    key_norm: RawTensor,
    value: RawTensor,
    value_bias: RawTensor,
    output: RawTensor,
    feed_norm: RawTensor,
    gate: RawTensor,
    up: RawTensor,
    down: RawTensor,
    cosines: RawTensor,
    sines: RawTensor,
    keys: RawTensor,
    values: RawTensor,
    places: RawTensor,
    positions: RawTensor,
    seen: RawTensor,
    epsilon: f64,
}

unsafe extern "C" {
    fn ludus_layer(layer: *const RawLayer, states: RawTensor, made: *mut RawTensor) -> *mut c_char;
}

/// A projection's weight, `[out, in]`, and its bias, `[out]`.
pub type Projection<'a> = (&'a Tensor, Option<&'a Tensor>);

/// The weights of a layer. Those of norms are float32, all others bfloat16.
pub struct Layer<'a> {
    pub attention_norm: &'a Tensor,
    pub query: Projection<'a>,
    pub key: Projection<'a>,
    pub value: Projection<'a>,
    /// Norms of each head's queries and keys, `[dim]`.
    pub head_norms: Option<(&'a Tensor, &'a Tensor)>,
    pub output: &'a Tensor,
    pub feed_norm: &'a Tensor,
    pub gate: &'a Tensor,
    pub up: &'a Tensor,
    pub down: &'a Tensor,
    pub epsilon: f64,
}

/// Where the tokens of a block stand, and what they look at.
pub struct Place<'a> {
    /// `[time, dim]` of bfloat16.
    pub cosines: &'a Tensor,
    pub sines: &'a Tensor,
    /// What the cache has of this layer, `[places, keys, room, dim]`.
    pub keys: &'a Tensor,
    pub values: &'a Tensor,
    /// `[time]` of int64: a token's place in the cache, its position there, and how many positions it sees.
    pub places: &'a Tensor,
    pub positions: &'a Tensor,
    pub seen: &'a Tensor,
}

/// Whether a layer can be one call here.
pub fn can(device: Device, compute: Kind) -> bool {
    device == Device::Cpu && compute == Kind::BFloat16 && !products::kernels().is_empty()
}

impl Layer<'_> {
    /// The states behind this layer, of those before it: `[time, width]` of float32 each. Keys and values are written into the
    /// cache. Nothing is learned from what comes of it.
    ///
    /// # Panics
    /// Where tensors do not fit together; the C++ side checks their shapes, kinds and layouts.
    pub fn forward(&self, states: &Tensor, place: &Place<'_>) -> Tensor {
        let raw_or_null = |tensor: Option<&Tensor>| tensor.map_or(ptr::null_mut(), raw);
        let layer = RawLayer {
            attention_norm: raw(self.attention_norm),
            query: raw(self.query.0),
            query_bias: raw_or_null(self.query.1),
            query_norm: raw_or_null(self.head_norms.map(|norms| norms.0)),
            key: raw(self.key.0),
            key_bias: raw_or_null(self.key.1),
            key_norm: raw_or_null(self.head_norms.map(|norms| norms.1)),
            value: raw(self.value.0),
            value_bias: raw_or_null(self.value.1),
            output: raw(self.output),
            feed_norm: raw(self.feed_norm),
            gate: raw(self.gate),
            up: raw(self.up),
            down: raw(self.down),
            cosines: raw(place.cosines),
            sines: raw(place.sines),
            keys: raw(place.keys),
            values: raw(place.values),
            places: raw(place.places),
            positions: raw(place.positions),
            seen: raw(place.seen),
            epsilon: self.epsilon,
        };
        // SAFETY: tensors that live during the call, and what fits together is checked there; whoever calls has made room in the cache.
        made(|made| unsafe { ludus_layer(&raw const layer, raw(states), made) })
    }
}
