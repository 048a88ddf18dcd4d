//! The mean over the tokens of a batch: every token of an optimizer step weighs the same. The name is TRL's, after a paper
//! (2506.02864) whose own advantage is not meant. TRL divides by the tokens of what goes through the network at once; here packs
//! have no say in the loss, and the batch is the minibatch.
//!
//! ```text
//! loss = 1 / (tokens of the minibatch) * sum_it -gain_it
//! ```

use super::loss::Counts;

/// What a term is divided by.
pub fn divisor(counts: Counts) -> f64 {
    counts.minibatch as f64
}
