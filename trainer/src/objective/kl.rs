//! The distance from the policy that training began with.
//!
//! ```text
//! k3 = ratio - 1 - ln ratio          ratio = pi_start(token) / pi(token)
//! ```
//!
//! An estimate of the KL divergence of `pi` from `pi_start` that is never negative (Schulman, "Approximating KL divergence",
//! 2020), as a term of the loss in GRPO (2402.03300). StarPO\* and DAPO leave it out.

use tch::Tensor;

use crate::model::llama::Weights;

/// The KL term of a loss.
#[derive(Clone, Copy)]
pub struct Kl<'a> {
    pub weight: f64,
    /// The parameters with which training began.
    pub start: &'a Weights,
}

/// The estimate for each token, `[tokens]`, from its log-probabilities now and under the first parameters.
pub fn k3(log_probabilities: &Tensor, start: &Tensor) -> Tensor {
    let log_ratio = start - log_probabilities;
    log_ratio.exp() - 1.0 - log_ratio
}
