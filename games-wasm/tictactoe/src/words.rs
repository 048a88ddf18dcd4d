//! What players read. A prompt is short, since each of its tokens costs time; numbers are spaced, since small models answer
//! spaced digits with one digit and run-together digits with a run.

use ludus_game::Seat;

use crate::TicTacToe;
use crate::board::{Cells, cell_set};
use crate::options::Notation;

/// The mark of each seat.
pub const MARKS: [&str; 2] = ["X", "O"];

/// Cells as people number them: `1 5 9`.
pub fn list(cells: Cells) -> String {
    numbers(cell_set(cells))
}

fn numbers(cells: impl Iterator<Item = u32>) -> String {
    let numbers: Vec<String> = cells.map(|cell| (cell + 1).to_string()).collect();
    if numbers.is_empty() { "none".to_owned() } else { numbers.join(" ") }
}

impl TicTacToe {
    /// The rules, for a seat that reads them for the first time.
    pub(crate) fn rules(&self, seat: Seat) -> String {
        let length = ["Three", "Four", "Five"][self.board.in_a_row as usize - 3];
        let marks = match self.notation {
            Notation::Lists => String::new(),
            Notation::Grid | Notation::Both => format!(" You are {}.", MARKS[seat as usize]),
        };
        format!(
            "Tic-tac-toe on {} rows of {} cells, numbered from 1 row by row. {length} in a line win.{marks} Answer with the number of a free cell.\n",
            self.board.rows, self.board.columns
        )
    }

    /// The free cells, in the order of this episode.
    pub(crate) fn listed_free(&self) -> String {
        let free = self.free();
        numbers(self.listing.iter().copied().filter(|cell| free & 1 << cell != 0))
    }

    /// The position as this seat reads it.
    pub(crate) fn position(&self, seat: Seat) -> String {
        let (own, other) = self.sides(seat);
        let lists = || format!("You: {}\nOther: {}\nFree: {}", list(own), list(other), self.listed_free());
        match self.notation {
            Notation::Lists => lists(),
            Notation::Grid => self.grid(),
            Notation::Both => format!("{}\n{}", self.grid(), lists()),
        }
    }

    /// The board, drawn: a mark or the number of a free cell.
    pub(crate) fn grid(&self) -> String {
        let width = if self.board.cells() > 9 { 2 } else { 1 };
        let cell = |cell: u32| {
            let bit = 1 << cell;
            match self.stones.iter().position(|stones| stones & bit != 0) {
                Some(seat) => format!("{:>width$}", MARKS[seat]),
                None => format!("{:>width$}", cell + 1),
            }
        };
        let row = |row: u32| {
            (0..self.board.columns).map(|column| cell(row * self.board.columns + column)).collect::<Vec<_>>().join(" ")
        };
        (0..self.board.rows).map(row).collect::<Vec<_>>().join("\n")
    }
}
