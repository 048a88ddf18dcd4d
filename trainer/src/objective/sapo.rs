//! SAPO (2511.20347): a soft gate in place of the clip. The gradient of a token fades as its ratio leaves 1, faster where its
//! advantage is negative, and never stops at once.
//!
//! ```text
//! gain = 4 / tau * sigmoid( tau * (ratio - 1) ) * A          tau = positive where A > 0, else negative
//! ```
//!
//! At ratio 1 the gradient is that of `ratio * A`.

use tch::Tensor;

/// The surrogate of SAPO, by its temperatures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sapo {
    pub positive: f64,
    pub negative: f64,
}

impl Sapo {
    /// What each token gains, `[tokens]`.
    pub fn gain(&self, ratio: &Tensor, advantages: &Tensor) -> Tensor {
        let is_positive = advantages.gt(0.0).to_kind(advantages.kind());
        let temperature = is_positive * (self.positive - self.negative) + self.negative;
        let gate = (&temperature * (ratio - 1.0)).sigmoid() * 4.0 / temperature;
        gate * advantages
    }
}
