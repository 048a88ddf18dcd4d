//! What a seat knows of the other's board: where it shot, what it hit, and which ships it sank.
//!
//! House players and prompts are made of a chart alone, so they cannot know more.

use crate::fleet::Fleet;
use crate::sea::{Cells, Sea};

/// One seat's knowledge of the other's board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    pub sea: Sea,
    /// Shots that hit a ship which is not sunk yet.
    pub hit: Cells,
    /// The cells of ships that are sunk.
    pub sunk: Cells,
    pub missed: Cells,
    /// The lengths of the ships that are not sunk.
    pub afloat: Vec<u32>,
}

impl Chart {
    /// What these shots at this fleet have shown.
    pub fn new(sea: Sea, fleet: &Fleet, shots: Cells) -> Self {
        let sunk = fleet.sunk(shots);
        let hit = shots & fleet.cells() & !sunk;
        Self { sea, hit, sunk, missed: shots & !fleet.cells(), afloat: fleet.afloat(shots) }
    }

    /// The cells that were not shot at.
    pub fn open(&self) -> Cells {
        self.sea.all() & !(self.hit | self.sunk | self.missed)
    }
}
