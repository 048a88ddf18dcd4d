//! What the network computes beside products of matrices, each as one operation on a CPU, with its gradient.
//!
//! As libtorch has them a norm is six operations and the turning of heads seven, each a walk through memory, and a token that is
//! drawn costs hundreds of them. So it is with attention ([`crate::attend`]). A row comes out the same to the last bit whatever rows are
//! computed with it, so what was sampled from a cache and what is learned from in a pack agree.
//!
//! Elsewhere than on a CPU these are libtorch's own operations: the callers have both.

use std::ffi::{CStr, c_char};

use tch::{Device, Kind, Tensor};

use crate::aten::{RawTensor, made, raw};

unsafe extern "C" {
    safe fn ludus_fused_kernels() -> *const c_char;
    fn ludus_fused_norm(
        states: RawTensor,
        weight: RawTensor,
        epsilon: f64,
        wide: bool,
        made: *mut RawTensor,
    ) -> *mut c_char;
    fn ludus_fused_rotate(states: RawTensor, cosines: RawTensor, sines: RawTensor, made: *mut RawTensor)
    -> *mut c_char;
    fn ludus_fused_gated(gate: RawTensor, up: RawTensor, made: *mut RawTensor) -> *mut c_char;
}

/// Whether tensors of this kind on this device can be given to the functions here.
pub fn can(device: Device, kind: Kind) -> bool {
    device == Device::Cpu && is_known(kind)
}

fn is_known(kind: Kind) -> bool {
    matches!(kind, Kind::Float | Kind::BFloat16)
}

/// The instructions that are used: `amx`, which is `avx512` with products of heads in attention by AMX, `avx512`, `avx2`, or `plain`.
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

/// States of a kind that is known, and parameters in float32, all in the memory of the host.
pub(crate) fn assert_kinds(states: &[&Tensor], parameters: &[&Tensor]) {
    let fits = |tensor: &&Tensor| tensor.device() == Device::Cpu && is_known(tensor.kind());
    assert!(states.iter().all(fits), "states of a fused operation");
    assert!(parameters.iter().all(|tensor| fits(tensor) && tensor.kind() == Kind::Float), "parameters in float32");
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Numbers without a pattern that matters.
    pub(crate) fn numbers(shape: &[i64], kind: Kind, from: i64) -> Tensor {
        let count: i64 = shape.iter().product();
        let all = (Tensor::arange_start(from, from + count, (Kind::Double, Device::Cpu)) * 0.7).sin();
        all.reshape(shape).to_kind(kind)
    }

    /// Holds an operation and its gradients against the same in doubles, written down plainly.
    pub(crate) fn assert_computes(
        inputs: &[Tensor],
        fused: impl Fn(&[Tensor]) -> Tensor,
        plain: impl Fn(&[Tensor]) -> Tensor,
    ) {
        let learned = |kind: Option<Kind>| -> Vec<Tensor> {
            let copy = |tensor: &Tensor| tensor.to_dtype(kind.unwrap_or(tensor.kind()), false, true).detach();
            inputs.iter().map(|tensor| copy(tensor).set_requires_grad(true)).collect()
        };
        let (ours, theirs) = (learned(None), learned(Some(Kind::Double)));
        let (found, expected) = (fused(&ours), plain(&theirs));
        let is_narrow = inputs.iter().chain([&found]).any(|tensor| tensor.kind() == Kind::BFloat16);
        let same = |what: &str, found: &Tensor, expected: &Tensor| {
            // bfloat16 has eight digits, and what is in between is rounded too.
            let tolerance = if is_narrow { 0.03 } else { 1e-5 };
            assert_eq!(found.size(), expected.size());
            let apart = (found.to_kind(Kind::Double) - expected).abs().max().double_value(&[]);
            let scale = expected.abs().max().double_value(&[]).max(1.0);
            assert!(apart <= tolerance * scale, "{what} is {apart} off at {scale}");
        };
        same("what it computes", &found, &expected);
        let direction = numbers(&found.size(), Kind::Double, 5);
        (found.to_kind(Kind::Double) * &direction).sum(Kind::Double).backward();
        (expected * direction).sum(Kind::Double).backward();
        for (index, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            assert_eq!(ours.grad().kind(), ours.kind());
            same(&format!("gradient {index}"), &ours.grad(), &theirs.grad());
        }
    }

    pub(crate) const KINDS: [Kind; 2] = [Kind::Float, Kind::BFloat16];

    #[test]
    fn a_norm_is_that_of_its_formula_and_so_are_its_gradients() {
        for (rows, width) in [(1, 8), (3, 20), (200, 96)] {
            for (kind, wanted) in KINDS.iter().flat_map(|&kind| KINDS.map(|wanted| (kind, wanted))) {
                assert_computes(
                    &[numbers(&[rows, width], kind, 0), numbers(&[width], Kind::Float, 9)],
                    |inputs| norm(&inputs[0], &inputs[1], 1e-5, wanted),
                    |inputs| {
                        let mean = inputs[0].square().mean_dim([-1i64].as_slice(), true, Kind::Double);
                        &inputs[0] / (mean + 1e-5).sqrt() * &inputs[1]
                    },
                );
            }
        }
    }

    #[test]
    fn heads_are_turned_by_their_angles_and_gradients_are_turned_back() {
        for (kind, dim) in [(Kind::Float, 12), (Kind::BFloat16, 64)] {
            let angles = numbers(&[5, dim / 2], Kind::Double, 0);
            let angles = Tensor::cat(&[&angles, &angles], 1);
            let (cosines, sines) = (angles.cos().to_kind(kind), angles.sin().to_kind(kind));
            assert_computes(
                &[numbers(&[5, 3, dim], kind, 2)],
                |inputs| rotate(&inputs[0], &cosines, &sines),
                |inputs| {
                    let halves = inputs[0].chunk(2, 2);
                    let turned = Tensor::cat(&[halves[1].neg(), halves[0].shallow_clone()], 2);
                    let table = |table: &Tensor| table.to_kind(Kind::Double).unsqueeze(1);
                    &inputs[0] * table(&cosines) + turned * table(&sines)
                },
            );
        }
    }

    #[test]
    fn what_a_gate_lets_through_is_its_silu_times_the_other() {
        for kind in KINDS {
            let inputs = [numbers(&[40, 21], kind, 0) * 6.0, numbers(&[40, 21], kind, 7)];
            assert_computes(&inputs, |inputs| gated(&inputs[0], &inputs[1]), |inputs| inputs[0].silu() * &inputs[1]);
            // As products of few rows leave them, column by column.
            let columns = inputs.each_ref().map(|tensor| tensor.tr().contiguous().tr());
            let found = gated(&columns[0], &columns[1]);
            assert!(found == gated(&inputs[0], &inputs[1]) && found.tr().is_contiguous());
        }
        let far = Tensor::from_slice(&[-1e30f32, -200.0, 0.0, 200.0, 1e30]).view([1, 5]);
        let found = gated(&far, &far.ones_like());
        assert_eq!(Vec::<f32>::try_from(found.view([-1])).unwrap()[2..], [0.0, 200.0, 1e30]);
        assert!(found.narrow(1, 0, 2).abs().max().double_value(&[]) < 1e-7 * 1e30);
    }
}
