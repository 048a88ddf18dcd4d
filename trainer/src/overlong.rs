//! What becomes of replies that met the length limit, and DAPO's soft punishment of those that nearly did (2503.14476).
//!
//! ```text
//! cost = weight * clamp( (tokens - (limit - ramp)) / ramp, 0, 1 )
//! ```
//!
//! A reply costs nothing up to `limit - ramp` tokens, then more with each token, and all of the weight at the limit. It is
//! taken from the return that training compares. The host's own return, in the record, knows nothing of tokens.

use serde::{Deserialize, Serialize};

/// How a reply that met the length limit is trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CutReplies {
    /// As any other.
    Keep,
    /// Not at all: its tokens are left out of the loss.
    Mask,
    /// As any other, but its length costs, and so does that of replies near the limit.
    Penalize,
}

/// The soft punishment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlong {
    /// In points of the return.
    pub weight: f64,
    /// Tokens over which the cost rises, at least one.
    pub ramp: u32,
}

impl Overlong {
    /// What a reply of so many tokens costs under a limit.
    pub fn cost(&self, tokens: usize, limit: u32) -> f64 {
        let over = tokens as f64 - (f64::from(limit) - f64::from(self.ramp));
        self.weight * (over / f64::from(self.ramp)).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_rises_over_the_ramp_and_is_whole_at_the_limit() {
        let overlong = Overlong { weight: 0.5, ramp: 4 };
        let costs = [10, 12, 13, 14, 16].map(|tokens| overlong.cost(tokens, 16));
        assert_eq!(costs, [0.0, 0.0, 0.125, 0.25, 0.5]);
    }
}
