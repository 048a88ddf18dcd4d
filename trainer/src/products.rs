//! Who multiplies float32 matrices on a CPU.
//!
//! libtorch gives these products to MKL, which leaves AVX-512 alone on AMD's processors: there oneDNN, which libtorch carries
//! as well, is up to twice as fast (docs/performance.md). libtorch hands a product over to it where factors may be rounded to
//! bfloat16 on the way. With AMX they would be; without it oneDNN has no such kernel, and computes in float32 throughout. So
//! oneDNN is asked for where there is AVX-512 and no AMX, and every product remains one of float32.

use std::sync::Once;

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

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

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
}
