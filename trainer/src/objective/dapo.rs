//! DAPO (2503.14476): the mean over the tokens of the whole update. Every token of a step weighs the same, whichever minibatch
//! it falls into; with one minibatch this is `bnpo`.
//!
//! ```text
//! loss = minibatches / (tokens of the update) * sum_it -gain_it
//! ```

use super::loss::Counts;

/// What a term is divided by.
pub fn divisor(counts: Counts) -> f64 {
    counts.update as f64 / counts.minibatches as f64
}
