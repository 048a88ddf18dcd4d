//! Who multiplies matrices on a CPU.
//!
//! *float32*: libtorch gives these products to MKL, which leaves AVX-512 alone on AMD's processors: there oneDNN, which libtorch
//! carries as well, is up to twice as fast (docs/performance.md). libtorch hands a product over to it where factors may be
//! rounded to bfloat16 on the way. With AMX they would be; without it oneDNN has no such kernel, and computes in float32
//! throughout. So oneDNN is asked for where there is AVX-512 and no AMX, and every product remains one of float32.
//!
//! *bfloat16 into float32*: a product of bfloat16 matrices that is added up and returned in float32, for logits, which bfloat16
//! would round to eighths. tch has it on GPUs alone. On a CPU with AMX it is MKL's, which libtorch carries and libtorch itself
//! does not use so; there it is several times as fast as a float32 product.

use std::ffi::c_void;
use std::sync::{LazyLock, Once};

use tch::{Device, Kind, Tensor};

use crate::machine;

unsafe extern "C" {
    safe fn ludus_products_by_onednn();
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

/// `cblas_gemm_bf16bf16f32` as oneMKL's reference describes it. Its integers have 32 bits or 64, as MKL was linked; on x86-64 one
/// that is passed as 64 bits is right for both.
type Gemm = unsafe extern "C" fn(
    layout: i64,
    transposes_left: i64,
    transposes_right: i64,
    rows: i64,
    columns: i64,
    inner: i64,
    alpha: f32,
    left: *const c_void,
    left_stride: i64,
    right: *const c_void,
    right_stride: i64,
    beta: f32,
    sum: *mut c_void,
    sum_stride: i64,
);

const ROW_MAJOR: i64 = 101;
const AS_IT_IS: i64 = 111;
const TRANSPOSED: i64 = 112;

/// MKL's product, where it is there and fast.
static GEMM: LazyLock<Option<Gemm>> = LazyLock::new(|| {
    if !cfg!(target_arch = "x86_64") || !machine::has_amx() {
        return None;
    }
    // SAFETY: a name is looked up among the libraries that are loaded.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"cblas_gemm_bf16bf16f32".as_ptr()) };
    // SAFETY: MKL has had this name for one function of this type ever since it has it.
    (!found.is_null()).then(|| unsafe { std::mem::transmute::<*mut c_void, Gemm>(found) })
});

/// Whether this device multiplies bfloat16 into float32 much faster than float32.
pub fn multiplies_into_float32(device: Device) -> bool {
    match device {
        Device::Cpu => GEMM.is_some(),
        _ => device.is_cuda(),
    }
}

/// `left right` in float32, `[rows, columns]`, of matrices of a narrow kind, `[rows, inner]` and `[inner, columns]`.
pub fn wide_product(left: &Tensor, right: &Tensor) -> Tensor {
    if let Some(gemm) = gemm_for(left) {
        let mut product = Tensor::empty([left.size()[0], right.size()[1]], (Kind::Float, Device::Cpu));
        multiply(gemm, &mut product, left, right, 0.0);
        return product;
    }
    // Devices that cannot do it say so.
    let product = left.f_mm_dtype(right, Kind::Float);
    product.unwrap_or_else(|_| left.to_kind(Kind::Float).matmul(&right.to_kind(Kind::Float)))
}

/// Adds [`wide_product`] to a matrix of float32, in place.
pub fn add_wide_product(sum: &mut Tensor, left: &Tensor, right: &Tensor) {
    match gemm_for(left) {
        Some(gemm) if sum.is_contiguous() => multiply(gemm, sum, left, right, 1.0),
        _ => *sum += wide_product(left, right),
    }
}

fn gemm_for(factor: &Tensor) -> Option<Gemm> {
    GEMM.filter(|_| factor.device() == Device::Cpu && factor.kind() == Kind::BFloat16)
}

/// `sum = left right + beta sum`.
fn multiply(gemm: Gemm, sum: &mut Tensor, left: &Tensor, right: &Tensor, beta: f32) {
    let (left, right) = (Factor::of(left), Factor::of(right));
    let ([rows, inner], [columns, also_inner]) = ([left.rows, left.columns], [right.columns, right.rows]);
    assert_eq!((inner, sum.size()), (also_inner, vec![rows, columns]), "shapes of a product");
    assert!(sum.kind() == Kind::Float && sum.is_contiguous(), "a sum of wide products");
    // SAFETY: shapes, strides and kinds are those of the tensors, which outlive the call, as was just looked up.
    unsafe {
        gemm(
            ROW_MAJOR,
            left.transposed,
            right.transposed,
            rows,
            columns,
            inner,
            1.0,
            left.tensor.data_ptr(),
            left.stride,
            right.tensor.data_ptr(),
            right.stride,
            beta,
            sum.data_ptr(),
            columns.max(1),
        );
    }
}

/// A matrix of bfloat16 as MKL reads it: rows that lie behind each other, or columns that do.
struct Factor {
    tensor: Tensor,
    rows: i64,
    columns: i64,
    transposed: i64,
    /// Numbers from one row, or column, to the next.
    stride: i64,
}

impl Factor {
    fn of(tensor: &Tensor) -> Factor {
        assert_eq!(tensor.kind(), Kind::BFloat16, "a factor of a narrow product");
        let (rows, columns) = tensor.size2().expect("a matrix");
        let (of_rows, of_columns) = tensor.stride2().expect("a matrix");
        let lies = |step: i64, stride: i64, length: i64| step == 1 && stride >= length.max(1);
        let factor = |tensor, transposed, stride| Factor { tensor, rows, columns, transposed, stride };
        if lies(of_columns, of_rows, columns) {
            factor(tensor.shallow_clone(), AS_IT_IS, of_rows)
        } else if lies(of_rows, of_columns, rows) {
            factor(tensor.shallow_clone(), TRANSPOSED, of_columns)
        } else {
            factor(tensor.contiguous(), AS_IT_IS, columns.max(1))
        }
    }
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
