//! What a recipe may choose.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Rows of the board.
    #[schemars(range(min = 3, max = 5))]
    pub rows: u32,
    /// Columns of the board.
    #[schemars(range(min = 3, max = 5))]
    pub columns: u32,
    /// How many cells in a row, column or diagonal win.
    #[schemars(range(min = 3, max = 5))]
    pub in_a_row: u32,
    /// The probability that one stone of each seat is placed at random before the first move.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub preplaced: f64,
    /// Who moves first.
    pub first: First,
    /// How a prompt shows the position.
    pub notation: Notation,
}

impl Default for Options {
    fn default() -> Self {
        Self { rows: 3, columns: 3, in_a_row: 3, preplaced: 0.0, first: First::Random, notation: Notation::Lists }
    }
}

/// Who moves first.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub enum First {
    #[serde(rename = "random")]
    Random,
    #[serde(rename = "seat-0")]
    Seat0,
    #[serde(rename = "seat-1")]
    Seat1,
}

/// How a prompt shows the position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Notation {
    /// Own cells, the other's and the free ones, as lists of numbers.
    Lists,
    /// The free cells, and the lines that each side has begun and can still fill: its marks, then the cells that are missing,
    /// `XX 3`. X is one's own in either seat. A very small model finds wins and threats in it, which it does not in lists.
    Lines,
    /// The board, drawn.
    Grid,
    Both,
}
