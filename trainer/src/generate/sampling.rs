//! From logits to tokens.
//!
//! A token is drawn by inverting the cumulative distribution at a number from the row's own stream, so a draw does not
//! depend on which other rows are in the batch.

use tch::{Kind, Tensor};

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
pub(super) fn draw(logits: &Tensor, histories: &[usize], numbers: &[f64], sampling: Sampling) -> (Vec<i64>, Vec<f32>) {
    // Each history's numbers stand in a line of their own: columns of rows.
    let mut columns = Vec::with_capacity(histories.len());
    let mut used = vec![0usize; logits.size()[0] as usize];
    for &history in histories {
        columns.push(used[history]);
        used[history] += 1;
    }
    let width = used.iter().copied().max().unwrap_or(0).max(1);
    let mut table = vec![0.0; used.len() * width];
    let cells: Vec<usize> = histories.iter().zip(&columns).map(|(history, column)| history * width + column).collect();
    cells.iter().zip(numbers).for_each(|(&cell, &number)| table[cell] = number);

    let greedy = sampling.temperature == 0.0;
    let scaled = if greedy { logits.shallow_clone() } else { logits / sampling.temperature };
    let log_probabilities = scaled.log_softmax(-1, Kind::Float);
    let tokens = if greedy {
        logits.argmax(-1, true).expand([-1, width as i64], false)
    } else {
        let weights = truncated(&log_probabilities.exp(), sampling);
        let cumulative = weights.cumsum(-1, Kind::Double);
        let total = cumulative.narrow(-1, cumulative.size()[1] - 1, 1);
        let numbers = Tensor::from_slice(&table).view([-1, width as i64]).to_device(logits.device()) * total;
        let found = numbers.searchsorted(&cumulative, false, true, "right", None::<Tensor>);
        found.clamp_max(logits.size()[1] - 1)
    };
    let chosen = log_probabilities.gather(-1, &tokens, false);
    let (mut token_values, mut chosen_values) = (vec![0i64; table.len()], vec![0f32; table.len()]);
    tokens.contiguous().copy_data(&mut token_values, table.len());
    chosen.copy_data(&mut chosen_values, table.len());
    cells.iter().map(|&cell| (token_values[cell], chosen_values[cell])).unzip()
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
        draw(&logits(), &[0], &[number], sampling).0[0]
    }

    #[test]
    fn a_number_picks_the_token_whose_share_of_the_cumulative_distribution_it_falls_in() {
        let tokens: Vec<i64> = [0.0, 0.09, 0.11, 0.29, 0.31, 0.999].map(|n| drawn(n, ALL)).to_vec();
        assert_eq!(tokens, [0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn the_log_probability_is_that_of_the_whole_distribution() {
        let (tokens, found) = draw(&logits(), &[0], &[0.15], Sampling { top_k: 2, ..ALL });
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
        let (tokens, found) = draw(&logits, &[1, 0, 0, 1], &[0.75, 0.05, 0.95, 0.1], ALL);
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
