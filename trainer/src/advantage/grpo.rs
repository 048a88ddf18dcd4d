//! GRPO (DeepSeekMath, 2402.03300): deviation from the group's mean, over the group's standard deviation.
//!
//! ```text
//! A_i = (R_i - mean R) / (std R + epsilon)
//! ```

use super::{mean, spread};

/// Keeps the division finite in a group of nearly equal returns.
const SPREAD_EPSILON: f64 = 1e-6;

/// One advantage for each return of a group.
pub fn advantages(returns: &[f64]) -> Vec<f64> {
    let (mean, scale) = (mean(returns), spread(returns) + SPREAD_EPSILON);
    returns.iter().map(|value| (value - mean) / scale).collect()
}
