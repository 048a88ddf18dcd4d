//! A fleet: which ships there are, and where they lie.

use ludus_game::Random;

use crate::sea::{Cells, Sea};

pub const SHIPS_MAX: usize = 6;
pub const LENGTH_MAX: u32 = 5;

/// Where each ship lies, in the order of the lengths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    pub ships: Vec<Cells>,
}

impl Fleet {
    /// A fleet at random: each arrangement without a shared cell is equally likely; ships may touch.
    ///
    /// The lengths are those that [`check`] lets through, so that an arrangement exists.
    pub fn deal(sea: Sea, lengths: &[u32], random: &mut Random) -> Self {
        let placements: Vec<Vec<Cells>> = lengths.iter().map(|&length| sea.placements(length)).collect();
        // Ships are laid without regard to each other until they happen not to meet: the one simple way to be uniform.
        loop {
            let ships: Vec<Cells> = placements.iter().map(|placements| *random.pick(placements)).collect();
            let fleet = Self { ships };
            if fleet.cells().count_ones() == lengths.iter().sum::<u32>() {
                return fleet;
            }
        }
    }

    /// All cells with a ship.
    pub fn cells(&self) -> Cells {
        self.ships.iter().fold(0, |cells, ship| cells | ship)
    }

    /// The cells of the ships that these shots have sunk.
    pub fn sunk(&self, shots: Cells) -> Cells {
        self.ships.iter().filter(|&ship| ship & !shots == 0).fold(0, |cells, ship| cells | ship)
    }

    /// The lengths of the ships that these shots have not sunk.
    pub fn afloat(&self, shots: Cells) -> Vec<u32> {
        self.ships.iter().filter(|&ship| ship & !shots != 0).map(|ship| ship.count_ones()).collect()
    }
}

/// Checks that such a fleet can be dealt.
///
/// Where ships are no longer than a row and fill at most half of the board they always fit: laid into the rows, the longest
/// first, one that fits in no row would find each of them more than half full.
///
/// # Errors
/// A sentence that names the option and what is wrong with it.
pub fn check(sea: Sea, lengths: &[u32]) -> Result<(), String> {
    if lengths.is_empty() || lengths.len() > SHIPS_MAX {
        return Err(format!("`ships` lists 1 to {SHIPS_MAX} ships, not {}.", lengths.len()));
    }
    let longest = LENGTH_MAX.min(sea.size);
    if let Some(length) = lengths.iter().find(|length| !(1..=longest).contains(length)) {
        return Err(format!("`ships` has a ship of {length} cells: on this board ships have 1 to {longest}."));
    }
    let cells: u32 = lengths.iter().sum();
    if cells * 2 > sea.cells() {
        return Err(format!("`ships` fill {cells} of {} cells: at most half of the board may be filled.", sea.cells()));
    }
    Ok(())
}
