//! From logits to log-probabilities, entropies and tokens, and back.
//!
//! ```text
//! p = softmax(z / T)        H = - sum_j p_j ln p_j
//!
//! d loss / d z_j = 1/T * ( sum_t c_t (onehot_t - p)_j  -  e p_j (ln p_j + H) )
//! c_t = d loss / d ln p(token_t)        e = d loss / d H
//! ```
//!
//! A vocabulary is wide, and what is made of a row of logits depends on it through a few numbers only. So the gradient is written
//! down instead of being derived. On a CPU a row is read twice to measure it, and once for what is drawn from it or for its gradient
//! (`aten/distribution.cpp`); elsewhere libtorch's own operations make the same of it, in blocks of the logits' size.
//!
//! What tokens are drawn from and what they are learned from is computed here by the same code, row by row: so the probability of
//! a token agrees to the last bit where its logits do.

use std::ffi::c_char;
use std::ptr;

use tch::{Device, Kind, Tensor};

use crate::aten::{RawTensor, made, raw};

unsafe extern "C" {
    fn ludus_distribution_measure(logits: RawTensor, temperature: f64, made: *mut RawTensor) -> *mut c_char;
    fn ludus_distribution_of_tokens(
        logits: RawTensor,
        measured: RawTensor,
        temperature: f64,
        rows: RawTensor,
        tokens: RawTensor,
        made: *mut RawTensor,
    ) -> *mut c_char;
    fn ludus_distribution_draw(
        logits: RawTensor,
        measured: RawTensor,
        temperature: f64,
        rows: RawTensor,
        numbers: RawTensor,
        made: *mut RawTensor,
    ) -> *mut c_char;
    fn ludus_distribution_gradient(
        logits: RawTensor,
        measured: RawTensor,
        temperature: f64,
        rows: RawTensor,
        tokens: RawTensor,
        of_tokens: RawTensor,
        of_entropy: RawTensor,
        wide: bool,
        made: *mut RawTensor,
    ) -> *mut c_char;
}

/// The distributions that rows of logits stand for.
pub struct Distribution {
    made: Made,
    /// In nats, `[rows]`.
    pub entropy: Tensor,
    temperature: f64,
}

/// `[rows, vocab]` in float32 each.
enum Made {
    /// On a CPU: the logits as they are, and `[3, rows]`: a row's largest logit, the logarithm of the sum of all exponentials beside
    /// that one's, and the entropy.
    Measured {
        logits: Tensor,
        measured: Tensor,
    },
    Parts {
        log_probabilities: Tensor,
        probabilities: Tensor,
    },
}

impl Distribution {
    /// The distributions of logits `[rows, vocab]`, in float32, at a temperature above 0, without autograd. The logits may be
    /// overwritten.
    pub fn of(logits: Tensor, temperature: f64) -> Distribution {
        if logits.device() == Device::Cpu {
            Distribution::measured(&logits, temperature)
        } else {
            Distribution::by_parts(logits, temperature)
        }
    }

    fn measured(logits: &Tensor, temperature: f64) -> Distribution {
        assert!(logits.dim() == 2 && logits.kind() == Kind::Float && logits.size()[1] > 0, "rows of logits");
        let logits = logits.detach().contiguous();
        // SAFETY: a matrix of float32 in one piece that lives during the call.
        let measured = made(|made| unsafe { ludus_distribution_measure(raw(&logits), temperature, made) });
        let entropy = measured.get(2);
        Distribution { made: Made::Measured { logits, measured }, entropy, temperature }
    }

    fn by_parts(mut logits: Tensor, temperature: f64) -> Distribution {
        tch::no_grad(|| {
            if temperature != 1.0 {
                logits /= temperature;
            }
            let log_probabilities = logits.log_softmax(-1, Kind::Float);
            drop(logits);
            let probabilities = log_probabilities.exp();
            // A product of each row with its own column: no block of that size is made for the terms.
            let entropy = -probabilities.unsqueeze(1).bmm(&log_probabilities.unsqueeze(2)).view([-1]);
            Distribution { made: Made::Parts { log_probabilities, probabilities }, entropy, temperature }
        })
    }

    /// The log-probabilities of tokens, `[tokens]`, each in its row.
    pub fn of_tokens(&self, rows: &Tensor, tokens: &Tensor) -> Tensor {
        match &self.made {
            Made::Measured { logits, measured } => {
                assert_indices(rows, tokens);
                // SAFETY: what `measured` has made, and as many rows as tokens, whose numbers are checked there.
                made(|made| unsafe {
                    let (logits, measured) = (raw(logits), raw(measured));
                    ludus_distribution_of_tokens(logits, measured, self.temperature, raw(rows), raw(tokens), made)
                })
            }
            Made::Parts { log_probabilities, .. } => log_probabilities.index(&[Some(rows), Some(tokens)]),
        }
    }

    /// The probabilities, `[rows, vocab]`.
    pub fn probabilities(&self) -> Tensor {
        match &self.made {
            Made::Measured { logits, measured } => tch::no_grad(|| {
                let logits = (logits - measured.get(0).unsqueeze(1)) / self.temperature;
                (logits - measured.get(1).unsqueeze(1)).exp()
            }),
            Made::Parts { probabilities, .. } => probabilities.shallow_clone(),
        }
    }

    /// Tokens `[draws]`, each from its row at a number in `[0, 1)`: the first one up to which the tokens have more than this share
    /// of the probability.
    pub fn draw(&self, rows: &Tensor, numbers: &Tensor) -> Tensor {
        match &self.made {
            Made::Measured { logits, measured } => {
                assert!(rows.size() == numbers.size() && rows.dim() == 1, "a number of each row");
                assert!((rows.kind(), numbers.kind()) == (Kind::Int64, Kind::Double), "rows and numbers");
                let (rows, numbers) = (rows.contiguous(), numbers.contiguous());
                // SAFETY: what `measured` has made, and as many rows, which are checked there, as numbers.
                made(|made| unsafe {
                    let (logits, measured) = (raw(logits), raw(measured));
                    ludus_distribution_draw(logits, measured, self.temperature, raw(&rows), raw(&numbers), made)
                })
            }
            Made::Parts { probabilities, .. } => draw_from(probabilities, rows, numbers),
        }
    }

    /// The gradient of the logits, `[rows, vocab]` in `kind`, float32 or bfloat16, from those of the tokens' log-probabilities,
    /// `[tokens]`, and of the entropies, `[rows]`, where the loss depends on them. It may be written over the logits: then rows of
    /// bfloat16 do not follow each other in one piece.
    pub fn gradient(
        self,
        rows: &Tensor,
        tokens: &Tensor,
        of_tokens: &Tensor,
        of_entropy: Option<&Tensor>,
        kind: Kind,
    ) -> Tensor {
        let Distribution { made: of, entropy, temperature } = self;
        let (logits, measured) = match of {
            Made::Measured { logits, measured } => (logits, measured),
            Made::Parts { log_probabilities, probabilities } => {
                let of_rows = |of_rows: &Tensor| (of_rows * -1.0 / temperature).unsqueeze(1);
                return tch::no_grad(|| {
                    let (mut log_probabilities, mut gradient) = (log_probabilities, probabilities);
                    let of_all = of_rows(&entropy.zeros_like().index_add(0, rows, of_tokens));
                    match of_entropy {
                        Some(of_entropy) => {
                            log_probabilities += entropy.unsqueeze(1);
                            log_probabilities *= of_rows(of_entropy);
                            log_probabilities += of_all;
                            gradient *= log_probabilities;
                        }
                        None => gradient *= of_all,
                    }
                    // Tokens of the same row and kind add up, in a fixed order.
                    let _ = gradient.index_put_(&[Some(rows), Some(tokens)], &(of_tokens / temperature), true);
                    gradient.to_kind(kind)
                });
            }
        };
        assert_indices(rows, tokens);
        assert!(matches!(kind, Kind::Float | Kind::BFloat16), "a kind of gradients");
        let (of_tokens, of_entropy) = (of_tokens.contiguous(), of_entropy.map(Tensor::contiguous));
        assert!(of_tokens.size() == rows.size() && of_tokens.kind() == Kind::Float, "a gradient of each token");
        let fits = |of_entropy: &Tensor| of_entropy.size() == entropy.size() && of_entropy.kind() == Kind::Float;
        assert!(of_entropy.as_ref().is_none_or(fits), "a gradient of each entropy");
        // SAFETY: what `measured` has made, and gradients of the sizes that belong to it.
        made(|made| unsafe {
            ludus_distribution_gradient(
                raw(&logits),
                raw(&measured),
                temperature,
                raw(rows),
                raw(tokens),
                raw(&of_tokens),
                of_entropy.as_ref().map_or(ptr::null_mut(), raw),
                kind == Kind::Float,
                made,
            )
        })
    }
}

/// [`Distribution::draw`] from weights of tokens, `[rows, vocab]`, that need not add up to 1.
pub fn draw_from(weights: &Tensor, rows: &Tensor, numbers: &Tensor) -> Tensor {
    let cumulative = weights.cumsum(-1, Kind::Double).index_select(0, rows);
    let last = cumulative.size()[1] - 1;
    let sought = numbers.unsqueeze(1) * cumulative.narrow(-1, last, 1);
    sought.searchsorted(&cumulative, false, true, "right", None::<Tensor>).clamp_max(last).squeeze_dim(1)
}

fn assert_indices(rows: &Tensor, tokens: &Tensor) {
    let fits = |tensor: &Tensor| tensor.kind() == Kind::Int64 && tensor.is_contiguous() && tensor.dim() == 1;
    assert!(fits(rows) && fits(tokens) && rows.size() == tokens.size(), "a row of each token");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways of making distributions.
    const WAYS: [fn(Tensor, f64) -> Distribution; 2] =
        [|logits, temperature| Distribution::measured(&logits, temperature), Distribution::by_parts];

    /// Rows of a vocabulary that fills no vector, and one of several parts.
    fn logits(width: i64) -> Tensor {
        let count = Tensor::arange(4 * width, (Kind::Double, Device::Cpu));
        ((&count * &count * 0.31).sin() * 3.0).view([4, width]).to_kind(Kind::Float)
    }

    /// Against autograd through the formulas as they stand in textbooks: rows with no token, one, and the same one twice.
    #[test]
    fn the_gradient_is_the_one_that_autograd_derives() {
        let rows = Tensor::from_slice(&[0i64, 2, 2, 3, 3]);
        let tokens = Tensor::from_slice(&[5i64, 1, 1, 0, 6]);
        let of_tokens = Tensor::from_slice(&[0.5f32, -1.0, 2.0, 0.25, -0.75]);
        let of_entropy = Tensor::from_slice(&[0.1f32, -0.2, 0.3, -0.4]);
        let cases = [7, 3000].into_iter().flat_map(|width| [1.0, 0.7].map(|temperature| (width, temperature)));
        for ((width, temperature), way) in cases.flat_map(|case| WAYS.map(|way| (case, way))) {
            for bonus in [false, true] {
                let leaf = logits(width).to_kind(Kind::Double).set_requires_grad(true);
                let log_probabilities = (&leaf / temperature).log_softmax(-1, Kind::Double);
                let entropy = -(log_probabilities.exp() * &log_probabilities).sum_dim_intlist(
                    [-1i64].as_slice(),
                    false,
                    Kind::Double,
                );
                let chosen = log_probabilities.index(&[Some(&rows), Some(&tokens)]);
                let mut loss = (&chosen * &of_tokens).sum(Kind::Double);
                if bonus {
                    loss += (&entropy * &of_entropy).sum(Kind::Double);
                }
                loss.backward();

                let apart = |one: &Tensor, other: &Tensor| (one - other).abs().max().double_value(&[]);
                for (kind, tolerance) in [(Kind::Float, 2e-6), (Kind::BFloat16, 0.01)] {
                    let distribution = way(logits(width), temperature);
                    assert!(apart(&distribution.entropy, &entropy) < 2e-5);
                    assert!(apart(&distribution.of_tokens(&rows, &tokens), &chosen) < 4e-6);
                    assert!(apart(&distribution.probabilities(), &log_probabilities.exp()) < 1e-6);
                    let found = distribution.gradient(&rows, &tokens, &of_tokens, bonus.then_some(&of_entropy), kind);
                    assert_eq!(found.kind(), kind);
                    let off = apart(&found, &leaf.grad());
                    assert!(off < tolerance, "{off} at temperature {temperature}, entropy {bonus}, {kind:?}");
                }
            }
        }
    }

    #[test]
    fn likely_tokens_keep_their_digits_at_a_low_temperature() {
        let logits = Tensor::from_slice(&[30.0f32, 29.99, 12.0, 29.97]).view([1, 4]);
        let distribution = Distribution::of(logits.copy(), 0.01);
        let expected = (logits.to_kind(Kind::Double) / 0.01).log_softmax(-1, Kind::Double);
        for token in [0, 1, 3] {
            let found = distribution.of_tokens(&Tensor::from_slice(&[0i64]), &Tensor::from_slice(&[token]));
            let off = (found.double_value(&[0]) - expected.double_value(&[0, token])).abs();
            assert!(off < 1e-6, "token {token} is {off} off");
        }
    }

    #[test]
    fn a_token_is_drawn_where_its_share_of_the_cumulative_distribution_is() {
        for (width, way) in [7, 3000, 300_000].into_iter().flat_map(|width| WAYS.map(|way| (width, way))) {
            let distribution = way(logits(width), 0.7);
            let cumulative = distribution.probabilities().get(2).to_kind(Kind::Double).cumsum(0, Kind::Double);
            let cumulative: Vec<f64> = (&cumulative / cumulative.get(width - 1)).try_into().unwrap();
            let numbers: Vec<f64> = (0..500).map(|at| f64::from(at) / 500.0 + 1e-5).chain([0.0, 1.0 - 1e-16]).collect();
            let rows = Tensor::full([numbers.len() as i64], 2, (Kind::Int64, Device::Cpu));
            let drawn: Vec<i64> = distribution.draw(&rows, &Tensor::from_slice(&numbers)).try_into().unwrap();
            for (token, number) in drawn.into_iter().map(|token| token as usize).zip(numbers) {
                let before = if token == 0 { 0.0 } else { cumulative[token - 1] };
                assert!(before <= number + 1e-6 && number <= cumulative[token] + 1e-6, "{number} draws {token}");
            }
        }
    }

    #[test]
    fn what_has_no_probability_is_never_drawn() {
        let mut logits = Tensor::full([1, 5000], -1e4, (Kind::Float, Device::Cpu));
        let _ = logits.get(0).narrow(0, 2000, 2).fill_(1.0);
        for way in WAYS {
            let numbers = Tensor::from_slice(&[0.0, 0.4, 0.6, 1.0 - 1e-16]);
            let rows = Tensor::zeros([4], (Kind::Int64, Device::Cpu));
            let drawn: Vec<i64> = way(logits.copy(), 1.0).draw(&rows, &numbers).try_into().unwrap();
            assert_eq!(drawn, [2000, 2000, 2001, 2001]);
        }
        // A network that has lost its numbers draws something that there is.
        let _ = logits.fill_(f64::NAN);
        let drawn = Distribution::of(logits, 1.0).draw(&Tensor::from_slice(&[0i64]), &Tensor::from_slice(&[0.5]));
        assert!((0..5000).contains(&drawn.int64_value(&[0])));
    }

    /// What makes ratios on policy exactly 1 where logits are the same.
    #[test]
    fn a_row_is_the_same_to_the_last_bit_whatever_rows_are_beside_it() {
        let together = Distribution::of(logits(3000), 0.7);
        let tokens = Tensor::from_slice(&[11i64, 2999]);
        for row in 0..4 {
            let alone = Distribution::of(logits(3000).narrow(0, row, 1), 0.7);
            assert!(alone.entropy == together.entropy.narrow(0, row, 1));
            let rows = |row: i64| Tensor::from_slice(&[row, row]);
            assert!(alone.of_tokens(&rows(0), &tokens) == together.of_tokens(&rows(row), &tokens));
        }
    }
}
