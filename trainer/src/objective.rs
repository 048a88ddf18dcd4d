//! The surrogate loss of GRPO and StarPO\*, computed over the sampled tokens of a pack.
//!
//! ```text
//! ratio_t = pi(token_t) / pi_sampling(token_t)
//! loss    = sum_t w_t * ( -min(ratio_t * A, clip(ratio_t, 1 - low, 1 + high) * A) - bonus * H_t )
//! ```
//!
//! `A` is the trajectory's advantage and `H_t` the entropy of the distribution that token t was drawn from. The clip with two
//! sides of different width is DAPO's (2503.14476), the rest PPO's (1707.06347). There is no KL term. The weights `w_t` sum to
//! one over a whole update, so packs and micro-batches of any size add up to the same gradient.
//!
//! Logits are made a chunk at a time: a chunk's gradient goes back to the hidden states and the head at once, its logits are
//! dropped, and the network is walked back once at the end.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use crate::model::attention::Sight;
use crate::model::llama::{Llama, Weights};
use crate::pack::Pack;

/// The settings of the loss.
#[derive(Clone, Copy, Debug)]
pub struct Objective {
    pub clip_low: f64,
    pub clip_high: f64,
    pub entropy_bonus: f64,
    /// The temperature at which the tokens were sampled.
    pub temperature: f64,
}

/// Sums over sampled tokens, weighted where the loss is; of one pack or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossSums {
    pub tokens: u64,
    pub weight: f64,
    pub loss: f64,
    /// Weighted entropy, in nats.
    pub entropy: f64,
    pub ratio: f64,
    pub ratio_max: f64,
    /// The largest distance of a ratio from 1.
    pub ratio_off_max: f64,
    /// Tokens whose ratio the lower bound held, and the upper one.
    pub clipped_low: u64,
    pub clipped_high: u64,
    /// The estimate `ratio - 1 - ln ratio` of the KL from the sampling policy.
    pub kl_from_sampling: f64,
}

/// Rows of logits that exist at one time. In float32 and with a vocabulary of 50,000 they stay below the size from which the C
/// library hands memory back to the system at once.
pub const LOGITS_ROWS: i64 = 128;

impl Objective {
    /// Adds the gradients of a pack to the masters' and returns its sums.
    pub fn backward(&self, llama: &Llama, pack: &Pack) -> LossSums {
        if pack.predictors.is_empty() {
            return LossSums::default();
        }
        let weights = llama.weights();
        let hidden = predicting(llama, &weights, pack);
        let leaf = hidden.detach().set_requires_grad(true);
        let mut sums = LossSums::default();
        for part in Part::all(pack) {
            let logits = llama.logits(&weights, &part.of(&leaf)) / self.temperature;
            let terms = self.terms(&logits, &part.sampled(pack, llama.device));
            terms.loss.backward();
            sums.add(&terms.sums());
        }
        // The product's gradient with respect to the hidden states is the gradient that the parts left on the leaf.
        (hidden * leaf.grad()).sum(Kind::Float).backward();
        sums
    }

    /// The KL divergence of the policy that sampled a pack from the policy with other weights, in nats a token: the mean of the
    /// estimate `ratio - 1 - ln ratio`, `ratio = pi_other / pi_sampling` (k3 of Schulman, "Approximating KL divergence", 2020).
    pub fn kl_from(&self, llama: &Llama, other: &Weights, pack: &Pack) -> f64 {
        let sum: f64 = tch::no_grad(|| {
            let hidden = predicting(llama, other, pack);
            let of_part = |part: Part| {
                let log_probabilities =
                    (llama.logits(other, &part.of(&hidden)) / self.temperature).log_softmax(-1, Kind::Float);
                let sampled = part.sampled(pack, llama.device);
                let log_ratio = (sampled.of(&log_probabilities) - sampled.old).to_kind(Kind::Double);
                (log_ratio.exp() - 1.0 - log_ratio).sum(Kind::Double).double_value(&[])
            };
            Part::all(pack).into_iter().map(of_part).sum()
        });
        sum / pack.targets.len().max(1) as f64
    }

    /// The loss of sampled tokens under logits `[predictors, vocab]` that were divided by the temperature.
    fn terms(&self, logits: &Tensor, sampled: &Sampled) -> Terms {
        let log_probabilities = logits.log_softmax(-1, Kind::Float);
        let chosen = sampled.of(&log_probabilities);
        let entropy =
            -(log_probabilities.exp() * &log_probabilities).sum_dim_intlist([-1i64].as_slice(), false, Kind::Float);
        let entropy = entropy.index(&[Some(&sampled.rows)]);
        let ratio = (chosen - &sampled.old).exp();
        let clipped = ratio.clamp(1.0 - self.clip_low, 1.0 + self.clip_high);
        let gain = (&ratio * &sampled.advantages).minimum(&(clipped * &sampled.advantages));
        let per_token = -gain - &entropy * self.entropy_bonus;
        let loss = (per_token * &sampled.weights).sum(Kind::Float);
        Terms {
            loss,
            ratio: ratio.detach(),
            entropy: entropy.detach(),
            advantages: sampled.advantages.shallow_clone(),
            token_weights: sampled.weights.shallow_clone(),
            objective: *self,
        }
    }
}

/// The hidden states of a pack's predictors, `[predictors, hidden]`.
fn predicting(llama: &Llama, weights: &Weights, pack: &Pack) -> Tensor {
    let (tokens, positions) = pack.inputs(llama.device);
    let hidden = llama.hidden(weights, &tokens, &positions, Sight::Segments(&pack.segments));
    hidden.index_select(0, &Tensor::from_slice(&pack.predictors).to_device(llama.device))
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

    fn sampled(&self, pack: &Pack, device: Device) -> Sampled {
        let floats = |values: &[f32]| -> Tensor {
            Tensor::from_slice(&self.tokens.iter().map(|&token| values[token]).collect::<Vec<_>>()).to_device(device)
        };
        let integers = |value: &dyn Fn(usize) -> i64| -> Tensor {
            Tensor::from_slice(&self.tokens.iter().map(|&token| value(token)).collect::<Vec<_>>()).to_device(device)
        };
        Sampled {
            rows: integers(&|token| (pack.rows[token] - self.predictors.start) as i64),
            targets: integers(&|token| pack.targets[token]),
            old: floats(&pack.old_log_probabilities),
            advantages: floats(&pack.advantages),
            weights: floats(&pack.weights),
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
}

impl Sampled {
    /// The tokens' own of the log-probabilities `[predictors, vocab]`. (Gradients of such an index add up in a fixed order, on a
    /// GPU too.)
    fn of(&self, log_probabilities: &Tensor) -> Tensor {
        log_probabilities.index(&[Some(&self.rows), Some(&self.targets)])
    }
}

struct Terms {
    loss: Tensor,
    ratio: Tensor,
    entropy: Tensor,
    advantages: Tensor,
    token_weights: Tensor,
    objective: Objective,
}

impl Terms {
    fn sums(&self) -> LossSums {
        let values = |tensor: &Tensor| -> Vec<f32> {
            let mut values = vec![0.0; tensor.numel()];
            tensor.copy_data(&mut values, tensor.numel());
            values
        };
        let (ratios, entropies) = (values(&self.ratio), values(&self.entropy));
        let (advantages, weights) = (values(&self.advantages), values(&self.token_weights));
        let mut sums = LossSums { loss: self.loss.double_value(&[]), ..LossSums::default() };
        for (((&ratio, &entropy), &advantage), &weight) in ratios.iter().zip(&entropies).zip(&advantages).zip(&weights)
        {
            let (ratio, weight) = (f64::from(ratio), f64::from(weight));
            sums.tokens += 1;
            sums.weight += weight;
            sums.entropy += f64::from(entropy) * weight;
            sums.ratio += ratio;
            sums.ratio_max = sums.ratio_max.max(ratio);
            sums.ratio_off_max = sums.ratio_off_max.max((ratio - 1.0).abs());
            sums.kl_from_sampling += ratio - 1.0 - ratio.ln();
            let (low, high) = (self.objective.clip_low, self.objective.clip_high);
            sums.clipped_low += u64::from(ratio < 1.0 - low && advantage < 0.0);
            sums.clipped_high += u64::from(ratio > 1.0 + high && advantage > 0.0);
        }
        sums
    }
}

impl LossSums {
    /// Adds the sums of further tokens.
    pub fn add(&mut self, other: &LossSums) {
        self.tokens += other.tokens;
        self.weight += other.weight;
        self.loss += other.loss;
        self.entropy += other.entropy;
        self.ratio += other.ratio;
        self.ratio_max = self.ratio_max.max(other.ratio_max);
        self.ratio_off_max = self.ratio_off_max.max(other.ratio_off_max);
        self.clipped_low += other.clipped_low;
        self.clipped_high += other.clipped_high;
        self.kl_from_sampling += other.kl_from_sampling;
    }

    /// A sum over tokens as the mean of one.
    pub fn per_token(&self, sum: f64) -> f64 {
        if self.tokens == 0 { 0.0 } else { sum / self.tokens as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAR: Objective = Objective { clip_low: 0.2, clip_high: 0.28, entropy_bonus: 0.0, temperature: 1.0 };

    /// Loss and gradient of the logits for one token of probability `now`, sampled with probability `then`.
    fn one_token(objective: Objective, now: f64, then: f64, advantage: f32) -> (f64, Vec<f64>, LossSums) {
        let logits =
            Tensor::from_slice(&[now.ln() as f32, (1.0 - now).ln() as f32]).unsqueeze(0).set_requires_grad(true);
        let float = |value: f32| Tensor::from_slice(&[value]);
        let sampled = Sampled {
            rows: Tensor::from_slice(&[0i64]),
            targets: Tensor::from_slice(&[0i64]),
            old: float(then.ln() as f32),
            advantages: float(advantage),
            weights: float(1.0),
        };
        let terms = objective.terms(&logits, &sampled);
        terms.loss.backward();
        let gradient = logits.grad();
        let gradient = vec![gradient.double_value(&[0, 0]), gradient.double_value(&[0, 1])];
        (terms.loss.double_value(&[]), gradient, terms.sums())
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    }

    #[test]
    fn on_policy_the_gradient_is_that_of_advantage_times_log_probability() {
        let (loss, gradient, sums) = one_token(STAR, 0.25, 0.25, 2.0);
        close(loss, -2.0);
        // d(-A log p)/d logits = -A (onehot - p).
        close(gradient[0], -2.0 * 0.75);
        close(gradient[1], 2.0 * 0.75);
        close(sums.ratio_off_max, 0.0);
    }

    #[test]
    fn a_ratio_past_the_bound_in_the_direction_of_the_advantage_gets_no_gradient() {
        let (loss, gradient, sums) = one_token(STAR, 0.5, 0.25, 1.0);
        close(loss, -1.28);
        close(gradient[0], 0.0);
        assert_eq!((sums.clipped_low, sums.clipped_high), (0, 1));
        let (loss, gradient, sums) = one_token(STAR, 0.1, 0.25, -1.0);
        close(loss, 0.8);
        close(gradient[0], 0.0);
        assert_eq!((sums.clipped_low, sums.clipped_high), (1, 0));
    }

    #[test]
    fn a_ratio_past_the_bound_against_the_advantage_keeps_its_gradient() {
        let (loss, gradient, _) = one_token(STAR, 0.5, 0.25, -1.0);
        close(loss, 2.0);
        // d(ratio)/d logit = ratio (1 - p) = 2 * 0.5.
        close(gradient[0], 1.0);
    }

    #[test]
    fn the_entropy_bonus_pushes_towards_the_uniform_distribution() {
        let bonus = Objective { entropy_bonus: 0.1, ..STAR };
        let (loss, gradient, sums) = one_token(bonus, 0.25, 0.25, 0.0);
        let entropy = -(0.25f64 * 0.25f64.ln() + 0.75 * 0.75f64.ln());
        close(loss, -0.1 * entropy);
        close(sums.entropy, entropy);
        assert!(gradient[0] < 0.0 && gradient[1] > 0.0);
    }
}
