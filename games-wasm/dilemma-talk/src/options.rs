//! What a recipe may choose.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub const ROUNDS_MAX: u32 = 20;

/// Where the last round is hidden, the game has at most so many times the rounds that it has on average.
pub const HIDDEN_FACTOR_MAX: u32 = 4;

/// Of a payoff's size, in points.
pub const POINTS_MAX: i32 = 100;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How many rounds are played, 1 to 20; on average, where the last round is hidden.
    #[schemars(range(min = 1, max = ROUNDS_MAX))]
    pub rounds: u32,
    /// Whether the players know which round is the last.
    pub ending: Ending,
    /// Whether the players send each other a message before each round.
    pub talk: bool,
    /// Points for defecting against a cooperator. More than `reward`.
    #[schemars(range(min = -POINTS_MAX, max = POINTS_MAX))]
    pub temptation: i32,
    /// Points for each where both cooperate. More than `punishment`.
    #[schemars(range(min = -POINTS_MAX, max = POINTS_MAX))]
    pub reward: i32,
    /// Points for each where both defect. More than `sucker`.
    #[schemars(range(min = -POINTS_MAX, max = POINTS_MAX))]
    pub punishment: i32,
    /// Points for cooperating with a defector.
    #[schemars(range(min = -POINTS_MAX, max = POINTS_MAX))]
    pub sucker: i32,
}

/// Whether the players know which round is the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// `rounds` rounds, and everybody knows.
    Known,
    /// After each round the game ends with a chance of 1 in `rounds`; it has at most four times `rounds`.
    Hidden,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounds: 5, ending: Ending::Known, talk: true, temptation: 5, reward: 3, punishment: 1, sucker: 0 }
    }
}

impl Options {
    /// # Errors
    /// A sentence that names the option that is out of range.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=ROUNDS_MAX).contains(&self.rounds) {
            return Err(format!("`rounds` is from 1 to {ROUNDS_MAX}, not {}.", self.rounds));
        }
        let payoffs = [
            ("temptation", self.temptation),
            ("reward", self.reward),
            ("punishment", self.punishment),
            ("sucker", self.sucker),
        ];
        if let Some((name, points)) = payoffs.iter().find(|(_, points)| !(-POINTS_MAX..=POINTS_MAX).contains(points)) {
            return Err(format!("`{name}` is from -{POINTS_MAX} to {POINTS_MAX}, not {points}."));
        }
        for pair in payoffs.windows(2) {
            let [(more, higher), (less, lower)] = [pair[0], pair[1]];
            if higher <= lower {
                return Err(format!(
                    "`{more}` of {higher} must be more than `{less}` of {lower}, or it is no dilemma."
                ));
            }
        }
        Ok(())
    }
}
