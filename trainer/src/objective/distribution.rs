//! From logits to log-probabilities and entropies, and back.
//!
//! ```text
//! p = softmax(z / T)        H = - sum_j p_j ln p_j
//!
//! d loss / d z_j = 1/T * ( sum_t c_t (onehot_t - p)_j  -  e p_j (ln p_j + H) )
//! c_t = d loss / d ln p(token_t)        e = d loss / d H
//! ```
//!
//! A vocabulary is wide, and a loss depends on it through a few numbers of each row only. So the gradient is written down instead
//! of being derived: it takes two blocks of the logits' size where autograd keeps eight, and as few passes over them.

use tch::{Kind, Tensor};

/// The distributions that rows of logits stand for.
pub struct Distribution {
    /// `[rows, vocab]`.
    log_probabilities: Tensor,
    /// `[rows, vocab]`.
    probabilities: Tensor,
    /// In nats, `[rows]`.
    pub entropy: Tensor,
    temperature: f64,
}

impl Distribution {
    /// The distributions of logits `[rows, vocab]` at a temperature, without autograd.
    pub fn of(mut logits: Tensor, temperature: f64) -> Distribution {
        tch::no_grad(|| {
            if temperature != 1.0 {
                logits /= temperature;
            }
            let log_probabilities = logits.log_softmax(-1, Kind::Float);
            drop(logits);
            let probabilities = log_probabilities.exp();
            // A product of each row with its own column: no block of that size is made for the terms.
            let entropy = -probabilities.unsqueeze(1).bmm(&log_probabilities.unsqueeze(2)).view([-1]);
            Distribution { log_probabilities, probabilities, entropy, temperature }
        })
    }

    /// The log-probabilities of tokens, `[tokens]`, each in its row.
    pub fn of_tokens(&self, rows: &Tensor, tokens: &Tensor) -> Tensor {
        self.log_probabilities.index(&[Some(rows), Some(tokens)])
    }

    /// The gradient of the logits, `[rows, vocab]`, from those of the tokens' log-probabilities, `[tokens]`, and of the entropies,
    /// `[rows]`, where the loss depends on them.
    pub fn gradient(self, rows: &Tensor, tokens: &Tensor, of_tokens: &Tensor, of_entropy: Option<&Tensor>) -> Tensor {
        tch::no_grad(|| {
            let Distribution { mut log_probabilities, mut probabilities, entropy, temperature } = self;
            let of_rows = entropy.zeros_like().index_add(0, rows, of_tokens).unsqueeze(1);
            match of_entropy {
                Some(of_entropy) => {
                    log_probabilities += entropy.unsqueeze(1);
                    log_probabilities *= of_entropy.unsqueeze(1);
                    log_probabilities += of_rows;
                    probabilities *= log_probabilities;
                }
                None => probabilities *= of_rows,
            }
            let mut gradient = probabilities.neg_();
            // Tokens of the same row and kind add up, in a fixed order.
            let _ = gradient.index_put_(&[Some(rows), Some(tokens)], of_tokens, true);
            if temperature != 1.0 {
                gradient /= temperature;
            }
            gradient
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against autograd through the formulas as they stand in textbooks: rows with no token, one, and the same one twice.
    #[test]
    fn the_gradient_is_the_one_that_autograd_derives() {
        let numbers: Vec<f32> = (0..4 * 7).map(|at| ((at * at * 31) % 17) as f32 / 5.0 - 1.5).collect();
        let logits = Tensor::from_slice(&numbers).view([4, 7]);
        let rows = Tensor::from_slice(&[0i64, 2, 2, 3, 3]);
        let tokens = Tensor::from_slice(&[5i64, 1, 1, 0, 6]);
        let of_tokens = Tensor::from_slice(&[0.5f32, -1.0, 2.0, 0.25, -0.75]);
        let of_entropy = Tensor::from_slice(&[0.1f32, -0.2, 0.3, -0.4]);
        for temperature in [1.0, 0.7] {
            for bonus in [false, true] {
                let leaf = logits.copy().set_requires_grad(true);
                let log_probabilities = (&leaf / temperature).log_softmax(-1, Kind::Float);
                let dimensions: &[i64] = &[-1];
                let entropy =
                    -(log_probabilities.exp() * &log_probabilities).sum_dim_intlist(dimensions, false, Kind::Float);
                let mut loss = (log_probabilities.index(&[Some(&rows), Some(&tokens)]) * &of_tokens).sum(Kind::Float);
                if bonus {
                    loss += (&entropy * &of_entropy).sum(Kind::Float);
                }
                loss.backward();

                let distribution = Distribution::of(logits.copy(), temperature);
                let apart = |one: &Tensor, other: &Tensor| (one - other).abs().max().double_value(&[]);
                assert!(apart(&distribution.entropy, &entropy) < 1e-6);
                let chosen = distribution.of_tokens(&rows, &tokens);
                assert!(apart(&chosen, &log_probabilities.index(&[Some(&rows), Some(&tokens)])) < 1e-6);
                let found = distribution.gradient(&rows, &tokens, &of_tokens, bonus.then_some(&of_entropy));
                assert!(apart(&found, &leaf.grad()) < 1e-6, "at temperature {temperature}, entropy {bonus}");
            }
        }
    }
}
