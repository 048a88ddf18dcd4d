//! From returns to advantages.
//!
//! Most methods compare the members of a group, which share the deal. RAE compares with what the same role got before, and
//! GiGPO adds a comparison of replies that were given in the same position. Each has a file with its formula.

mod dr_grpo;
pub mod gigpo;
mod grpo;
pub mod rae;
mod rloo;

use serde::{Deserialize, Serialize};

use self::rae::Baselines;

/// How returns become advantages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Advantage {
    /// Deviation from the group's mean, over the group's standard deviation.
    Grpo,
    /// Deviation from the group's mean.
    DrGrpo,
    /// Deviation from the mean of the others in the group.
    Rloo,
    /// Deviation from what the same role in the same game got lately.
    Rae,
    /// As `grpo`, and added to it the same among replies given in the same position.
    Gigpo,
}

impl Advantage {
    /// One advantage for each return of a group, in order. `roles` are what each return was got in, and `baselines` what these
    /// roles got before; only RAE looks at them, and writes down what they got now.
    pub fn of_group(self, returns: &[f64], roles: &[String], baselines: &mut Baselines) -> Vec<f64> {
        match self {
            Advantage::Grpo | Advantage::Gigpo => grpo::advantages(returns),
            Advantage::DrGrpo => dr_grpo::advantages(returns),
            Advantage::Rloo => rloo::advantages(returns),
            Advantage::Rae => {
                roles.iter().zip(returns).map(|(role, &value)| baselines.advantage(role, value)).collect()
            }
        }
    }

    /// What a point of a return counts in the advantage of a group of such returns: all of it, or its share of their standard
    /// deviation (where none differs, all of it again).
    pub fn scale(self, returns: &[f64]) -> f64 {
        match (self, spread(returns)) {
            (Advantage::Grpo | Advantage::Gigpo, spread) if spread > 0.0 => 1.0 / spread,
            _ => 1.0,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-5, "{found:?} is not {expected:?}");
        }
    }

    fn of_one_win_in_four(advantage: Advantage) -> Vec<f64> {
        let roles = vec!["nim:0".to_string(); 4];
        advantage.of_group(&[1.0, 0.0, 0.0, 0.0], &roles, &mut Baselines::new(0.5))
    }

    #[test]
    fn grpo_of_one_win_in_four_is_the_hand_computed_value() {
        // mean 1/4, sample variance (9/16 + 3/16) / 3 = 1/4, standard deviation 1/2.
        close(&of_one_win_in_four(Advantage::Grpo), &[1.5, -0.5, -0.5, -0.5]);
    }

    #[test]
    fn dr_grpo_does_not_divide_by_the_spread() {
        close(&of_one_win_in_four(Advantage::DrGrpo), &[0.75, -0.25, -0.25, -0.25]);
    }

    #[test]
    fn rloo_compares_with_the_others_alone() {
        // The winner's others have mean 0, a loser's 1/3.
        let third = 1.0 / 3.0;
        close(&of_one_win_in_four(Advantage::Rloo), &[1.0, -third, -third, -third]);
    }

    #[test]
    fn rae_compares_with_what_the_role_got_before() {
        // Baselines 0, then 1/2, 1/4 and 1/8.
        close(&of_one_win_in_four(Advantage::Rae), &[1.0, -0.5, -0.25, -0.125]);
    }
}
