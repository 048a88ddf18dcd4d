//! Log-likelihoods of texts behind a prompt: the sum of their tokens' log-probabilities, in nats.
//!
//! What texts have in common is computed once: the choices of an item share its question, items of a subject their examples
//! ([`Pack`]).

use tch::Tensor;

use super::prompt::Scored;
use crate::distribution::Distribution;
use crate::model::attention::Sight;
use crate::model::llama::{Llama, Weights};
use crate::objective::LOGITS_ROWS;
use crate::pack::{Pack, Sample};

/// The log-likelihood of each text's scored tokens. `tokens_max` go through the network at once; `done` hears of each pass how
/// many of the scored tokens it was.
///
/// Each text keeps what the model has positions for, its last tokens.
pub fn log_likelihoods(
    llama: &Llama,
    weights: &Weights,
    texts: &[Scored],
    tokens_max: usize,
    done: &mut dyn FnMut(usize),
) -> Vec<f64> {
    let room = usize::try_from(llama.config.max_positions).unwrap_or(usize::MAX);
    let longest = texts.iter().map(|text| text.tokens.len()).max().unwrap_or(0);
    let (zeros, sequences) = (vec![0.0; longest], vec![0; longest]);
    let trained: Vec<Vec<bool>> = texts
        .iter()
        .map(|text| {
            let length = text.tokens.len();
            (0..length)
                .map(|at| at + text.scored >= length)
                .collect::<Vec<bool>>()
                .split_off(length.saturating_sub(room))
        })
        .collect();
    let samples: Vec<Sample> = texts
        .iter()
        .zip(&trained)
        .map(|(text, trained)| {
            let length = trained.len();
            Sample {
                tokens: &text.tokens[text.tokens.len() - length..],
                trained,
                log_probabilities: &zeros[..length],
                advantages: &zeros[..length],
                weights: &zeros[..length],
                sequences: &sequences[..length],
            }
        })
        .collect();
    let mut all = Vec::new();
    for pack in Pack::all(&samples, tokens_max) {
        let found = tch::no_grad(|| of_pack(llama, weights, &pack));
        done(found.len());
        all.extend(found);
    }
    let mut all = all.into_iter();
    // The first token of a text has nothing before it.
    let scored = |trained: &Vec<bool>| trained.iter().skip(1).filter(|&&trained| trained).count();
    trained.iter().map(|trained| all.by_ref().take(scored(trained)).sum()).collect()
}

/// The log-probability of each of a pack's targets.
fn of_pack(llama: &Llama, weights: &Weights, pack: &Pack) -> Vec<f64> {
    let (tokens, positions) = pack.inputs(llama.device);
    let hidden = llama.hidden(weights, &tokens, &positions, Sight::Segments(&pack.segments));
    let mut found = vec![0.0; pack.targets.len()];
    for start in (0..pack.predictors.len()).step_by(LOGITS_ROWS as usize) {
        let end = pack.predictors.len().min(start + LOGITS_ROWS as usize);
        let tensor = |values: &[i64]| Tensor::from_slice(values).to_device(llama.device);
        let predicting = hidden.index_select(0, &tensor(&pack.predictors[start..end]));
        let distribution = Distribution::of(llama.logits(weights, &predicting), 1.0);
        let targets: Vec<usize> = (0..pack.rows.len()).filter(|&at| (start..end).contains(&pack.rows[at])).collect();
        let rows: Vec<i64> = targets.iter().map(|&at| (pack.rows[at] - start) as i64).collect();
        let of_rows: Vec<i64> = targets.iter().map(|&at| pack.targets[at]).collect();
        let chosen = distribution.of_tokens(&tensor(&rows), &tensor(&of_rows));
        let mut values = vec![0f32; targets.len()];
        chosen.copy_data(&mut values, targets.len());
        targets.iter().zip(values).for_each(|(&at, value)| found[at] = f64::from(value));
    }
    found
}
