//! The players that the game brings along. They see a seat's [`Chart`] and nothing else.
//!
//! `random` shoots at any cell that was not shot at.
//!
//! `hunt` follows up a hit: beside two hits in a row it goes on along the row, else it tries any neighbour. Without a hit to
//! follow it looks for the shortest ship afloat, of k cells. Such a ship covers each remainder of (row + column) modulo k, so
//! the cells of one remainder are enough to find it and every longer one; it takes the remainder with the fewest cells left.

use ludus_game::Random;

use crate::chart::Chart;
use crate::sea::{Cells, DIRECTIONS, Sea, back, cell_set};

/// The cell that a house player shoots at.
///
/// # Errors
/// A sentence for a player that does not exist.
pub fn choose(chart: &Chart, player: &str, random: &mut Random) -> Result<u32, String> {
    let candidates = match player {
        "random" => chart.open(),
        "hunt" => hunted(chart),
        _ => return Err(format!("There is no house player `{player}`; take `random` or `hunt`.")),
    };
    let cells: Vec<u32> = cell_set(candidates).collect();
    if cells.is_empty() {
        return Err("No cell is left to shoot at.".to_owned());
    }
    Ok(*random.pick(&cells))
}

fn hunted(chart: &Chart) -> Cells {
    let open = chart.open();
    [in_line(chart) & open, beside(chart.sea, chart.hit) & open]
        .into_iter()
        .find(|&candidates| candidates != 0)
        .unwrap_or_else(|| sparsest_remainder(chart))
}

/// The cells beside some others.
pub fn beside(sea: Sea, cells: Cells) -> Cells {
    let steps = cell_set(cells).flat_map(|cell| DIRECTIONS.map(|direction| sea.step(cell, direction)));
    steps.flatten().fold(0, |beside, cell| beside | 1 << cell)
}

/// The cells that continue two hits in a row.
fn in_line(chart: &Chart) -> Cells {
    let is_hit = |cell: u32| chart.hit & 1 << cell != 0;
    let mut continued = 0;
    for cell in cell_set(chart.hit) {
        for direction in DIRECTIONS {
            let before = chart.sea.step(cell, back(direction)).is_some_and(is_hit);
            let next = chart.sea.step(cell, direction).filter(|_| before);
            continued |= next.map_or(0, |next| 1 << next);
        }
    }
    continued
}

/// Of the remainders of (row + column) modulo the shortest length afloat, the open cells of one that has fewest of them.
fn sparsest_remainder(chart: &Chart) -> Cells {
    let Some(&shortest) = chart.afloat.iter().min() else { return chart.open() };
    let size = chart.sea.size;
    let of_remainder = |remainder: u32| {
        let cells = cell_set(chart.open()).filter(|cell| (cell / size + cell % size) % shortest == remainder);
        cells.fold(0, |cells, cell| cells | 1 << cell)
    };
    (0..shortest).map(of_remainder).min_by_key(|cells: &Cells| cells.count_ones()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(hit: &[&str], missed: &[&str], afloat: &[u32]) -> Chart {
        let sea = Sea { size: 5 };
        Chart { sea, hit: cells(hit), sunk: 0, missed: cells(missed), afloat: afloat.to_vec() }
    }

    fn cells(names: &[&str]) -> Cells {
        names.iter().map(|name| 1 << Sea { size: 5 }.cell(name).expect("a cell")).sum()
    }

    #[test]
    fn hunt_tries_the_neighbours_of_a_hit() {
        assert_eq!(hunted(&chart(&["C3"], &["C2"], &[3])), cells(&["B3", "D3", "C4"]));
        assert_eq!(hunted(&chart(&["A1"], &[], &[3])), cells(&["B1", "A2"]));
    }

    #[test]
    fn hunt_goes_on_along_two_hits_in_a_row_and_tries_beside_them_where_both_ends_are_closed() {
        assert_eq!(hunted(&chart(&["B3", "C3"], &[], &[3])), cells(&["A3", "D3"]));
        assert_eq!(hunted(&chart(&["A3", "B3"], &[], &[3])), cells(&["C3"]));
        // Two ships that touch.
        assert_eq!(hunted(&chart(&["A3", "B3"], &["C3"], &[3, 2])), cells(&["A2", "A4", "B2", "B4"]));
    }

    #[test]
    fn hunt_looks_for_a_ship_of_two_on_the_smaller_colour_of_the_chessboard() {
        let dark = hunted(&chart(&[], &[], &[3, 2]));
        assert_eq!(dark.count_ones(), 12);
        assert_eq!(dark & cells(&["A2", "B1"]), cells(&["A2", "B1"]));
        // Of the 25 cells 9 have a remainder of 1 modulo 3, and 8 each of the others.
        assert_eq!(hunted(&chart(&[], &[], &[3])).count_ones(), 8);
    }

    #[test]
    fn hunt_never_lacks_a_cell_while_a_ship_is_afloat() {
        use crate::fleet::Fleet;
        let sea = Sea { size: 4 };
        let mut random = Random::seeded(1);
        for _ in 0..2_000 {
            let fleet = Fleet::deal(sea, &[3, 3, 2], &mut random);
            let mut shots = 0;
            while fleet.cells() & !shots != 0 {
                let cell = choose(&Chart::new(sea, &fleet, shots), "hunt", &mut random).expect("a cell");
                assert_eq!(shots & 1 << cell, 0, "no cell is shot at twice");
                shots |= 1 << cell;
            }
        }
    }
}
