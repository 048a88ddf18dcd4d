//! The gradients that parameters hold while a batch is walked through: begun, clipped by their global norm, and forgotten.

use std::ffi::c_char;

use tch::{Kind, Tensor};

use crate::aten::{RawTensor, check, raw};

unsafe extern "C" {
    fn ludus_gradients_begin(parameter: RawTensor) -> *mut c_char;
}

/// Gives a parameter a gradient of zeros, unless it has one.
pub fn begin(parameter: &Tensor) {
    // SAFETY: a tensor that lives during the call.
    check(unsafe { ludus_gradients_begin(raw(parameter)) });
}

/// A gradient is gone through in blocks: what is in between stays in the processor's cache, and takes no memory of a whole
/// embedding's size. A GPU is given larger ones, for each is a handful of launches.
struct Blocks {
    numbers: i64,
}

impl Blocks {
    fn of(parameter: &Tensor) -> Blocks {
        Blocks { numbers: if parameter.device().is_cuda() { 1 << 26 } else { 1 << 18 } }
    }

    /// Views of a contiguous tensor.
    fn split(&self, tensor: &Tensor) -> Vec<Tensor> {
        let (all, count) = (tensor.view([-1]), tensor.numel() as i64);
        let firsts = (0..count).step_by(self.numbers as usize);
        firsts.map(|first| all.narrow(0, first, self.numbers.min(count - first))).collect()
    }
}

/// Scales the gradients so that their global norm is at most `norm_max`, and returns the norm before.
///
/// Returns a value that is not finite where a gradient is not; the gradients are then left alone.
pub fn clip(parameters: &[(String, Tensor)], norm_max: f64) -> f64 {
    tch::no_grad(|| {
        let gradients: Vec<Tensor> =
            parameters.iter().map(|(_, tensor)| tensor.grad()).filter(Tensor::defined).collect();
        let blocks = gradients.iter().flat_map(|gradient| Blocks::of(gradient).split(&gradient.contiguous()));
        let squares: f64 = blocks.map(|block| block.square().sum(Kind::Double).double_value(&[])).sum();
        let norm = squares.sqrt();
        if norm.is_finite() && norm > norm_max {
            for mut gradient in gradients {
                gradient *= norm_max / norm;
            }
        }
        norm
    })
}

/// Forgets the gradients of the last update.
pub fn clear(parameters: &mut [(String, Tensor)]) {
    for (_, parameter) in parameters {
        let mut gradient = parameter.grad();
        // Not `zero_grad`, which refuses one that is a part of a bucket of several.
        if gradient.defined() {
            let _ = gradient.zero_();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gradient_that_was_begun_is_zero_and_one_that_is_there_stays() {
        let parameter = Tensor::from_slice(&[1.0f32, 2.0]).set_requires_grad(true);
        begin(&parameter);
        assert!(parameter.grad() == parameter.zeros_like());
        (&parameter * 3.0).sum(Kind::Float).backward();
        begin(&parameter);
        assert!(parameter.grad() == Tensor::from_slice(&[3.0f32, 3.0]));
    }

    #[test]
    fn clipping_scales_to_the_bound_and_reports_the_norm_before() {
        let parameters = vec![("p".to_string(), Tensor::from_slice(&[0.0f32, 0.0]).set_requires_grad(true))];
        (&parameters[0].1 * Tensor::from_slice(&[3.0f32, 4.0])).sum(Kind::Float).backward();
        assert!((clip(&parameters, 1.0) - 5.0).abs() < 1e-6);
        assert!((parameters[0].1.grad().double_value(&[1]) - 0.8).abs() < 1e-6);
    }
}
