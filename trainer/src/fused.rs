//! What the network computes beside products of matrices, each as one operation on a CPU, with its gradient.
//!
//! As libtorch has them a norm is six operations and the turning of heads seven, each a walk through memory, and a token that is
//! drawn costs hundreds of them. Attention never holds its scores. A row comes out the same to the last bit whatever rows are
//! computed with it, so what was sampled from a cache and what is learned from in a pack agree.
//!
//! Elsewhere than on a CPU these are libtorch's own operations: the callers have both.

use std::ffi::{CStr, c_char, c_void};

use tch::{Device, Kind, Tensor};

/// A tensor as tch holds it.
type RawTensor = *mut c_void;

unsafe extern "C" {
    fn ludus_fused_free(text: *mut c_char);
    safe fn ludus_fused_kernels() -> *const c_char;
    fn ludus_fused_norm(
        states: RawTensor,
        weight: RawTensor,
        epsilon: f64,
        wide: bool,
        made: *mut RawTensor,
    ) -> *mut c_char;
    fn ludus_fused_rotate(
        states: RawTensor,
        cosines: RawTensor,
        sines: RawTensor,
        made: *mut RawTensor,
    ) -> *mut c_char;
    fn ludus_fused_gated(gate: RawTensor, up: RawTensor, made: *mut RawTensor) -> *mut c_char;
    fn ludus_fused_attend(
        query: RawTensor,
        keys: RawTensor,
        values: RawTensor,
        places: RawTensor,
        seen: RawTensor,
        scale: f64,
        made: *mut RawTensor,
    ) -> *mut c_char;
    fn ludus_fused_put(
        cache: RawTensor,
        states: RawTensor,
        places: RawTensor,
        positions: RawTensor,
    ) -> *mut c_char;
}

/// Whether tensors of this kind on this device can be given to the functions here.
pub fn can(device: Device, kind: Kind) -> bool {
    device == Device::Cpu && is_known(kind)
}

fn is_known(kind: Kind) -> bool {
    matches!(kind, Kind::Float | Kind::BFloat16)
}

/// The instructions that are used: `avx512`, `avx2`, or `plain`.
pub fn instructions() -> &'static str {
    // SAFETY: a text of the C++ side that is never freed.
    unsafe { CStr::from_ptr(ludus_fused_kernels()) }.to_str().unwrap_or_default()
}

/// RMSNorm (1910.07467) over the last dimension, returned in `kind`. `states` are float32 or bfloat16, the weight `[width]` in
/// float32.
pub fn norm(states: &Tensor, weight: &Tensor, epsilon: f64, kind: Kind) -> Tensor {
    assert_kinds(&[states], &[weight]);
    assert!(is_known(kind) && states.size().last() == weight.size().first(), "a norm of {:?}", states.size());
    // SAFETY: tensors that live during the call.
    made(|made| unsafe { ludus_fused_norm(raw(states), raw(weight), epsilon, kind == Kind::Float, made) })
}

/// Turns heads `[time, heads, dim]` by `[time, dim]` of cosines and sines, whose halves are alike: with a and b the halves of a
/// head, `(a cos - b sin, b cos + a sin)`.
pub fn rotate(states: &Tensor, cosines: &Tensor, sines: &Tensor) -> Tensor {
    let (time, _, dim) = states.size3().expect("heads");
    for table in [cosines, sines] {
        assert!(table.size() == [time, dim] && table.kind() == states.kind(), "angles of heads");
        assert!(table.is_contiguous(), "angles row by row");
    }
    assert_kinds(&[states], &[]);
    // SAFETY: tensors that live during the call.
    made(|made| unsafe { ludus_fused_rotate(raw(states), raw(cosines), raw(sines), made) })
}

/// `silu(gate) * up`, `[rows, width]` each.
pub fn gated(gate: &Tensor, up: &Tensor) -> Tensor {
    assert_kinds(&[gate, up], &[]);
    assert!(gate.dim() == 2 && (gate.size(), gate.kind()) == (up.size(), up.kind()), "gates of what they let through");
    // SAFETY: tensors that live during the call.
    made(|made| unsafe { ludus_fused_gated(raw(gate), raw(up), made) })
}

/// Attention of each token's queries over the first positions of a place, scaled by `1 / sqrt(dim)`: `[time, queries * dim]`.
///
/// `query` is `[time, queries, dim]`, `keys` and `values` `[places, keys, positions, dim]`. `places` and `seen`, `[time]` of int64,
/// say of each token where it looks and at how many positions, at least one. Under autograd there is one place.
pub fn attend(query: &Tensor, keys: &Tensor, values: &Tensor, places: &Tensor, seen: &Tensor) -> Tensor {
    let (time, queries, dim) = query.size3().expect("queries");
    let (_, key_heads, _, key_dim) = keys.size4().expect("keys");
    assert!(keys.size() == values.size() && key_dim == dim && queries % key_heads == 0, "heads that fit together");
    assert_kinds(&[query, keys, values], &[]);
    assert!(query.kind() == keys.kind() && keys.kind() == values.kind(), "heads of one kind");
    for tensor in [places, seen] {
        assert!(tensor.kind() == Kind::Int64 && tensor.size() == [time] && tensor.is_contiguous(), "a look of each token");
    }
    let scale = (dim as f64).powf(-0.5);
    // SAFETY: tensors that live during the call; whoever calls looks at positions that there are.
    made(|made| unsafe {
        ludus_fused_attend(raw(query), raw(keys), raw(values), raw(places), raw(seen), scale, made)
    })
}

/// Writes `[time, heads, dim]` into a cache `[places, heads, positions, dim]`, each token at its place and position.
pub fn put(cache: &mut Tensor, states: &Tensor, places: &Tensor, positions: &Tensor) {
    let (time, heads, dim) = states.size3().expect("heads");
    let (_, cache_heads, _, cache_dim) = cache.size4().expect("a cache");
    assert!((heads, dim, states.kind()) == (cache_heads, cache_dim, cache.kind()), "heads as the cache has them");
    for tensor in [places, positions] {
        assert!(tensor.kind() == Kind::Int64 && tensor.size() == [time] && tensor.is_contiguous(), "a place of each token");
    }
    // SAFETY: tensors that live during the call; whoever calls has made room.
    check(unsafe { ludus_fused_put(raw(cache), raw(states), raw(places), raw(positions)) });
}

/// States of a kind that is known, and parameters in float32, all in the memory of the host.
fn assert_kinds(states: &[&Tensor], parameters: &[&Tensor]) {
    let fits = |tensor: &&Tensor| tensor.device() == Device::Cpu && is_known(tensor.kind());
    assert!(states.iter().all(fits), "states of a fused operation");
    assert!(parameters.iter().all(|tensor| fits(tensor) && tensor.kind() == Kind::Float), "parameters in float32");
}

fn raw(tensor: &Tensor) -> RawTensor {
    tensor.as_ptr().cast_mut().cast()
}

/// The tensor that a C++ function has made.
fn made(make: impl FnOnce(*mut RawTensor) -> *mut c_char) -> Tensor {
    let mut made = std::ptr::null_mut();
    check(make(&raw mut made));
    // SAFETY: without an error the C++ side has made a tensor, which nobody else has.
    unsafe { Tensor::from_ptr(made.cast()) }
}

/// Panics with what went wrong, as tch does: `out_of_memory` knows what of it is a lack of memory.
fn check(error: *mut c_char) {
    if !error.is_null() {
        // SAFETY: a text of the C++ side, which nobody else has.
        let text = unsafe { CStr::from_ptr(error) }.to_string_lossy().into_owned();
        // SAFETY: the same.
        unsafe { ludus_fused_free(error) };
        panic!("{text}");
    }
}
