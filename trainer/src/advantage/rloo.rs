//! RLOO (2402.14740): deviation from the mean of the others in the group, a baseline that the return itself has no part in.
//!
//! ```text
//! A_i = R_i - 1/(n - 1) * sum_{j != i} R_j
//! ```

/// One advantage for each return of a group; zero for one that has no others.
pub fn advantages(returns: &[f64]) -> Vec<f64> {
    if returns.len() < 2 {
        return vec![0.0; returns.len()];
    }
    let sum: f64 = returns.iter().sum();
    let others = (returns.len() - 1) as f64;
    returns.iter().map(|value| value - (sum - value) / others).collect()
}
