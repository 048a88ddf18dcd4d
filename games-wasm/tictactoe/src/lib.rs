//! Tic-tac-toe on 3x3 to 5x5 cells: two seats take turns, the first to fill a line wins.
//!
//! Cells are numbered from 1, row by row, and a move is a bare number. Seat 0 plays X and seat 1 plays O; who moves first is
//! drawn unless an option says. A win scores 1, a draw 0.5, a loss 0.
//!
//! Two counts show tactics apart from results: `wins-taken` (of the turns with an immediate win, those that took it) and
//! `losses-blocked` (of the turns without one where the other threatened to win at once, those that blocked).
//!
//! House players: `random`; `optimal`, whose strength [`search`] explains; `fallible:P`, which is `optimal` but moves at random
//! with probability P (0.3 where none is given).

pub mod board;
pub mod house;
pub mod options;
pub mod search;
mod words;

use board::{Board, Cells, cell_set};
use ludus_game::{About, Count, Game, Outcome, Random, Seat, Turn, plain};
use options::{First, Notation, Options};

ludus_game::export!(TicTacToe);

/// One episode.
pub struct TicTacToe {
    board: Board,
    /// The cells of each seat.
    stones: [Cells; 2],
    mover: Seat,
    notation: Notation,
    /// Which seats have read the rules.
    introduced: [bool; 2],
    tactics: [Tactics; 2],
}

/// What a seat made of its chances: times and chances.
#[derive(Clone, Copy, Default)]
struct Tactics {
    wins: (u32, u32),
    blocks: (u32, u32),
}

impl Game for TicTacToe {
    const ABOUT: About = About {
        name: "tictactoe",
        version: env!("CARGO_PKG_VERSION"),
        summary: "Tic-tac-toe on 3x3 to 5x5 cells: fill a line before the other does.",
        seats: (2, 2),
        // 25 cells.
        steps_max: 25,
        house_players: &["random", "optimal", "fallible"],
        abilities: &["planning", "spatial-reasoning"],
    };
    type Options = Options;
    /// The cell, counted from 0.
    type Move = u32;

    fn start(_seats: u32, options: Options, random: &mut Random) -> Result<Self, String> {
        let board = Board::new(options.rows, options.columns, options.in_a_row)?;
        if !(0.0..=1.0).contains(&options.preplaced) {
            return Err(format!("`preplaced` is a probability from 0 to 1, not {}.", options.preplaced));
        }
        let mover = match options.first {
            First::Random => random.below(2),
            First::Seat0 => 0,
            First::Seat1 => 1,
        };
        let mut stones = [0; 2];
        if random.probability(options.preplaced) {
            let mut cells: Vec<u32> = (0..board.cells()).collect();
            random.shuffle(&mut cells);
            stones = [1 << cells[0], 1 << cells[1]];
        }
        let notation = options.notation;
        Ok(Self { board, stones, mover, notation, introduced: [false; 2], tactics: Default::default() })
    }

    fn turn(&self) -> Turn {
        let ended =
            |scores: [f64; 2], summary| Turn::Over(Outcome { scores: scores.to_vec(), counts: self.counts(), summary });
        for (winner, scores) in [(0, [1.0, 0.0]), (1, [0.0, 1.0])] {
            if let Some(line) = self.board.full_line(self.stones[winner]) {
                return ended(scores, format!("{} wins with {}", words::MARKS[winner], words::list(line)));
            }
        }
        if self.free() == 0 {
            return ended([0.5, 0.5], "a draw".to_owned());
        }
        Turn::Decide(vec![self.mover])
    }

    fn prompt(&mut self, seat: Seat) -> String {
        let is_introduced = std::mem::replace(&mut self.introduced[seat as usize], true);
        let mut text = if is_introduced { String::with_capacity(64) } else { self.rules(seat) };
        self.push_position(&mut text, seat);
        text
    }

    fn ask_again(&self, _seat: Seat) -> String {
        format!("Free: {}", words::list(self.free()))
    }

    fn parse(&self, _seat: Seat, text: &str) -> Result<u32, String> {
        let cells = self.board.cells();
        let number = plain(text).parse::<u32>().ok().filter(|number| (1..=cells).contains(number));
        let number = number.ok_or_else(|| format!("A move is one number from 1 to {cells}."))?;
        if self.free() & 1 << (number - 1) == 0 {
            return Err(format!("Cell {number} is taken."));
        }
        Ok(number - 1)
    }

    fn play(&mut self, moves: Vec<(Seat, u32)>, _random: &mut Random) {
        for (seat, cell) in moves {
            self.note_tactics(seat, cell);
            self.stones[seat as usize] |= 1 << cell;
            self.mover = 1 - seat;
        }
    }

    fn legal_moves(&self, _seat: Seat) -> Option<Vec<String>> {
        let free = self.free();
        let mut moves = Vec::with_capacity(free.count_ones() as usize);
        for cell in cell_set(free) {
            let mut text = String::with_capacity(2);
            words::push_number(&mut text, cell + 1);
            moves.push(text);
        }
        Some(moves)
    }

    fn house_move(&self, seat: Seat, player: &str, random: &mut Random) -> Result<String, String> {
        let (own, other) = self.sides(seat);
        let cell = house::choose(&self.board, own, other, player, random)?;
        Ok((cell + 1).to_string())
    }

    fn view(&self, viewer: Option<Seat>) -> String {
        let grid = self.grid();
        match viewer {
            Some(seat) => format!("{grid}\nYou are {}.", words::MARKS[seat as usize]),
            None => grid,
        }
    }
}

impl TicTacToe {
    fn free(&self) -> Cells {
        self.board.free(self.stones[0], self.stones[1])
    }

    /// A seat's own cells, and the other's.
    fn sides(&self, seat: Seat) -> (Cells, Cells) {
        let seat = seat as usize;
        (self.stones[seat], self.stones[1 - seat])
    }

    /// Notes what a seat makes of its chances with this move; before it is played.
    fn note_tactics(&mut self, seat: Seat, cell: u32) {
        let (own, other) = self.sides(seat);
        let wins = self.board.winning_cells(own, other);
        let threats = self.board.winning_cells(other, own);
        let tactics = &mut self.tactics[seat as usize];
        let (chance, useful) = if wins != 0 { (&mut tactics.wins, wins) } else { (&mut tactics.blocks, threats) };
        chance.0 += u32::from(useful & 1 << cell != 0);
        chance.1 += u32::from(useful != 0);
    }

    fn counts(&self) -> Vec<Count> {
        let of_seat =
            |(seat, tactics): (u32, &Tactics)| {
                [("wins-taken", tactics.wins), ("losses-blocked", tactics.blocks)]
                    .map(|(name, (times, chances))| Count { seat, name: name.to_owned(), times, chances })
            };
        (0..).zip(&self.tactics).flat_map(of_seat).collect()
    }
}
