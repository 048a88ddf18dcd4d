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
//! or AVX-512's bfloat16: there a row comes out the same to the last bit whatever rows are beside it. What goes backward is
//! libtorch's.
//!
//! *bfloat16 into float32*: a product of bfloat16 matrices that is added up and returned in float32, for logits, which bfloat16
//! would round to eighths. tch has it on GPUs alone. On a CPU with AMX those of gradients are MKL's, which libtorch carries and
//! libtorch itself does not use so; there it is several times as fast as a float32 product.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;
use std::sync::{LazyLock, Once};

use tch::{Device, Kind, Tensor};

use crate::aten::{RawTensor, check, made, raw};
use crate::machine;

unsafe extern "C" {
    safe fn ludus_products_by_onednn();
    safe fn ludus_products_has_wide_gemm() -> bool;
    /// Of kernels that there are, or the one behind them.
    fn ludus_products_kernel(index: c_int) -> *const c_char;
    fn ludus_products_linear(
        states: RawTensor,
        master: RawTensor,
        weight: RawTensor,
        bias_master: RawTensor,
        bias: RawTensor,
        made: *mut RawTensor,
    ) -> *mut c_char;
    fn ludus_products_wide(kernel: c_int, states: RawTensor, weight: RawTensor, made: *mut RawTensor) -> *mut c_char;
    fn ludus_products_product(left: RawTensor, right: RawTensor, made: *mut RawTensor) -> *mut c_char;
    fn ludus_products_add(sum: RawTensor, left: RawTensor, right: RawTensor) -> *mut c_char;
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

/// A parameter in the kind of computation, and where its gradient goes.
pub struct Parameter {
    /// As it was when this was made or refreshed, or the master itself where the kind is the same.
    pub numbers: Tensor,
    /// In float32; none where nothing is learned.
    pub master: Option<Tensor>,
}

impl Parameter {
    /// A master in a kind of computation. It learns if the master does.
    pub fn of(master: &Tensor, kind: Kind) -> Parameter {
        let learned = master.requires_grad().then(|| master.shallow_clone());
        let numbers = if kind == master.kind() { master.shallow_clone() } else { master.detach().to_kind(kind) };
        Parameter { numbers, master: learned }
    }

    /// Takes the master's numbers over, in the memory that is there.
    pub fn refresh(&mut self) {
        if let Some(master) = self.master.as_ref().filter(|master| master.kind() != self.numbers.kind()) {
            self.numbers.copy_(&master.detach());
        }
    }
}

/// Up to so many rows a product of libtorch's is turned round.
const FEW_ROWS: i64 = 64;

/// `states weight^T + bias`, `[rows, in]` to `[rows, out]`.
pub fn linear(states: &Tensor, weight: &Parameter, bias: Option<&Parameter>) -> Tensor {
    let numbers = &weight.numbers;
    let fits =
        |tensor: &Tensor| tensor.dim() == 2 && (tensor.kind(), tensor.device()) == (states.kind(), states.device());
    assert!(fits(states) && fits(numbers) && states.size()[1] == numbers.size()[1], "factors of a product");
    let bias_numbers = bias.map(|bias| &bias.numbers);
    assert!(
        bias_numbers.is_none_or(|bias| bias.kind() == states.kind() && bias.size() == [numbers.size()[0]]),
        "a bias"
    );
    if states.kind() != Kind::Float {
        let raw = |tensor: Option<&Tensor>| tensor.map_or(ptr::null_mut(), raw);
        let (master, bias_master) = (weight.master.as_ref(), bias.and_then(|bias| bias.master.as_ref()));
        // SAFETY: tensors that live during the call, whose shapes and kinds fit together.
        return made(|made| unsafe {
            let bias_master = raw(bias_master.or(bias_numbers));
            ludus_products_linear(
                raw(Some(states)),
                raw(master),
                raw(Some(numbers)),
                bias_master,
                raw(bias_numbers),
                made,
            )
        });
    }
    // Of a few rows, as when tokens are drawn, most of the time would go into laying the weight out anew: libtorch's products on a
    // CPU do that with their second factor, so the weight is the first one here.
    let turned = states.size()[0] <= FEW_ROWS && states.device() == Device::Cpu;
    match bias_numbers {
        _ if !turned => states.linear(numbers, bias_numbers),
        None => numbers.matmul(&states.tr()).tr(),
        Some(bias) => numbers.matmul(&states.tr()).tr() + bias,
    }
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

    #[test]
    fn a_narrow_product_is_that_of_its_numbers_and_so_are_its_gradients() {
        let wide = |tensor: &Tensor| tensor.detach().to_kind(Kind::Double);
        for (rows, inner, outputs) in [(1, 7, 1), (5, 64, 70), (33, 40, 49), (600, 96, 192)] {
            for has_bias in [false, true] {
                let learned = |tensor: Tensor| tensor.set_requires_grad(true);
                let master = |tensor: Tensor| learned(tensor.to_kind(Kind::Float));
                let (states, weight) = (learned(narrow(rows, inner, 0)), master(narrow(outputs, inner, 3)));
                let bias = has_bias.then(|| master(narrow(1, outputs, 8).view([-1])));
                let parameter = |master: &Tensor| Parameter::of(master, Kind::BFloat16);
                let product = linear(&states, &parameter(&weight), bias.as_ref().map(parameter).as_ref());
                let of_bias = bias.as_ref().map_or(Tensor::zeros([1], (Kind::Double, Device::Cpu)), wide);
                let expected = wide(&states).matmul(&wide(&weight).tr()) + of_bias;
                let off = |found: &Tensor, expected: &Tensor| {
                    let scale = expected.abs().max().double_value(&[]).max(1.0);
                    (wide(found) - expected).abs().max().double_value(&[]) / scale
                };
                assert!(off(&product, &expected) < 0.005, "{rows} x {inner} x {outputs}");
                let direction = narrow(rows, outputs, 5);
                (product * &direction).sum(Kind::Float).backward();
                let direction = wide(&direction);
                assert!(off(&states.grad(), &direction.matmul(&wide(&weight))) < 0.01);
                assert!(off(&weight.grad(), &direction.tr().matmul(&wide(&states))) < 0.01);
                assert_eq!(weight.grad().kind(), Kind::Float);
                let summed = direction.sum_dim_intlist([0i64].as_slice(), false, Kind::Double);
                assert!(bias.is_none_or(|bias| off(&bias.grad(), &summed) < 0.01));
            }
        }
    }

    #[test]
    fn a_parameter_that_is_refreshed_has_its_masters_numbers() {
        let mut master = narrow(3, 5, 0).to_kind(Kind::Float).set_requires_grad(true);
        let mut parameter = Parameter::of(&master, Kind::BFloat16);
        tch::no_grad(|| master += 1.0);
        assert!(parameter.numbers != master.to_kind(Kind::BFloat16));
        parameter.refresh();
        assert!(parameter.numbers == master.to_kind(Kind::BFloat16));
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
            let lefts = [numbers(rows, 96), numbers(96, rows).tr(), numbers(rows, 192).slice(1, 0, 192, 2)];
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
}
