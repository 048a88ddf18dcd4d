//! Every loss against TRL's: what it answered is in a fixture, which tests/scripts/trl_losses.py makes.

use serde::Deserialize;
use tch::{Kind, Tensor};

use super::super::gspo;
use super::super::loss::Loss;
use super::super::token_weights::Lengths;
use super::{Objective, Policy, Sampled, Surrogate, values, with};
use crate::credit::Credit;
use crate::recipe::AlgorithmRecipe;

const FIXTURE: &str = include_str!("../../../../tests/fixtures/trl_losses.json");
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Fixture {
    tokens_max: u64,
    numbers: Numbers,
    cases: Vec<Case>,
}

/// A row for each sequence.
#[derive(Deserialize)]
struct Numbers {
    mask: Vec<Vec<u8>>,
    now: Vec<Vec<f32>>,
    old: Vec<Vec<f32>>,
    start: Vec<Vec<f32>>,
    advantages: Vec<f32>,
}

#[derive(Deserialize, Debug)]
struct Case {
    loss: Loss,
    low: f64,
    high: f64,
    max: Option<f64>,
    positive: f64,
    negative: f64,
    kl_weight: f64,
    minibatches: usize,
    losses: Vec<f64>,
    gradient: Vec<Vec<f64>>,
}

impl Case {
    fn objective(&self) -> Objective<'static> {
        let recipe = AlgorithmRecipe {
            clip_low: self.low,
            clip_high: self.high,
            clip_max: self.max.unwrap_or(0.0),
            sapo_temperature_positive: self.positive,
            sapo_temperature_negative: self.negative,
            ..AlgorithmRecipe::default()
        };
        with(self.loss.surrogate(&recipe))
    }
}

impl Numbers {
    /// The places of the tokens of some sequences that are trained on.
    fn places(&self, sequences: std::ops::Range<usize>) -> Vec<(usize, usize)> {
        let trained = |sequence: usize| (0..self.mask[sequence].len()).filter(move |&at| self.mask[sequence][at] == 1);
        sequences.flat_map(|sequence| trained(sequence).map(move |at| (sequence, at))).collect()
    }
}

/// The loss of some tokens, and its gradient with respect to their log-probabilities.
fn computed(case: &Case, numbers: &Numbers, places: &[(usize, usize)], weights: &[f32]) -> (f64, Vec<f64>) {
    let of = |rows: &[Vec<f32>]| {
        Tensor::from_slice(&places.iter().map(|&(sequence, at)| rows[sequence][at]).collect::<Vec<f32>>())
    };
    let objective = case.objective();
    let log_ratios: Vec<f64> = places
        .iter()
        .map(|&(sequence, at)| f64::from(numbers.now[sequence][at]) - f64::from(numbers.old[sequence][at]))
        .collect();
    let sequences: Vec<usize> = places.iter().map(|&(sequence, _)| sequence).collect();
    let advantages: Vec<f32> = sequences.iter().map(|&sequence| numbers.advantages[sequence]).collect();
    let of_sequences = matches!(objective.surrogate, Surrogate::Gspo(_));
    let sampled = Sampled {
        rows: Tensor::from_slice(&[0i64; 0]),
        targets: Tensor::from_slice(&[0i64; 0]),
        old: of(&numbers.old),
        advantages: Tensor::from_slice(&advantages),
        weights: Tensor::from_slice(weights),
        start: (case.kl_weight > 0.0).then(|| (case.kl_weight, of(&numbers.start))),
        sequences: of_sequences.then(|| Tensor::from_slice(&gspo::log_ratios(&log_ratios, &sequences))),
    };
    let now = of(&numbers.now).set_requires_grad(true);
    let Policy { loss, .. } = objective.policy(&now, &sampled);
    let loss = (loss * &sampled.weights).sum(Kind::Float);
    loss.backward();
    (loss.double_value(&[]), values(&now.grad()))
}

#[test]
fn losses_and_gradients_are_those_of_trl() {
    let Fixture { tokens_max, numbers, cases } = serde_json::from_str(FIXTURE).unwrap();
    let every = [Loss::Grpo, Loss::Bnpo, Loss::Dapo, Loss::DrGrpo, Loss::Cispo, Loss::Sapo, Loss::Gspo];
    assert!(every.iter().all(|loss| cases.iter().any(|case| case.loss == *loss)), "a loss has no case");
    let count = numbers.mask.len();
    let tokens: Vec<Vec<usize>> = (0..count).map(|row| vec![numbers.places(row..row + 1).len()]).collect();
    for case in &cases {
        let lengths = Lengths { tokens: &tokens, minibatches: case.minibatches, tokens_max };
        let size = count / case.minibatches;
        let mut gradient = vec![vec![0.0; numbers.mask[0].len()]; count];
        for (minibatch, expected) in case.losses.iter().enumerate() {
            let row = minibatch * size..(minibatch + 1) * size;
            let places = numbers.places(row.clone());
            let weights = lengths.weights(case.loss, Credit::Task, row.clone());
            let weights: Vec<f32> = places.iter().map(|(place, _)| weights[place - row.start][0] as f32).collect();
            let (loss, found) = computed(case, &numbers, &places, &weights);
            assert!((loss - expected).abs() < TOLERANCE, "minibatch {minibatch}: the loss is {loss}: {case:?}");
            for ((sequence, at), found) in places.into_iter().zip(found) {
                gradient[sequence][at] = found;
            }
        }
        for (found, expected) in gradient.iter().flatten().zip(case.gradient.iter().flatten()) {
            assert!((found - expected).abs() < TOLERANCE, "{found} is not {expected}: {gradient:?} {case:?}");
        }
    }
}
