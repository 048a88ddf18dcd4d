//! What is counted while a loss is computed.

use serde::{Deserialize, Serialize};

/// Sums over sampled tokens, weighted where the loss is; of one pack or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossSums {
    pub tokens: u64,
    pub weight: f64,
    pub loss: f64,
    /// Weighted entropy, in nats.
    pub entropy: f64,
    pub ratio: f64,
    pub ratio_max: f64,
    /// The largest distance of a ratio from 1.
    pub ratio_off_max: f64,
    /// Tokens whose ratio, or whose sequence's, the lower bound held, and the upper one.
    pub clipped_low: u64,
    pub clipped_high: u64,
    /// The estimate `ratio - 1 - ln ratio` of the KL from the sampling policy.
    pub kl_from_sampling: f64,
}

/// One token, as far as sums need it.
pub struct Measured {
    pub weight: f64,
    pub advantage: f64,
    pub entropy: f64,
    pub ratio: f64,
    /// The ratio that the loss holds between its bounds: the token's own, or its sequence's.
    pub bounded: f64,
}

impl LossSums {
    /// Counts one token of a loss with these bounds.
    pub fn count(&mut self, token: &Measured, (low, high): (f64, f64)) {
        self.tokens += 1;
        self.weight += token.weight;
        self.entropy += token.entropy * token.weight;
        self.ratio += token.ratio;
        self.ratio_max = self.ratio_max.max(token.ratio);
        self.ratio_off_max = self.ratio_off_max.max((token.ratio - 1.0).abs());
        self.kl_from_sampling += token.ratio - 1.0 - token.ratio.ln();
        self.clipped_low += u64::from(token.bounded < low && token.advantage < 0.0);
        self.clipped_high += u64::from(token.bounded > high && token.advantage > 0.0);
    }

    /// Adds the sums of further tokens.
    pub fn add(&mut self, other: &LossSums) {
        self.tokens += other.tokens;
        self.weight += other.weight;
        self.loss += other.loss;
        self.entropy += other.entropy;
        self.ratio += other.ratio;
        self.ratio_max = self.ratio_max.max(other.ratio_max);
        self.ratio_off_max = self.ratio_off_max.max(other.ratio_off_max);
        self.clipped_low += other.clipped_low;
        self.clipped_high += other.clipped_high;
        self.kl_from_sampling += other.kl_from_sampling;
    }

    /// A sum over tokens as the mean of one.
    pub fn per_token(&self, sum: f64) -> f64 {
        if self.tokens == 0 { 0.0 } else { sum / self.tokens as f64 }
    }
}
