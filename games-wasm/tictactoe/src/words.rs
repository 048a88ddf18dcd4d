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
    let mut text = String::with_capacity(32);
    push_list(&mut text, cells);
    text
}

/// Writes cells behind what is there. Every step writes three lists, so this is done by hand: the formatter takes many times
/// as long.
fn push_list(text: &mut String, cells: Cells) {
    if cells == 0 {
        text.push_str("none");
    }
    for (index, cell) in cell_set(cells).enumerate() {
        if index > 0 {
            text.push(' ');
        }
        push_number(text, cell + 1);
    }
}

/// The number of a cell, at most 25.
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
        let (rows, columns) = (self.board.rows.to_string(), self.board.columns.to_string());
        [
            "Tic-tac-toe on ",
            &rows,
            " rows of ",
            &columns,
            " cells, numbered from 1 row by row. ",
            length,
            " in a line win.",
            &marks,
            " Answer with the number of a free cell.\n",
        ]
        .concat()
    }

    /// Writes the position as this seat reads it.
    pub(crate) fn push_position(&self, text: &mut String, seat: Seat) {
        let (own, other) = self.sides(seat);
        match self.notation {
            Notation::Lists => self.push_lists(text, own, other),
            Notation::Lines => {
                text.push_str("Free: ");
                push_list(text, self.free());
                text.push_str(&format!("\nX: {}\nO: {}", self.begun("X", own, other), self.begun("O", other, own)));
            }
            Notation::Grid => text.push_str(&self.grid()),
            Notation::Both => {
                text.push_str(&self.grid());
                text.push('\n');
                self.push_lists(text, own, other);
            }
        }
    }

    fn push_lists(&self, text: &mut String, own: Cells, other: Cells) {
        for (title, cells) in [("You: ", own), ("\nOther: ", other), ("\nFree: ", self.free())] {
            text.push_str(title);
            push_list(text, cells);
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
