//! What a recipe may choose.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Which matrix is played; `random` draws one of the nine.
    pub game: GameName,
    /// How many times it is played.
    #[schemars(range(min = 1, max = 100))]
    pub rounds: u32,
    /// What the score is made of.
    pub scoring: Scoring,
    /// Which payoffs a prompt shows.
    pub payoffs: Payoffs,
    /// Whether each episode gives the letters to other actions, so that no constant letter can win. Without a choice: yes, but no
    /// under `gift` scoring.
    pub shuffle_labels: Option<bool>,
    /// Which seat plays the rows of the matrix.
    pub row_seat: RowSeat,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            game: GameName::PrisonersDilemma,
            rounds: 1,
            scoring: Scoring::Payoff,
            payoffs: Payoffs::Both,
            shuffle_labels: None,
            row_seat: RowSeat::Random,
        }
    }
}

/// The matrices, in the order of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GameName {
    #[serde(rename = "random")]
    Random,
    #[serde(rename = "prisoners-dilemma")]
    PrisonersDilemma,
    #[serde(rename = "battle-of-the-sexes")]
    BattleOfTheSexes,
    #[serde(rename = "chicken")]
    Chicken,
    #[serde(rename = "stag-hunt")]
    StagHunt,
    #[serde(rename = "radio-station")]
    RadioStation,
    #[serde(rename = "iesds")]
    Iesds,
    #[serde(rename = "duopoly")]
    Duopoly,
    #[serde(rename = "three-by-four")]
    ThreeByFour,
    #[serde(rename = "weakly-dominated")]
    WeaklyDominated,
}

/// What the score is made of; the mean over the rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scoring {
    /// The own payoff, from 0 for the lowest that the matrix has for this seat to 1 for the highest.
    Payoff,
    /// How good the reply to the other's actual move was: 0 for the worst one, 1 for the best.
    Regret,
    /// GIFT's rule, for comparison only: the matrix is varied, and 1 is for the likeliest action of the last equilibrium.
    Gift,
}

/// Which payoffs a prompt shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Payoffs {
    Both,
    /// The reader's own: fewer tokens, for very small models.
    Own,
}

/// Which seat plays the rows of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RowSeat {
    #[serde(rename = "random")]
    Random,
    #[serde(rename = "seat-0")]
    Seat0,
    #[serde(rename = "seat-1")]
    Seat1,
}
