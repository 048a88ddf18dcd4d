//! The loss of an update, computed over the sampled tokens of a pack.
//!
//! ```text
//! ratio_t = pi(token_t) / pi_sampling(token_t)
//! loss    = sum_t w_t * ( -gain(ratio_t, A_t) + kl_weight * k3_t - bonus * H_t )
//! ```
//!
//! `A_t` is the token's advantage and `H_t` the entropy of the distribution that it was drawn from. What a token gains and how
//! much it weighs is the loss's own choice ([`loss`]); each has a file with its formula and where it is from. The weights `w_t`
//! follow from a whole update, so packs of any size add up to the same gradient.
//!
//! Logits are made a chunk at a time: a chunk's gradient goes back to the hidden states and the head at once ([`crate::distribution`]),
//! its logits are dropped, and the network is walked back once at the end. What a chunk has to know of the others, as GSPO the ratio of a whole
//! sequence, comes from a pass over the same hidden states before, without gradients.

mod bnpo;
pub mod cispo;
pub mod clip;
mod dapo;
mod dr_grpo;
mod grpo;
mod gspo;
pub mod kl;
pub mod loss;
pub mod sapo;
mod sums;
pub mod token_weights;

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use crate::distribution::Distribution;
use crate::model::attention::Sight;
use crate::model::llama::{Llama, Weights};
use crate::model::recompute::Recomputed;
use crate::pack::Pack;

use self::clip::Clip;
use self::kl::{Kl, k3};
use self::loss::Surrogate;
pub use self::sums::LossSums;
use self::sums::Measured;

/// The settings of the loss.
#[derive(Clone, Copy)]
pub struct Objective<'a> {
    pub surrogate: Surrogate,
    pub kl: Option<Kl<'a>>,
    pub entropy_bonus: f64,
    /// The temperature at which the tokens were sampled.
    pub temperature: f64,
    /// Whether activations are made again on the way back instead of kept.
    pub recompute: bool,
}

/// Rows of logits that exist at one time. In float32 and with a vocabulary of 50,000 they stay below the size from which the C
/// library hands memory back to the system at once.
pub const LOGITS_ROWS: i64 = 128;

impl Objective<'static> {
    /// The clipped surrogate and nothing else, of tokens that were sampled at temperature 1.
    pub const fn clipped(low: f64, high: f64) -> Objective<'static> {
        let surrogate = Surrogate::Clip(Clip { low, high, max: None });
        Objective { surrogate, kl: None, entropy_bonus: 0.0, temperature: 1.0, recompute: false }
    }
}

impl Objective<'_> {
    /// Adds the gradients of a pack to the masters' and returns its sums.
    pub fn backward(&self, llama: &Llama, pack: &Pack) -> LossSums {
        self.backward_telling(llama, &llama.weights(), pack, || {})
    }

    /// The same with weights that are at hand, those of the masters; `walk` is told when the gradients of the logits are there and
    /// the walk back through the layers begins.
    pub fn backward_telling(&self, llama: &Llama, weights: &Weights, pack: &Pack, walk: impl FnOnce()) -> LossSums {
        if pack.predictors.is_empty() {
            return LossSums::default();
        }
        let forward = Forward::of(llama, weights, pack, self.recompute);
        let leaf = forward.predicting().detach().set_requires_grad(true);
        let parts = Part::all(pack);
        let start = self.kl.map(|kl| self.log_probabilities(llama, kl.start, pack, &parts));
        let sequences = matches!(self.surrogate, Surrogate::Gspo(_))
            .then(|| gspo::log_ratios(&self.log_ratios(llama, weights, &leaf, pack, &parts), &pack.sequences));
        let mut sums = LossSums::default();
        for (index, part) in parts.iter().enumerate() {
            let normed = llama.normed(weights, &part.of(&leaf));
            let mut sampled = part.sampled(pack, llama.device);
            sampled.start = self.kl.zip(start.as_ref()).map(|(kl, start)| (kl.weight, start[index].shallow_clone()));
            sampled.sequences = sequences.as_ref().map(|of_tokens| part.floats(of_tokens, llama.device));
            let back = tch::no_grad(|| {
                let distribution = Distribution::of(llama.head(weights, &normed), self.temperature);
                let terms = self.terms(&distribution, &sampled);
                sums.add(&terms.sums(&sampled, self.surrogate.bounds()));
                let gradient = terms.gradient(distribution, &sampled, llama.kind_of_logits_gradient(weights));
                llama.head_backward(weights, &normed, &gradient)
            });
            // The product's gradient with respect to the states is the gradient that came back to them.
            (normed * back).sum(Kind::Float).backward();
        }
        walk();
        forward.backward(&leaf.grad());
        sums
    }

    /// The KL divergence of the policy that sampled some packs from the policy with other weights, in nats a token: the mean of the
    /// estimate `ratio - 1 - ln ratio`, `ratio = pi_other / pi_sampling` (k3 of Schulman, "Approximating KL divergence", 2020).
    /// None where nothing of them is trained on.
    pub fn kl_from(&self, llama: &Llama, other: &Weights, packs: &[Pack]) -> Option<f64> {
        let of_pack = |pack: &Pack| {
            let parts = Part::all(pack);
            let log_probabilities = self.log_probabilities(llama, other, pack, &parts);
            let of_part = |(part, found): (&Part, Tensor)| {
                let log_ratio = (found - part.sampled(pack, llama.device).old).to_kind(Kind::Double);
                (log_ratio.exp() - 1.0 - log_ratio).sum(Kind::Double).double_value(&[])
            };
            parts.iter().zip(log_probabilities).map(of_part).sum::<f64>()
        };
        let with_tokens = || packs.iter().filter(|pack| !pack.targets.is_empty());
        let tokens: usize = with_tokens().map(|pack| pack.targets.len()).sum();
        (tokens > 0).then(|| with_tokens().map(of_pack).sum::<f64>() / tokens as f64)
    }

    /// The log-probabilities of a pack's tokens, a tensor for each part, without gradients.
    fn log_probabilities(&self, llama: &Llama, weights: &Weights, pack: &Pack, parts: &[Part]) -> Vec<Tensor> {
        tch::no_grad(|| {
            let forward = Forward::of(llama, weights, pack, false);
            let hidden = forward.predicting();
            parts.iter().map(|part| self.of_part(llama, weights, &hidden, pack, part)).collect()
        })
    }

    /// For each token of a pack, the logarithm of its ratio, from hidden states that are there.
    fn log_ratios(&self, llama: &Llama, weights: &Weights, hidden: &Tensor, pack: &Pack, parts: &[Part]) -> Vec<f64> {
        let mut found = vec![0.0; pack.targets.len()];
        tch::no_grad(|| {
            for part in parts {
                let now = values(&self.of_part(llama, weights, hidden, pack, part));
                for (&token, now) in part.tokens.iter().zip(now) {
                    found[token] = now - f64::from(pack.old_log_probabilities[token]);
                }
            }
        });
        found
    }

    fn of_part(&self, llama: &Llama, weights: &Weights, hidden: &Tensor, pack: &Pack, part: &Part) -> Tensor {
        let sampled = part.sampled(pack, llama.device);
        let logits = llama.logits(weights, &part.of(hidden));
        Distribution::of(logits, self.temperature).of_tokens(&sampled.rows, &sampled.targets)
    }

    /// The loss of sampled tokens under distributions, and its gradients.
    fn terms(&self, distribution: &Distribution, sampled: &Sampled) -> Terms {
        let chosen = distribution.of_tokens(&sampled.rows, &sampled.targets).set_requires_grad(true);
        let (loss, ratio, bounded) = tch::with_grad(|| {
            let Policy { loss, ratio, bounded } = self.policy(&chosen, sampled);
            let loss = (loss * &sampled.weights).sum(Kind::Float);
            loss.backward();
            (loss.detach(), ratio.detach(), bounded.detach())
        });
        let entropy = distribution.entropy.index_select(0, &sampled.rows);
        let bonus = (self.entropy_bonus != 0.0).then(|| {
            let of_tokens = &sampled.weights * -self.entropy_bonus;
            distribution.entropy.zeros_like().index_add(0, &sampled.rows, &of_tokens)
        });
        Terms {
            loss: loss - (&entropy * &sampled.weights).sum(Kind::Float) * self.entropy_bonus,
            of_tokens: chosen.grad(),
            of_entropy: bonus,
            ratio,
            bounded,
            entropy,
        }
    }

    /// The loss of tokens with these log-probabilities, `[tokens]`, but for the entropy bonus and their weights.
    fn policy(&self, log_probabilities: &Tensor, sampled: &Sampled) -> Policy {
        let ratio = (log_probabilities - &sampled.old).exp();
        let bounded = match &sampled.sequences {
            Some(of_sequences) => gspo::ratio(log_probabilities, of_sequences),
            None => ratio.shallow_clone(),
        };
        let loss = -self.surrogate.gain(&bounded, log_probabilities, &sampled.advantages);
        let loss = match &sampled.start {
            Some((weight, start)) => loss + k3(log_probabilities, start) * *weight,
            None => loss,
        };
        Policy { loss, ratio, bounded }
    }
}

/// A pack's pass through the layers.
struct Forward<'a> {
    /// `[time, hidden]`.
    hidden: Tensor,
    predictors: Tensor,
    recomputed: Option<Recomputed<'a>>,
}

impl<'a> Forward<'a> {
    fn of(llama: &'a Llama, weights: &'a Weights, pack: &'a Pack, recompute: bool) -> Forward<'a> {
        let (tokens, positions) = pack.inputs(llama.device);
        let sight = Sight::Segments(&pack.segments);
        let (hidden, recomputed) = if recompute {
            let (hidden, recomputed) = llama.hidden_to_recompute(weights, &tokens, &positions, sight);
            (hidden, Some(recomputed))
        } else {
            (llama.hidden(weights, &tokens, &positions, sight), None)
        };
        let predictors = Tensor::from_slice(&pack.predictors).to_device(llama.device);
        Forward { hidden, predictors, recomputed }
    }

    /// The hidden states of the predictors, `[predictors, hidden]`.
    fn predicting(&self) -> Tensor {
        self.hidden.index_select(0, &self.predictors)
    }

    /// Walks back from the gradient of the predictors' hidden states.
    fn backward(self, gradient: &Tensor) {
        match self.recomputed {
            Some(recomputed) => {
                let all = tch::no_grad(|| self.hidden.zeros_like().index_copy(0, &self.predictors, gradient));
                drop(self.hidden);
                recomputed.backward(&all);
            }
            // The product's gradient with respect to the hidden states is the gradient that the parts left on the leaf.
            None => (self.predicting() * gradient).sum(Kind::Float).backward(),
        }
    }
}

/// As many predictors of a pack as have their logits at one time, and the tokens that they predict.
struct Part {
    predictors: Range<usize>,
    tokens: Vec<usize>,
}

impl Part {
    fn all(pack: &Pack) -> Vec<Part> {
        let part = |start: usize| {
            let predictors = start..pack.predictors.len().min(start + LOGITS_ROWS as usize);
            let tokens = (0..pack.rows.len()).filter(|&token| predictors.contains(&pack.rows[token])).collect();
            Part { predictors, tokens }
        };
        (0..pack.predictors.len()).step_by(LOGITS_ROWS as usize).map(part).collect()
    }

    /// Its rows of something that has one for each predictor.
    fn of(&self, tensor: &Tensor) -> Tensor {
        tensor.narrow(0, self.predictors.start as i64, self.predictors.len() as i64)
    }

    /// Its numbers of those of all tokens.
    fn floats(&self, of_tokens: &[f32], device: Device) -> Tensor {
        Tensor::from_slice(&self.tokens.iter().map(|&token| of_tokens[token]).collect::<Vec<_>>()).to_device(device)
    }

    fn sampled(&self, pack: &Pack, device: Device) -> Sampled {
        let integers = |value: &dyn Fn(usize) -> i64| -> Tensor {
            Tensor::from_slice(&self.tokens.iter().map(|&token| value(token)).collect::<Vec<_>>()).to_device(device)
        };
        Sampled {
            rows: integers(&|token| (pack.rows[token] - self.predictors.start) as i64),
            targets: integers(&|token| pack.targets[token]),
            old: self.floats(&pack.old_log_probabilities, device),
            advantages: self.floats(&pack.advantages, device),
            weights: self.floats(&pack.weights, device),
            start: None,
            sequences: None,
        }
    }
}

/// Sampled tokens, `[tokens]` each.
struct Sampled {
    /// Which of the rows of logits predicts it.
    rows: Tensor,
    targets: Tensor,
    /// Log-probabilities at sampling.
    old: Tensor,
    advantages: Tensor,
    weights: Tensor,
    /// The weight of the KL term and the log-probabilities under the first parameters, where the loss has that term.
    start: Option<(f64, Tensor)>,
    /// The log-ratio of the sequence, where the loss goes by it.
    sequences: Option<Tensor>,
}

/// What the policy's part of the loss is made of, `[tokens]` each.
struct Policy {
    loss: Tensor,
    ratio: Tensor,
    /// The ratio that the surrogate bounds: the token's own, or its sequence's.
    bounded: Tensor,
}

/// The loss of some tokens, what it is made of, `[tokens]` each, and its gradients.
struct Terms {
    loss: Tensor,
    /// The gradient of the tokens' log-probabilities, `[tokens]`.
    of_tokens: Tensor,
    /// The gradient of the rows' entropies, `[rows]`, where there is a bonus on them.
    of_entropy: Option<Tensor>,
    ratio: Tensor,
    bounded: Tensor,
    entropy: Tensor,
}

impl Terms {
    /// The gradient of the logits, `[rows, vocab]` in `kind`.
    fn gradient(&self, distribution: Distribution, sampled: &Sampled, kind: Kind) -> Tensor {
        let (rows, targets) = (&sampled.rows, &sampled.targets);
        distribution.gradient(rows, targets, &self.of_tokens, self.of_entropy.as_ref(), kind)
    }

    fn sums(&self, sampled: &Sampled, bounds: (f64, f64)) -> LossSums {
        let (ratios, bounded, entropies) = (values(&self.ratio), values(&self.bounded), values(&self.entropy));
        let (advantages, weights) = (values(&sampled.advantages), values(&sampled.weights));
        let mut sums = LossSums { loss: self.loss.double_value(&[]), ..LossSums::default() };
        for token in 0..ratios.len() {
            let measured = Measured {
                weight: weights[token],
                advantage: advantages[token],
                entropy: entropies[token],
                ratio: ratios[token],
                bounded: bounded[token],
            };
            sums.count(&measured, bounds);
        }
        sums
    }
}

/// The numbers of a tensor of float32.
fn values(tensor: &Tensor) -> Vec<f64> {
    let mut values = vec![0f32; tensor.numel()];
    tensor.copy_data(&mut values, tensor.numel());
    values.into_iter().map(f64::from).collect()
}

#[cfg(test)]
mod tests;
