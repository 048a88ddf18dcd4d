//! The clipped surrogate of PPO (1707.06347), which GRPO and its kin share.
//!
//! ```text
//! gain = min( ratio * A, clip(ratio, 1 - low, 1 + high) * A )
//! ```
//!
//! Two widths are DAPO's (2503.14476): a wider upper one lets unlikely tokens grow. The minimum takes no gradient from a ratio
//! that went past a bound the way that its advantage pushes. The other way it leaves the ratio free: a token with a negative
//! advantage that became many times as likely weighs as many times. `max` bounds that too, which INTELLECT-2 calls two-sided
//! clipping (2505.07291): `min(ratio, max)` in place of the first `ratio`.

use tch::Tensor;

/// The clipped surrogate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clip {
    pub low: f64,
    pub high: f64,
    /// Above `1 + high`.
    pub max: Option<f64>,
}

impl Clip {
    /// What each token gains, `[tokens]`.
    pub fn gain(&self, ratio: &Tensor, advantages: &Tensor) -> Tensor {
        let clipped = ratio.clamp(1.0 - self.low, 1.0 + self.high);
        let free = self.max.map_or_else(|| ratio.shallow_clone(), |max| ratio.clamp_max(max));
        (free * advantages).minimum(&(clipped * advantages))
    }
}
