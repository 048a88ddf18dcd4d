//! Several trajectories in one pass, their common beginning computed once.
//!
//! ```text
//! tokens     p p p p  a a a a  b b b        p: what all of them share
//! positions  0 1 2 3  4 5 6 7  4 5 6
//! segments   4        4        3            a token sees its own segment and the first, up to itself
//! ```
//!
//! Each trajectory's tokens get the hidden states that they would get alone, and the gradients add up to the same sum. Nothing
//! is padded.

use tch::{Device, Tensor};

/// What of a trajectory the update needs.
#[derive(Clone, Copy)]
pub struct Sample<'a> {
    pub tokens: &'a [i64],
    pub sampled: &'a [bool],
    /// Log-probabilities at sampling, zero where a token was not sampled.
    pub log_probabilities: &'a [f32],
    /// For each token, its advantage and its weight in the loss; they count where it was sampled. All weights of an update
    /// sum to one.
    pub advantages: &'a [f32],
    pub weights: &'a [f32],
}

/// One pass through the network.
#[derive(Default)]
pub struct Pack {
    tokens: Vec<i64>,
    positions: Vec<i64>,
    /// The lengths of the shared part and of each sample's own.
    pub segments: Vec<i64>,
    /// For each sampled token: the place in the pack whose hidden state predicts it.
    pub predictors: Vec<i64>,
    pub targets: Vec<i64>,
    pub old_log_probabilities: Vec<f32>,
    pub advantages: Vec<f32>,
    pub weights: Vec<f32>,
}

impl Pack {
    /// Packs samples in order, as many into a pack as fit `tokens_max`; one that is longer makes a pack by itself.
    pub fn all(samples: &[Sample], tokens_max: usize) -> Vec<Pack> {
        let mut packs = Vec::new();
        let mut start = 0;
        while start < samples.len() {
            let mut end = start + 1;
            while end < samples.len() && packed_length(&samples[start..=end]) <= tokens_max {
                end += 1;
            }
            packs.push(Pack::of(&samples[start..end]));
            start = end;
        }
        packs
    }

    fn of(samples: &[Sample]) -> Pack {
        let shared = shared_length(samples);
        let mut pack = Pack::default();
        if let Some(first) = samples.first() {
            pack.append(&first.tokens[..shared], 0);
        }
        for sample in samples {
            let start = pack.tokens.len();
            pack.append(&sample.tokens[shared..], shared);
            for at in shared..sample.tokens.len() {
                if !sample.sampled[at] {
                    continue;
                }
                // The first token behind the shared part is predicted by the shared part's last one.
                let predictor = if at == shared { shared - 1 } else { start + at - shared - 1 };
                pack.predictors.push(predictor as i64);
                pack.targets.push(sample.tokens[at]);
                pack.old_log_probabilities.push(sample.log_probabilities[at]);
                pack.advantages.push(sample.advantages[at]);
                pack.weights.push(sample.weights[at]);
            }
        }
        pack
    }

    fn append(&mut self, tokens: &[i64], position: usize) {
        self.tokens.extend(tokens);
        self.positions.extend((0..tokens.len()).map(|offset| (position + offset) as i64));
        self.segments.push(tokens.len() as i64);
    }

    /// Tokens that go through the network.
    pub fn length(&self) -> usize {
        self.tokens.len()
    }

    /// Tokens and positions, `[1, time]` each.
    pub fn inputs(&self, device: Device) -> (Tensor, Tensor) {
        let row = |values: &[i64]| Tensor::from_slice(values).to_device(device).unsqueeze(0);
        (row(&self.tokens), row(&self.positions))
    }
}

/// How many tokens all samples share before the first sampled one.
fn shared_length(samples: &[Sample]) -> usize {
    let Some(first) = samples.first() else { return 0 };
    let limit = samples
        .iter()
        .map(|sample| sample.sampled.iter().position(|&s| s).unwrap_or(sample.tokens.len()))
        .min()
        .unwrap_or(0);
    (0..limit).take_while(|&at| samples.iter().all(|sample| sample.tokens[at] == first.tokens[at])).count()
}

fn packed_length(samples: &[Sample]) -> usize {
    let shared = shared_length(samples);
    shared + samples.iter().map(|sample| sample.tokens.len() - shared).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample<'a>(tokens: &'a [i64], sampled: &'a [bool], log_probabilities: &'a [f32]) -> Sample<'a> {
        let (advantages, weights) = (&[0.0, 0.0, 0.0, 1.0, -1.0], &[0.0, 0.0, 0.0, 0.5, 0.25]);
        Sample { tokens, sampled, log_probabilities, advantages, weights }
    }

    #[test]
    fn a_shared_beginning_is_packed_once_and_every_sampled_token_has_its_predecessor() {
        let (no, yes) = (false, true);
        let sampled = [no, no, no, yes, yes];
        let packs = Pack::all(
            &[
                sample(&[7, 8, 9, 1, 2], &sampled, &[0.0, 0.0, 0.0, -1.0, -2.0]),
                sample(&[7, 8, 9, 3], &sampled[..4], &[0.0, 0.0, 0.0, -3.0]),
            ],
            100,
        );
        assert_eq!(packs.len(), 1);
        let pack = &packs[0];
        assert_eq!(pack.tokens, [7, 8, 9, 1, 2, 3]);
        assert_eq!(pack.positions, [0, 1, 2, 3, 4, 3]);
        assert_eq!(pack.segments, [3, 2, 1]);
        assert_eq!(pack.predictors, [2, 3, 2]);
        assert_eq!(pack.targets, [1, 2, 3]);
        assert_eq!(pack.old_log_probabilities, [-1.0, -2.0, -3.0]);
        assert_eq!(pack.advantages, [1.0, -1.0, 1.0]);
        assert_eq!(pack.weights, [0.5, 0.25, 0.5]);
    }

    #[test]
    fn samples_that_do_not_fit_together_go_into_packs_of_their_own() {
        let tokens = [7, 8, 9, 1];
        let sampled = [false, false, false, true];
        let numbers = [0.0, 0.0, 0.0, -1.0];
        let samples = [0, 1, 2].map(|_| sample(&tokens, &sampled, &numbers));
        let lengths: Vec<usize> = Pack::all(&samples, 5).iter().map(Pack::length).collect();
        assert_eq!(lengths, [5, 4]);
    }
}
