//! GSPO (2507.18071): one ratio for a whole sequence, the geometric mean of its tokens', because a sequence is what gets a
//! return. What is clipped is the sequence.
//!
//! ```text
//! s_i   = exp( 1/|o_i| * sum_t ( ln pi(token_t) - ln pi_sampling(token_t) ) )
//! s_it  = stop_gradient(s_i) * pi(token_t) / stop_gradient(pi(token_t))
//! gain  = min( s_it * A, clip(s_it, 1 - low, 1 + high) * A )
//! ```
//!
//! The second line is the paper's GSPO-token. It has the value and the gradient of `s_i` where the tokens of a sequence have
//! one advantage, and a meaning where they have not. It also needs `s_i` as a number only: the tokens of a sequence need not
//! have their logits at the same time, only a first pass without gradients.
//!
//! A mean moves far less than a token: the paper clips at 3e-4 below and 4e-4 above.

use std::collections::BTreeMap;

use tch::Tensor;

/// For each token, the log-ratio of its sequence: the mean of all of that sequence's tokens. `sequences` says which it is.
pub fn log_ratios(of_tokens: &[f64], sequences: &[usize]) -> Vec<f32> {
    let mut sums: BTreeMap<usize, (f64, usize)> = BTreeMap::new();
    for (&log_ratio, &sequence) in of_tokens.iter().zip(sequences) {
        let (sum, count) = sums.entry(sequence).or_default();
        *sum += log_ratio;
        *count += 1;
    }
    let mean = |sequence: &usize| {
        let (sum, count) = sums[sequence];
        (sum / count as f64) as f32
    };
    sequences.iter().map(mean).collect()
}

/// `s_it` of tokens with these log-probabilities, in sequences with these log-ratios, `[tokens]` each.
pub fn ratio(log_probabilities: &Tensor, of_sequences: &Tensor) -> Tensor {
    (of_sequences + (log_probabilities - log_probabilities.detach())).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequences_log_ratio_is_the_mean_of_its_tokens_wherever_they_stand() {
        assert_eq!(log_ratios(&[1.0, 0.5, 3.0, -0.5], &[7, 2, 7, 2]), [2.0, 0.0, 2.0, 0.0]);
    }
}
