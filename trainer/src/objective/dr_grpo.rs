//! Dr. GRPO (2503.20783): the sum over tokens by a constant. A token weighs the same in every step, however many others there
//! are; neither long sequences nor short ones are favoured.
//!
//! ```text
//! loss = 1 / (N * L) * sum_it -gain_it            L = the most tokens that a trajectory can have
//! ```

use super::loss::Counts;

/// What a term is divided by.
pub fn divisor(counts: Counts) -> f64 {
    counts.trajectories as f64 * counts.tokens_max as f64
}
