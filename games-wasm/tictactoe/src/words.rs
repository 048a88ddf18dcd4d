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
    let mut text = String::with_capacity(3 * cells.count_ones() as usize + 4);
    for cell in cell_set(cells) {
        if !text.is_empty() {
            text.push(' ');
        }
        push_number(&mut text, cell + 1);
    }
    if text.is_empty() {
        text.push_str("none");
    }
    text
}

/// The number of a cell, at most 25; every step writes dozens of them.
pub fn push_number(text: &mut String, number: u32) {
    let digit = |digit: u32| char::from(b'0' + digit as u8);
    if number >= 10 {
        text.push(digit(number / 10));
    }
    text.push(digit(number % 10));
}

fn or_none(items: Vec<String>, separator: &str) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(separator) }
}

impl TicTacToe {
    /// The rules, for a seat that reads them for the first time.
    pub(crate) fn rules(&self, seat: Seat) -> String {
        let length = ["Three", "Four", "Five"][self.board.in_a_row as usize - 3];
        let marks = match self.notation {
            Notation::Lists => String::new(),
            Notation::Lines => " X is yours, O the other's.".to_owned(),
            Notation::Grid | Notation::Both => format!(" You are {}.", MARKS[seat as usize]),
        };
        format!(
            "Tic-tac-toe on {} rows of {} cells, numbered from 1 row by row. {length} in a line win.{marks} Answer with the number of a free cell.\n",
            self.board.rows, self.board.columns
        )
    }

    /// The position as this seat reads it.
    pub(crate) fn position(&self, seat: Seat) -> String {
        let (own, other) = self.sides(seat);
        let free = list(self.free());
        let lists = || format!("You: {}\nOther: {}\nFree: {free}", list(own), list(other));
        match self.notation {
            Notation::Lists => lists(),
            Notation::Lines => {
                format!("Free: {free}\nX: {}\nO: {}", self.begun("X", own, other), self.begun("O", other, own))
            }
            Notation::Grid => self.grid(),
            Notation::Both => format!("{}\n{}", self.grid(), lists()),
        }
    }

    /// The lines that a side has begun and can still fill: its marks, then what is missing, `XX 3, X 4 7`.
    fn begun(&self, mark: &str, own: Cells, other: Cells) -> String {
        let line = |line: Cells| format!("{} {}", mark.repeat((line & own).count_ones() as usize), list(line & !own));
        or_none(self.board.begun_lines(own, other).map(line).collect(), ", ")
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
