//! What a recipe may choose.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fleet::{LENGTH_MAX, SHIPS_MAX};
use crate::sea::{SIZE_MAX, SIZE_MIN};

/// As many shots as the largest board has cells: no cap.
pub const SHOTS_MAX: u32 = SIZE_MAX * SIZE_MAX;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Cells along each side of the board, 4 to 10.
    #[schemars(range(min = SIZE_MIN, max = SIZE_MAX))]
    pub size: u32,
    /// The length of each ship, 1 to 5 cells and no longer than the board; together they fill at most half of it.
    #[schemars(length(min = 1, max = SHIPS_MAX), inner(range(min = 1, max = LENGTH_MAX)))]
    pub ships: Vec<u32>,
    /// How often each seat shoots at most, 1 to 100. Where nobody has sunk all ships by then, the shares that were hit decide.
    #[schemars(range(min = 1, max = SHOTS_MAX))]
    pub shots: u32,
    /// How a prompt shows what is known.
    pub notation: Notation,
}

/// How a prompt shows what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Notation {
    /// The cells that were hit, sunk and missed, as lists.
    Lists,
    /// The board, drawn.
    Grid,
}

impl Default for Options {
    fn default() -> Self {
        Self { size: 5, ships: vec![3, 2], shots: SHOTS_MAX, notation: Notation::Lists }
    }
}
