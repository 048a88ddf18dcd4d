//! What players read. A prompt is short, since each of its tokens costs time.

use ludus_game::Seat;

use crate::chart::Chart;
use crate::fleet::Fleet;
use crate::options::{Notation, Options};
use crate::sea::{Cells, Sea, column_letter};
use crate::{Answer, Battleship, Shot};

/// The rules, for a seat that reads them for the first time.
pub fn rules(sea: Sea, options: &Options, own: &Fleet) -> String {
    let limit = if options.shots < sea.cells() {
        format!(" After {} shots each, who has hit more is ahead.", options.shots)
    } else {
        String::new()
    };
    format!(
        "Battleship on {size} by {size} cells: columns A to {last}, rows 1 to {size}. Each player has hidden {ships} in straight lines. \
         You shoot in turn. Who first sinks all ships of the other wins.{limit} Answer with a cell, such as B3.\nYour ships: {own}\n",
        size = sea.size,
        last = column_letter(sea.size - 1),
        ships = ships(&options.ships),
        own = sea.names(own.cells()),
    )
}

/// `a ship of 3 cells`, `ships of 3 and 2 cells`.
fn ships(lengths: &[u32]) -> String {
    let lengths: Vec<String> = lengths.iter().map(u32::to_string).collect();
    match lengths.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("ships of {} and {last} cells", rest.join(", ")),
        _ => format!("a ship of {} cells", lengths.concat()),
    }
}

/// What a seat newly gets to know: its own last shot's answer and the other's last shot.
pub fn news(sea: Sea, seat: Seat, shots: &[Shot]) -> String {
    let who = |shooter: Seat| if shooter == seat { "You" } else { "The other" };
    shots
        .iter()
        .map(|shot| format!("{} shot {}: {}.\n", who(shot.seat), sea.name(shot.cell), answer(shot.answer)))
        .collect()
}

fn answer(answer: Answer) -> &'static str {
    match answer {
        Answer::Miss => "miss",
        Answer::Hit => "hit",
        Answer::Sunk => "hit and sunk",
    }
}

/// What a seat knows of the other's board.
pub fn chart(chart: &Chart, notation: Notation) -> String {
    let sea = chart.sea;
    let afloat: Vec<String> = chart.afloat.iter().map(u32::to_string).collect();
    let known = match notation {
        Notation::Lists => {
            let [hit, sunk, missed] = [chart.hit, chart.sunk, chart.missed].map(|cells| sea.names(cells));
            format!("Hit: {hit}\nSunk: {sunk}\nMissed: {missed}")
        }
        Notation::Grid => format!(
            "{}\n. not shot at, x hit, s sunk, o missed",
            grid(sea, &[(chart.hit, 'x'), (chart.sunk, 's'), (chart.missed, 'o')])
        ),
    };
    format!("{known}\nShips left: {}", afloat.join(" "))
}

/// A board, drawn: the mark of the first set that holds a cell, else a point.
fn grid(sea: Sea, marks: &[(Cells, char)]) -> String {
    let mark = |cell: u32| marks.iter().find(|(cells, _)| cells & 1 << cell != 0).map_or('.', |(_, mark)| *mark);
    let header: String = (0..sea.size).map(|column| format!(" {}", column_letter(column))).collect();
    let row = |row: u32| {
        let marks: String = (0..sea.size).map(|column| format!(" {}", mark(row * sea.size + column))).collect();
        format!("\n{:>2}{marks}", row + 1)
    };
    format!("  {header}{}", (0..sea.size).map(row).collect::<String>())
}

impl Battleship {
    /// A seat's own board: its ships, and the other's shots at them.
    fn own_board(&self, seat: Seat) -> String {
        let (fleet, shots) = (&self.fleets[seat as usize], self.shots_of(1 - seat));
        let (ships, sunk) = (fleet.cells(), fleet.sunk(shots));
        grid(self.sea, &[(sunk, 's'), (ships & shots, 'x'), (ships, '#'), (shots, 'o')])
    }

    /// The position for people.
    pub(crate) fn drawn(&self, viewer: Option<Seat>) -> String {
        const LEGEND: &str = "# ship, x hit, s sunk, o missed";
        match viewer {
            Some(seat) => format!(
                "Your ships ({LEGEND}):\n{}\nThe other's:\n{}",
                self.own_board(seat),
                chart(&self.chart(seat), Notation::Grid)
            ),
            None => {
                format!("Ships of seat 0 ({LEGEND}):\n{}\nShips of seat 1:\n{}", self.own_board(0), self.own_board(1))
            }
        }
    }
}
