//! Who multiplies matrices on a CPU.
//!
//! *float32*: libtorch gives these products to MKL, which leaves AVX-512 alone on AMD's processors: there oneDNN, which libtorch
//! carries as well, is up to twice as fast (docs/performance.md). libtorch hands a product over to it where factors may be
//! rounded to bfloat16 on the way. With AMX they would be; without it oneDNN has no such kernel, and computes in float32
//! throughout. So oneDNN is asked for where there is AVX-512 and no AMX, and every product remains one of float32.
//!
//! *bfloat16*: libraries choose the order in which a number's products are added up by the number of rows. A token would be
//! drawn from logits that are rounded otherwise than those it is learned from, by so much that ratios on policy reach 1.5
//! (docs/performance.md). So what goes forward is multiplied by kernels of our own (`aten/linear.cpp`), for processors with AMX
//! or AVX-512's bfloat16: there a row comes out the same to the last bit whatever rows are beside it. The gradients of weights,
//! sums of outer products, are by kernels of our own too (`aten/outer.cpp`); those of states are libtorch's.
//!
//! *bfloat16 into float32*: a product of bfloat16 matrices that is added up and returned in float32, for logits, which bfloat16
//! would round to eighths. tch has it on GPUs alone. On a CPU with AMX the gradient that goes back from logits to states is MKL's,
//! which libtorch carries and libtorch itself does not use so; there it is several times as fast as a float32 product.

use std::ffi::{CStr, c_char, c_int};
use std::sync::{LazyLock, Once};

use tch::{Device, Kind, Tensor};

use crate::aten::{RawTensor, check, made, raw};
use crate::machine;

unsafe extern "C" {
    safe fn ludus_products_by_onednn();
    safe fn ludus_products_has_wide_gemm() -> bool;
    /// Of kernels that there are, or the one behind them.
    fn ludus_products_kernel(index: c_int) -> *const c_char;
    fn ludus_products_wide(kernel: c_int, states: RawTensor, weight: RawTensor, made: *mut RawTensor) -> *mut c_char;
    fn ludus_products_product(left: RawTensor, right: RawTensor, made: *mut RawTensor) -> *mut c_char;
    fn ludus_products_add(sum: RawTensor, left: RawTensor, right: RawTensor) -> *mut c_char;
    #[cfg(test)]
    fn ludus_products_outer(kernel: c_int, left: RawTensor, right: RawTensor, made: *mut RawTensor) -> *mut c_char;
}

/// Chooses once for the whole process. What it chooses depends on the processor alone.
pub fn choose() {
    static CHOSEN: Once = Once::new();
    CHOSEN.call_once(|| {
        if machine::multiplies_faster_by_onednn() {
            ludus_products_by_onednn();
        }
    });
}

/// `states weight^T` in float32, of matrices of a narrow kind, without autograd.
pub fn wide_linear(states: &Tensor, weight: &Tensor) -> Tensor {
    if can_multiply(&[states, weight]) { wide_linear_by(0, states, weight) } else { wide_product(states, &weight.tr()) }
}

/// The same by a kernel of [`kernels`].
fn wide_linear_by(kernel: usize, states: &Tensor, weight: &Tensor) -> Tensor {
    assert!(kernel < kernels().len() && can_multiply(&[states, weight]), "factors that a kernel knows");
    // SAFETY: a kernel that there is, and matrices of bfloat16 that live during the call.
    made(|made| unsafe { ludus_products_wide(kernel as c_int, raw(states), raw(weight), made) })
}

/// What multiplies bfloat16 forward on this processor, the fastest first: `amx`, `avx512bf16`. None where libtorch has to.
pub fn kernels() -> &'static [&'static str] {
    static KERNELS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        // SAFETY: those before the index are there, or iteration has ended.
        let name = |index| unsafe { ludus_products_kernel(index) };
        let names = (0..).map(name).take_while(|name| !name.is_null());
        // SAFETY: texts of the C++ side that are never freed.
        names.map(|name| unsafe { CStr::from_ptr(name) }.to_str().unwrap_or_default()).collect()
    });
    &KERNELS
}

/// Whether these are factors of a product by a kernel of ours.
fn can_multiply(factors: &[&Tensor]) -> bool {
    let fits =
        |factor: &&Tensor| factor.device() == Device::Cpu && factor.kind() == Kind::BFloat16 && factor.dim() == 2;
    !kernels().is_empty() && factors.iter().all(fits) && factors[0].size()[1] == factors[1].size()[1]
}

/// Whether this device multiplies bfloat16 into float32 much faster than float32.
pub fn multiplies_into_float32(device: Device) -> bool {
    match device {
        Device::Cpu => ludus_products_has_wide_gemm(),
        _ => device.is_cuda(),
    }
}

/// `left right` in float32, `[rows, columns]`, of matrices of a narrow kind, `[rows, inner]` and `[inner, columns]`, without
/// autograd.
pub fn wide_product(left: &Tensor, right: &Tensor) -> Tensor {
    assert_factors(left, right);
    // SAFETY: matrices that live during the call and fit together.
    made(|made| unsafe { ludus_products_product(raw(left), raw(right), made) })
}

/// Adds [`wide_product`] to a matrix of float32, in place.
pub fn add_wide_product(sum: &mut Tensor, left: &Tensor, right: &Tensor) {
    assert_factors(left, right);
    assert!(sum.kind() == Kind::Float && sum.size() == [left.size()[0], right.size()[1]], "a sum of wide products");
    // SAFETY: matrices that live during the call and fit together.
    check(unsafe { ludus_products_add(raw(sum), raw(left), raw(right)) });
}

fn assert_factors(left: &Tensor, right: &Tensor) {
    assert!(left.dim() == 2 && right.dim() == 2 && left.size()[1] == right.size()[0], "shapes of a product");
    assert!((left.kind(), left.device()) == (right.kind(), right.device()), "factors of one kind");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projections::{Parameter, linear};

    #[test]
    fn a_product_of_float32_matrices_is_one_of_float32_whoever_computes_it() {
        choose();
        let numbers = |rows: i64, columns: i64| {
            let count = Tensor::arange(rows * columns, (Kind::Double, Device::Cpu));
            (count * 0.7).sin().reshape([rows, columns])
        };
        for rows in [1, 16, 300] {
            let (left, right) = (numbers(rows, 576), numbers(576, 640));
            let product = left.to_kind(Kind::Float).matmul(&right.to_kind(Kind::Float));
            let difference = (product.to_kind(Kind::Double) - left.matmul(&right)).abs().max().double_value(&[]);
            // Factors rounded to bfloat16 would be off by a thousand times as much.
            assert!(difference < 1e-4, "{rows} rows: off by {difference}");
        }
    }

    /// Numbers of bfloat16 without a pattern that matters.
    fn narrow(rows: i64, columns: i64, from: i64) -> Tensor {
        let count = Tensor::arange_start(from, from + rows * columns, (Kind::Double, Device::Cpu));
        (count * 0.7).sin().reshape([rows, columns]).to_kind(Kind::BFloat16)
    }

    /// What makes ratios on policy exactly 1.
    #[test]
    fn a_row_of_a_narrow_product_is_the_same_to_the_last_bit_whatever_rows_are_beside_it() {
        for (kernel, name) in kernels().iter().enumerate() {
            for (inner, outputs) in [(576, 192), (100, 70), (7, 1)] {
                let (states, weight) = (narrow(700, inner, 0), narrow(outputs, inner, 3));
                let together = wide_linear_by(kernel, &states, &weight);
                let double = |tensor: &Tensor| tensor.to_kind(Kind::Double);
                let expected = double(&states).matmul(&double(&weight).tr());
                let off = (double(&together) - &expected).abs().max().double_value(&[]);
                assert!(off < 3e-6 * expected.abs().max().double_value(&[]).max(1.0), "{name}: {off}");
                let weights = Parameter::of(&weight, Kind::BFloat16);
                let rounded = linear(&states, &weights, None);
                assert!(kernel > 0 || together.to_kind(Kind::BFloat16) == rounded);
                for (first, rows) in [(0, 1), (17, 1), (5, 16), (3, 17), (100, 64), (250, 300)] {
                    let some = states.narrow(0, first, rows);
                    let alone = wide_linear_by(kernel, &some, &weight);
                    assert!(alone == together.narrow(0, first, rows), "{name}: {rows} rows from {first}");
                    assert!(kernel > 0 || linear(&some, &weights, None) == rounded.narrow(0, first, rows));
                }
            }
        }
    }

    #[test]
    fn a_product_into_float32_is_that_of_the_same_numbers_in_float32_however_they_lie() {
        let numbers = |rows: i64, columns: i64| {
            let count = Tensor::arange(rows * columns, (Kind::Float, Device::Cpu));
            (count * 0.7).sin().to_kind(Kind::BFloat16).reshape([rows, columns])
        };
        let wide = |tensor: &Tensor| tensor.to_kind(Kind::Double);
        for rows in [1, 16, 130] {
            // As gradients that were written over logits lie: rows with room between them, turned.
            let apart = numbers(96, 2 * rows).narrow(1, 0, rows).tr();
            let lefts = [numbers(rows, 96), numbers(96, rows).tr(), numbers(rows, 192).slice(1, 0, 192, 2), apart];
            let rights = [numbers(96, 64), numbers(64, 96).tr(), numbers(96, 100).narrow(1, 3, 64)];
            for (left, right) in lefts.iter().flat_map(|left| rights.iter().map(move |right| (left, right))) {
                let expected = wide(left).matmul(&wide(right));
                let off = |found: &Tensor, expected: &Tensor| (wide(found) - expected).abs().max().double_value(&[]);
                let product = wide_product(left, right);
                assert_eq!(product.kind(), Kind::Float);
                assert!(off(&product, &expected) < 1e-4, "{rows} rows: {}", off(&product, &expected));
                let mut sum = product.ones_like();
                add_wide_product(&mut sum, left, right);
                assert!(off(&sum, &(expected + 1.0)) < 1e-4);
            }
        }
    }

    /// Of more rows, outputs and numbers than are laid out at one time.
    #[test]
    fn a_sum_of_outer_products_is_that_of_the_same_numbers_by_every_kernel() {
        let double = |tensor: &Tensor| tensor.to_kind(Kind::Double);
        for (kernel, name) in kernels().iter().enumerate() {
            for (rows, outputs, inner) in [(1, 1, 1), (33, 70, 49), (300, 32, 64), (3000, 200, 400)] {
                let (left, right) = (narrow(rows, 2 * outputs, 0).narrow(1, 0, outputs), narrow(rows, inner, 5));
                // SAFETY: a kernel that there is, and matrices of bfloat16 that live during the call.
                let sum = made(|made| unsafe { ludus_products_outer(kernel as c_int, raw(&left), raw(&right), made) });
                let expected = double(&left).tr().matmul(&double(&right));
                let off = (double(&sum) - &expected).abs().max().double_value(&[]);
                // What a sum of so many numbers loses in float32, one after the other.
                let bound = 6e-8 * rows as f64 * expected.abs().max().double_value(&[]).max(1.0);
                assert!(off <= bound, "{name}: {rows} x {outputs} x {inner} is {off} off");
            }
        }
    }
}
