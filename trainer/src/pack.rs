//! Several trajectories in one pass, what they have in common computed once.
//!
//! ```text
//! conversations   p p p a a b b b    p p p a a c c    p p p d d
//! tokens          p p p a a b b b    c c              d d
//! positions       0 1 2 3 4 5 6 7    5 6              3 4
//! segments        0                  1                2
//! sees            -                  5 of segment 0   3 of segment 0
//! ```
//!
//! Each conversation adds one segment: what none before it has. A token sees its own segment up to itself, and the beginnings
//! of others that make its conversation up to there.
//!
//! Members of a group read the same deal, and go on alike until their replies differ; all groups of a task read the same
//! examples. Each trajectory's tokens get the hidden states that they would get alone, and the gradients add up to the same
//! sum. No token is padded.

use std::collections::BTreeSet;

use tch::{Device, Tensor};

/// What of a trajectory the update needs.
#[derive(Clone, Copy)]
pub struct Sample<'a> {
    pub tokens: &'a [i64],
    /// Which tokens are trained on: those that were sampled, less those that are left out.
    pub trained: &'a [bool],
    /// Log-probabilities at sampling, zero where a token was not sampled.
    pub log_probabilities: &'a [f32],
    /// For each token, its advantage and its weight in the loss; they count where it is trained on.
    pub advantages: &'a [f32],
    pub weights: &'a [f32],
    /// For each token, which of the sample's sequences it belongs to: those that have a ratio of their own in GSPO.
    pub sequences: &'a [usize],
}

/// One pass through the network.
#[derive(Default)]
pub struct Pack {
    tokens: Vec<i64>,
    positions: Vec<i64>,
    pub segments: Vec<Segment>,
    /// The places in the pack whose hidden states predict sampled tokens, ascending.
    pub predictors: Vec<i64>,
    /// For each sampled token: which of the predictors predicts it. Samples with the same text up to there share it.
    pub rows: Vec<usize>,
    pub targets: Vec<i64>,
    pub old_log_probabilities: Vec<f32>,
    pub advantages: Vec<f32>,
    pub weights: Vec<f32>,
    /// For each sampled token: which of the pack's sequences it belongs to.
    pub sequences: Vec<usize>,
}

/// The tokens that a conversation adds to a pack, in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What the conversation has before them, in order.
    pub sees: Vec<Beginning>,
    pub length: i64,
}

/// The first tokens of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    pub segment: usize,
    pub length: i64,
}

impl Pack {
    /// Packs samples in order, as many into a pack as fit `tokens_max`; one that is longer makes a pack by itself.
    pub fn all(samples: &[Sample], tokens_max: usize) -> Vec<Pack> {
        let mut packs = Vec::new();
        let (mut start, mut length) = (0, 0);
        for (index, sample) in samples.iter().enumerate() {
            let common = |other: &Sample| common_length(sample.tokens, other.tokens);
            let known = samples[start..index].iter().map(common).max().unwrap_or(0);
            length += sample.tokens.len() - known;
            if length > tokens_max && start < index {
                packs.push(Pack::of(&samples[start..index]));
                (start, length) = (index, sample.tokens.len());
            }
        }
        if start < samples.len() {
            packs.push(Pack::of(&samples[start..]));
        }
        packs
    }

    fn of(samples: &[Sample]) -> Pack {
        let mut pack = Pack::default();
        let places = pack.lay(samples);
        let mut predictors = Vec::new();
        // The sequences of the samples before.
        let mut sequences = 0;
        for (sample, places) in samples.iter().zip(&places) {
            // The first token of a conversation has nothing before it that could predict it.
            for at in (1..sample.tokens.len()).filter(|&at| sample.trained[at]) {
                predictors.push(places[at - 1]);
                pack.targets.push(sample.tokens[at]);
                pack.old_log_probabilities.push(sample.log_probabilities[at]);
                pack.advantages.push(sample.advantages[at]);
                pack.weights.push(sample.weights[at]);
                pack.sequences.push(sequences + sample.sequences[at]);
            }
            sequences += sample.sequences.iter().max().map_or(0, |last| last + 1);
        }
        pack.predictors = predictors.iter().copied().collect::<BTreeSet<i64>>().into_iter().collect();
        pack.rows = predictors.iter().map(|place| pack.predictors.partition_point(|known| known < place)).collect();
        pack
    }

    /// Lays out of each sample what none before it has; returns where the tokens of each lie.
    fn lay(&mut self, samples: &[Sample]) -> Vec<Vec<i64>> {
        let mut places: Vec<Vec<i64>> = Vec::with_capacity(samples.len());
        // The segments that make each sample.
        let mut paths: Vec<Vec<Beginning>> = Vec::with_capacity(samples.len());
        for (index, sample) in samples.iter().enumerate() {
            let common = |earlier: &usize| common_length(sample.tokens, samples[*earlier].tokens);
            let nearest = (0..index).rev().max_by_key(common);
            let known = nearest.as_ref().map_or(0, common);
            let mut own_places = nearest.map_or_else(Vec::new, |earlier| places[earlier][..known].to_vec());
            let mut path = nearest.map_or_else(Vec::new, |earlier| first_tokens(&paths[earlier], known as i64));
            let added = &sample.tokens[known..];
            if !added.is_empty() {
                let (start, length) = (self.tokens.len() as i64, added.len() as i64);
                self.tokens.extend(added);
                self.positions.extend(known as i64..sample.tokens.len() as i64);
                own_places.extend(start..start + length);
                self.segments.push(Segment { sees: path.clone(), length });
                path.push(Beginning { segment: self.segments.len() - 1, length });
            }
            places.push(own_places);
            paths.push(path);
        }
        places
    }

    /// Tokens that go through the network.
    pub fn length(&self) -> usize {
        self.tokens.len()
    }

    /// Tokens and positions, `[time]` each.
    pub fn inputs(&self, device: Device) -> (Tensor, Tensor) {
        let tensor = |values: &[i64]| Tensor::from_slice(values).to_device(device);
        (tensor(&self.tokens), tensor(&self.positions))
    }
}

/// The part of a path that makes so many tokens.
fn first_tokens(path: &[Beginning], tokens: i64) -> Vec<Beginning> {
    let mut left = tokens;
    let mut first = Vec::new();
    for part in path {
        let length = part.length.min(left);
        left -= length;
        if length > 0 {
            first.push(Beginning { length, ..*part });
        }
    }
    first
}

fn common_length(one: &[i64], other: &[i64]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample<'a>(tokens: &'a [i64], trained: &'a [bool], log_probabilities: &'a [f32]) -> Sample<'a> {
        let (advantages, weights) = (&[0.0, 0.0, 0.0, 1.0, -1.0], &[0.0, 0.0, 0.0, 0.5, 0.25]);
        Sample { tokens, trained, log_probabilities, advantages, weights, sequences: &[0, 0, 0, 0, 1] }
    }

    fn segment(sees: &[(usize, i64)], length: i64) -> Segment {
        let beginning = |&(segment, length): &(usize, i64)| Beginning { segment, length };
        Segment { sees: sees.iter().map(beginning).collect(), length }
    }

    #[test]
    fn what_samples_have_in_common_is_packed_once_and_every_sampled_token_has_its_predecessor() {
        let (no, yes) = (false, true);
        let sampled = [no, no, no, yes, yes];
        let packs = Pack::all(
            &[
                sample(&[7, 8, 9, 1, 2], &sampled, &[0.0, 0.0, 0.0, -1.0, -2.0]),
                sample(&[7, 8, 9, 3], &sampled[..4], &[0.0, 0.0, 0.0, -3.0]),
                sample(&[7, 8, 9, 1, 4], &sampled, &[0.0, 0.0, 0.0, -1.0, -4.0]),
            ],
            100,
        );
        assert_eq!(packs.len(), 1);
        let pack = &packs[0];
        assert_eq!(pack.tokens, [7, 8, 9, 1, 2, 3, 4]);
        assert_eq!(pack.positions, [0, 1, 2, 3, 4, 3, 4]);
        assert_eq!(pack.segments, [segment(&[], 5), segment(&[(0, 3)], 1), segment(&[(0, 4)], 1)]);
        assert_eq!(pack.predictors, [2, 3]);
        assert_eq!(pack.rows, [0, 1, 0, 0, 1]);
        assert_eq!(pack.targets, [1, 2, 3, 1, 4]);
        assert_eq!(pack.old_log_probabilities, [-1.0, -2.0, -3.0, -1.0, -4.0]);
        assert_eq!(pack.advantages, [1.0, -1.0, 1.0, 1.0, -1.0]);
        assert_eq!(pack.weights, [0.5, 0.25, 0.5, 0.5, 0.25]);
        // Two sequences a sample.
        assert_eq!(pack.sequences, [0, 1, 2, 4, 5]);
    }

    #[test]
    fn samples_without_anything_in_common_lie_beside_each_other() {
        let (sampled, numbers) = ([false, true], [0.0, -1.0]);
        let packs = Pack::all(&[sample(&[1, 2], &sampled, &numbers), sample(&[3, 2], &sampled, &numbers)], 4);
        assert_eq!(packs.len(), 1);
        assert_eq!(packs[0].segments, [segment(&[], 2), segment(&[], 2)]);
        assert_eq!(packs[0].predictors, [0, 2]);
    }

    #[test]
    fn a_conversation_that_leaves_another_in_its_own_segment_sees_the_beginnings_of_both() {
        let (sampled, numbers) = ([false; 5], [0.0; 5]);
        let tokens: [&[i64]; 4] = [&[1, 2, 3], &[1, 2, 4, 5, 6], &[1, 2, 4, 7], &[1, 2, 4, 5]];
        let samples = tokens.map(|tokens| sample(tokens, &sampled[..tokens.len()], &numbers[..tokens.len()]));
        let packs = Pack::all(&samples, 100);
        assert_eq!(packs[0].tokens, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(packs[0].positions, [0, 1, 2, 2, 3, 4, 3]);
        let sees_both = segment(&[(0, 2), (1, 1)], 1);
        assert_eq!(packs[0].segments, [segment(&[], 3), segment(&[(0, 2)], 3), sees_both]);
    }

    #[test]
    fn a_sample_that_is_the_beginning_of_another_adds_no_tokens() {
        let (sampled, numbers) = ([false, true, true], [0.0, -1.0, -2.0]);
        let packs =
            Pack::all(&[sample(&[1, 2], &sampled[..2], &numbers[..2]), sample(&[1, 2, 3], &sampled, &numbers)], 3);
        assert_eq!(packs.len(), 1);
        assert_eq!(packs[0].segments, [segment(&[], 2), segment(&[(0, 2)], 1)]);
        assert_eq!(packs[0].targets, [2, 2, 3]);
    }

    #[test]
    fn samples_that_do_not_fit_together_go_into_packs_of_their_own() {
        let (sampled, numbers) = ([false, false, false, true], [0.0, 0.0, 0.0, -1.0]);
        let tokens = [[7, 8, 9, 1], [7, 8, 9, 2], [7, 8, 9, 3]];
        let samples: Vec<Sample> = tokens.iter().map(|tokens| sample(tokens, &sampled, &numbers)).collect();
        let lengths: Vec<usize> = Pack::all(&samples, 5).iter().map(Pack::length).collect();
        assert_eq!(lengths, [5, 4]);
        let lengths: Vec<usize> = Pack::all(&samples, 3).iter().map(Pack::length).collect();
        assert_eq!(lengths, [4, 4, 4]);
    }
}
