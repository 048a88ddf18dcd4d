//! GRPO (DeepSeekMath, 2402.03300): the mean over sequences of each one's mean over tokens. Every sequence weighs the same, so
//! a token of a long one weighs less.
//!
//! ```text
//! loss = 1/N * sum_i 1/|o_i| * sum_t -gain_it
//! ```

use super::loss::Counts;

/// What a term is divided by.
pub fn divisor(counts: Counts) -> f64 {
    (counts.sequences * counts.own.max(1)) as f64
}
