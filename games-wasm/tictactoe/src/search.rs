//! The best moves of a position: take a win, else stop the other's, else search.
//!
//! The search is negamax with alpha-beta, and immediate wins and forced blocks are played out without branching. Up to
//! [`EXACT_CELLS`] free cells it reads every line of play to its end, so `optimal` is perfect on 3x3. Above that it
//! deepens step by step until it has seen [`POSITIONS_MAX`] positions, and judges by open lines where it had to stop. This finds
//! every forced win that fits, but does not prove draws: on 5x5 it is strong, not perfect.

use crate::board::{Board, Cells, cell_set};

/// With so many free cells or fewer, the search is exact.
pub const EXACT_CELLS: u32 = 9;

/// How many positions a deepening search may look at, all depths together: up to 130 million instructions on 5x5.
pub const POSITIONS_MAX: u32 = 10_000;

/// The value of a win; one less for each move that it takes. Far above any promise of open lines.
const WIN: i32 = 1_000_000;

/// The moves that are equally best for the side to move, as a set; empty only where no cell is free.
pub fn best_moves(board: &Board, own: Cells, other: Cells) -> Cells {
    let free = board.free(own, other);
    let wins = board.winning_cells(own, other);
    if wins != 0 {
        return wins;
    }
    let threats = board.winning_cells(other, own);
    if threats != 0 {
        return threats;
    }
    if free.count_ones() <= EXACT_CELLS {
        let mut search = Search { board, positions_left: u32::MAX };
        return search.root(own, other, free.count_ones()).expect("an unbounded search ends");
    }
    let mut search = Search { board, positions_left: POSITIONS_MAX };
    let deeper = (1..=free.count_ones()).map_while(|depth| search.root(own, other, depth));
    deeper.last().unwrap_or(free)
}

struct Search<'board> {
    board: &'board Board,
    positions_left: u32,
}

impl Search<'_> {
    /// The best moves at this depth, or `None` where the positions ran out.
    fn root(&mut self, own: Cells, other: Cells, depth: u32) -> Option<Cells> {
        let mut best = (-2 * WIN, 0);
        for cell in self.ordered(own, other) {
            // A window that is open by one below the best value tells moves as good as the best from worse ones.
            let value = -self.value(other, own | cell, depth - 1, -2 * WIN, 1 - best.0)?;
            if value > best.0 {
                best = (value, cell);
            } else if value == best.0 {
                best.1 |= cell;
            }
        }
        Some(best.1)
    }

    /// The value for the side to move, exact between `alpha` and `beta`, else a bound on the right side of them.
    fn value(&mut self, own: Cells, other: Cells, depth: u32, mut alpha: i32, beta: i32) -> Option<i32> {
        self.positions_left = self.positions_left.checked_sub(1)?;
        let free = self.board.free(own, other);
        // Fewer stones on the board, more free cells: the sooner a win, the better.
        let sooner = free.count_ones() as i32;
        if self.board.winning_cells(own, other) != 0 {
            return Some(WIN + sooner);
        }
        let threats = self.board.winning_cells(other, own);
        if threats.count_ones() > 1 {
            // One is blocked, the other wins a move later.
            return Some(-WIN - (sooner - 1));
        }
        if threats != 0 {
            // The one block costs no depth: forced lines are read to their end.
            return Some(-self.value(other, own | threats, depth, -beta, -alpha)?);
        }
        if free == 0 || !self.board.is_open(own, other) {
            return Some(0);
        }
        if depth == 0 {
            return Some(self.board.promise(own, other) - self.board.promise(other, own));
        }
        let mut best = -2 * WIN;
        for cell in self.ordered(own, other) {
            best = best.max(-self.value(other, own | cell, depth - 1, -beta, -alpha)?);
            alpha = alpha.max(best);
            if alpha >= beta {
                break;
            }
        }
        Some(best)
    }

    /// The free cells, each as a set of its own, promising ones first: they cut off more.
    fn ordered(&self, own: Cells, other: Cells) -> Vec<Cells> {
        let mut cells: Vec<Cells> = cell_set(self.board.free(own, other)).map(|cell| 1 << cell).collect();
        cells.sort_by_cached_key(|cell| -self.board.promise(own | cell, other) - self.board.promise(other | cell, own));
        cells
    }
}
