//! From logits to tokens.
//!
//! A token is drawn by inverting the cumulative distribution at a number from the row's own stream, so a draw does not
//! depend on which other rows are in the batch.

use tch::{Kind, Tensor};

use crate::distribution::{Distribution, draw_from};

/// How tokens are drawn from logits.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// Logits are divided by it. Zero takes the likeliest token.
    pub temperature: f64,
    /// Only the likeliest tokens that together reach this probability stay; 1 keeps all.
    pub top_p: f64,
    /// Only this many likeliest tokens stay; 0 keeps all.
    pub top_k: i64,
    /// Only tokens at least this fraction as likely as the likeliest stay; 0 keeps all.
    pub min_p: f64,
}

/// Draws one token a row at the row's number in `[0, 1)`, from the logits of its history, `[histories, vocab]`: tokens and
/// their log-probabilities.
pub(super) fn draw(logits: Tensor, histories: &[usize], numbers: &[f64], sampling: Sampling) -> (Vec<i64>, Vec<f32>) {
    let device = logits.device();
    let rows = histories.iter().map(|&history| history as i64).collect::<Vec<_>>();
    let rows = Tensor::from_slice(&rows).to_device(device);
    let greedy = sampling.temperature == 0.0;
    let likeliest = greedy.then(|| logits.argmax(-1, false).index_select(0, &rows));
    let distribution = Distribution::of(logits, if greedy { 1.0 } else { sampling.temperature });
    let tokens = likeliest.unwrap_or_else(|| {
        let numbers = Tensor::from_slice(numbers).to_device(device);
        if sampling.keeps_all() {
            distribution.draw(&rows, &numbers)
        } else {
            draw_from(&truncated(&distribution.probabilities(), sampling), &rows, &numbers)
        }
    });
    let chosen = distribution.of_tokens(&rows, &tokens);
    let (mut token_values, mut chosen_values) = (vec![0i64; histories.len()], vec![0f32; histories.len()]);
    tokens.copy_data(&mut token_values, histories.len());
    chosen.copy_data(&mut chosen_values, histories.len());
    (token_values, chosen_values)
}

impl Sampling {
    /// Whether every token stays.
    fn keeps_all(self) -> bool {
        self.top_p >= 1.0 && self.top_k <= 0 && self.min_p <= 0.0
    }
}

/// The probabilities `[rows, vocab]` with the tokens set to zero that top-k, top-p or min-p leaves out.
fn truncated(probabilities: &Tensor, sampling: Sampling) -> Tensor {
    let mut kept = probabilities.shallow_clone();
    if sampling.min_p > 0.0 {
        let least = probabilities.amax([-1i64].as_slice(), true) * sampling.min_p;
        kept = kept.masked_fill(&probabilities.lt_tensor(&least), 0.0);
    }
    let vocabulary = probabilities.size()[1];
    if sampling.top_k > 0 && sampling.top_k < vocabulary {
        let (largest, _) = kept.topk(sampling.top_k, -1, true, true);
        let least = largest.narrow(-1, sampling.top_k - 1, 1);
        kept = kept.masked_fill(&kept.lt_tensor(&least), 0.0);
    }
    if sampling.top_p < 1.0 {
        let (sorted, order) = kept.sort_stable(true, -1, true);
        let before = sorted.cumsum(-1, Kind::Float) - &sorted;
        let total = sorted.sum_dim_intlist([-1i64].as_slice(), true, Kind::Float);
        let outside = before.ge_tensor(&(total * sampling.top_p));
        let sorted = sorted.masked_fill(&outside, 0.0);
        kept = kept.scatter(-1, &order, &sorted);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Sampling = Sampling { temperature: 1.0, top_p: 1.0, top_k: 0, min_p: 0.0 };

    fn logits() -> Tensor {
        // Probabilities 0.1, 0.2, 0.7.
        Tensor::from_slice(&[0.1f32, 0.2, 0.7]).log().unsqueeze(0)
    }

    fn drawn(number: f64, sampling: Sampling) -> i64 {
        draw(logits(), &[0], &[number], sampling).0[0]
    }

    #[test]
    fn a_number_picks_the_token_whose_share_of_the_cumulative_distribution_it_falls_in() {
        let tokens: Vec<i64> = [0.0, 0.09, 0.11, 0.29, 0.31, 0.999].map(|n| drawn(n, ALL)).to_vec();
        assert_eq!(tokens, [0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn the_log_probability_is_that_of_the_whole_distribution() {
        let (tokens, found) = draw(logits(), &[0], &[0.15], Sampling { top_k: 2, ..ALL });
        assert_eq!(tokens, [1]);
        assert!((f64::from(found[0]) - 0.2f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn top_k_top_p_and_min_p_leave_out_the_unlikely_tokens() {
        assert_eq!(drawn(0.0, Sampling { top_k: 1, ..ALL }), 2);
        assert_eq!(drawn(0.0, Sampling { top_p: 0.6, ..ALL }), 2);
        assert_eq!(drawn(0.0, Sampling { min_p: 0.2, ..ALL }), 1);
    }

    #[test]
    fn rows_of_one_history_draw_each_at_its_own_number() {
        let logits = Tensor::cat(&[logits(), Tensor::from_slice(&[0.7f32, 0.2, 0.1]).log().unsqueeze(0)], 0);
        let (tokens, found) = draw(logits, &[1, 0, 0, 1], &[0.75, 0.05, 0.95, 0.1], ALL);
        assert_eq!(tokens, [1, 0, 2, 0]);
        for (found, expected) in found.iter().zip([0.2f64, 0.1, 0.7, 0.7]) {
            assert!((f64::from(*found) - expected.ln()).abs() < 1e-6, "{found}");
        }
    }

    #[test]
    fn temperature_zero_takes_the_likeliest_token() {
        assert_eq!(drawn(0.0, Sampling { temperature: 0.0, ..ALL }), 2);
    }
}
