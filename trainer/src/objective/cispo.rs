//! CISPO (MiniMax-M1, 2506.13585): the ratio is a weight, bounded and without a gradient of its own, on the gradient of the
//! log-probability. So no token drops out of the update, however far its ratio went.
//!
//! ```text
//! gain = stop_gradient( min(ratio, 1 + high) ) * A * ln pi(token)
//! ```
//!
//! There is no lower bound, as in the paper's own runs.

use tch::Tensor;

/// The surrogate of CISPO.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cispo {
    pub high: f64,
}

impl Cispo {
    /// What each token gains, `[tokens]`.
    pub fn gain(&self, ratio: &Tensor, log_probabilities: &Tensor, advantages: &Tensor) -> Tensor {
        ratio.clamp_max(1.0 + self.high).detach() * advantages * log_probabilities
    }
}
