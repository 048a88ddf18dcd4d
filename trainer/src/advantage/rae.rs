//! RAE, role-conditioned advantage estimation (SPIRAL, 2506.24119): deviation from what the same role in the same game got
//! lately. First and second seat of a game, or two games, have returns of their own, and one baseline for all would praise
//! whoever sits better.
//!
//! ```text
//! A        = R - b[role]
//! b[role] <- decay * b[role] + (1 - decay) * R           b[role] = 0 at first
//! ```
//!
//! The baseline is read before its own return moves it, return by return in the order of episodes. Baselines live as long as a
//! run: a checkpoint keeps them.

use std::collections::BTreeMap;

/// What each role got lately.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baselines {
    /// How much of a baseline stays with each return, from 0 to below 1.
    decay: f64,
    pub values: BTreeMap<String, f64>,
}

impl Baselines {
    /// Zero for every role.
    pub fn new(decay: f64) -> Baselines {
        Baselines { decay, values: BTreeMap::new() }
    }

    /// The advantage of a return in a role, which moves the role's baseline.
    pub fn advantage(&mut self, role: &str, value: f64) -> f64 {
        let baseline = self.values.entry(role.to_string()).or_default();
        let advantage = value - *baseline;
        *baseline = self.decay * *baseline + (1.0 - self.decay) * value;
        advantage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_a_baseline_of_its_own() {
        let mut baselines = Baselines::new(0.75);
        assert_eq!(baselines.advantage("nim:0", 1.0), 1.0);
        assert_eq!(baselines.advantage("nim:1", 0.5), 0.5);
        // A quarter of the first return.
        assert_eq!(baselines.advantage("nim:0", 1.0), 0.75);
        assert_eq!(baselines.values["nim:0"], 0.75 * 0.25 + 0.25);
        assert_eq!(baselines.values["nim:1"], 0.125);
    }
}
