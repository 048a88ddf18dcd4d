//! From the returns of a group to the advantages of its members, and which groups are worth an update.
//!
//! GRPO (2402.03300): `A_i = (R_i - mean R) / (std R + epsilon)`; Dr. GRPO (2503.20783) leaves the division out. Both compare
//! the members of one group, which share the deal.
//!
//! StarPO's filter (2504.20073) keeps the groups whose returns differ most. It ranks by the spread of the *raw* returns:
//! after normalisation every group has spread one, and a ranking of ones is a ranking of rounding errors.

use serde::{Deserialize, Serialize};

/// Keeps the division finite in a group of nearly equal returns.
const SPREAD_EPSILON: f64 = 1e-6;

/// How returns become advantages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Advantage {
    /// Deviation from the group's mean, over the group's standard deviation.
    Grpo,
    /// Deviation from the group's mean.
    DrGrpo,
}

impl Advantage {
    /// One advantage for each return of a group, in order.
    pub fn of_group(self, returns: &[f64]) -> Vec<f64> {
        let mean = mean(returns);
        let scale = match self {
            Advantage::Grpo => spread(returns) + SPREAD_EPSILON,
            Advantage::DrGrpo => 1.0,
        };
        returns.iter().map(|value| (value - mean) / scale).collect()
    }
}

/// The mean, or zero of nothing.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sample standard deviation (divisor n - 1, as TRL's); zero exactly where no value differs from another.
pub fn spread(values: &[f64]) -> f64 {
    if values.windows(2).all(|pair| pair[0] == pair[1]) {
        return 0.0;
    }
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// The indices of the groups that enter the update, in their original order, by the spread of each group's raw returns.
///
/// Groups without spread teach nothing and never enter. Of all groups given, the fraction `keep` (rounded up) with the widest
/// spread stays; equal spreads go to the earlier group.
pub fn widest_groups(spreads: &[f64], keep: f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..spreads.len()).filter(|&group| spreads[group] > 0.0).collect();
    order.sort_by(|&a, &b| spreads[b].total_cmp(&spreads[a]).then(a.cmp(&b)));
    order.truncate((spreads.len() as f64 * keep).ceil() as usize);
    order.sort_unstable();
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-5, "{found:?} is not {expected:?}");
        }
    }

    #[test]
    fn grpo_of_one_win_in_four_is_the_hand_computed_value() {
        // mean 1/4, sample variance (9/16 + 3/16) / 3 = 1/4, standard deviation 1/2.
        close(&Advantage::Grpo.of_group(&[1.0, 0.0, 0.0, 0.0]), &[1.5, -0.5, -0.5, -0.5]);
    }

    #[test]
    fn dr_grpo_does_not_divide_by_the_spread() {
        close(&Advantage::DrGrpo.of_group(&[1.0, 0.0, 0.0, 0.0]), &[0.75, -0.25, -0.25, -0.25]);
    }

    #[test]
    fn the_filter_ranks_raw_returns_and_not_normalised_ones() {
        let narrow = vec![0.50, 0.51, 0.50, 0.51];
        let wide = vec![0.0, 1.0, 0.0, 1.0];
        // Normalised, both groups would have the same spread, and the first would win.
        assert_eq!(widest_groups(&[spread(&narrow), spread(&wide)], 0.5), [1]);
    }

    #[test]
    fn groups_without_spread_never_enter() {
        // A tenth is not a binary fraction: the mean of ten of them is not a tenth.
        let equal = spread(&[0.1; 10]);
        assert!(widest_groups(&[equal, equal], 1.0).is_empty());
    }

    #[test]
    fn a_quarter_of_eight_groups_is_two_in_their_own_order() {
        let spreads: Vec<f64> = (0..8).map(|i| f64::from(i % 5)).collect();
        assert_eq!(widest_groups(&spreads, 0.25), [3, 4]);
    }
}
