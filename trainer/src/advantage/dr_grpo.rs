//! Dr. GRPO (2503.20783): deviation from the group's mean, and no division. Dividing by the standard deviation makes groups
//! that are nearly always won, or nearly always lost, weigh the most.
//!
//! ```text
//! A_i = R_i - mean R
//! ```

use super::mean;

/// One advantage for each return of a group.
pub fn advantages(returns: &[f64]) -> Vec<f64> {
    let mean = mean(returns);
    returns.iter().map(|value| value - mean).collect()
}
