//! The geometry: which cells there are and which sets of them are lines. Whose stones lie where is the caller's.

/// A set of cells, one bit each. Bit 0 is the cell that people call 1.
pub type Cells = u32;

/// The cells of a set, counted from 0, in rising order.
pub fn cell_set(mut cells: Cells) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let next = (cells != 0).then(|| cells.trailing_zeros())?;
        cells &= cells - 1;
        Some(next)
    })
}

/// A board's shape.
#[derive(Clone, Debug)]
pub struct Board {
    pub rows: u32,
    pub columns: u32,
    pub in_a_row: u32,
    /// Every line that wins.
    lines: Vec<Cells>,
}

impl Board {
    /// # Errors
    /// Names the option that is out of range.
    pub fn new(rows: u32, columns: u32, in_a_row: u32) -> Result<Self, String> {
        for (name, value) in [("rows", rows), ("columns", columns), ("in_a_row", in_a_row)] {
            if !(3..=5).contains(&value) {
                return Err(format!("`{name}` goes from 3 to 5, not {value}."));
            }
        }
        if in_a_row > rows.max(columns) {
            return Err(format!("`in_a_row` of {in_a_row} does not fit on a board of {rows} by {columns}."));
        }
        Ok(Self { rows, columns, in_a_row, lines: lines(rows, columns, in_a_row) })
    }

    /// How many cells there are.
    pub fn cells(&self) -> u32 {
        self.rows * self.columns
    }

    /// The cells without a stone.
    pub fn free(&self, own: Cells, other: Cells) -> Cells {
        ((1 << self.cells()) - 1) & !(own | other)
    }

    /// A line that is full of these stones.
    pub fn full_line(&self, stones: Cells) -> Option<Cells> {
        self.lines.iter().copied().find(|line| stones & line == *line)
    }

    /// The free cells with which `own` fills a line at once.
    pub fn winning_cells(&self, own: Cells, other: Cells) -> Cells {
        let missing = self.lines.iter().map(|line| line & !own);
        missing.filter(|missing| missing.is_power_of_two()).fold(0, |cells, missing| cells | missing) & !other
    }

    /// The lines in which `own` has a stone and the other none.
    pub fn begun_lines(&self, own: Cells, other: Cells) -> impl Iterator<Item = Cells> {
        self.lines.iter().copied().filter(move |line| line & own != 0 && line & other == 0)
    }

    /// How well a side stands: each line that the other cannot fill any more is worth four times as much with each stone in it.
    pub fn promise(&self, own: Cells, other: Cells) -> i32 {
        let open = self.lines.iter().filter(|line| *line & other == 0);
        open.map(|line| (1 << (2 * (line & own).count_ones())) - 1).sum()
    }

    /// Whether somebody can still fill a line.
    pub fn is_open(&self, own: Cells, other: Cells) -> bool {
        self.lines.iter().any(|line| line & own == 0 || line & other == 0)
    }
}

/// All runs of `length` cells along rows, columns and both diagonals.
fn lines(rows: u32, columns: u32, length: u32) -> Vec<Cells> {
    let mut lines = Vec::new();
    let reach = length - 1;
    for (down, right) in [(0, 1), (1, 0), (1, 1), (1, -1)] {
        // From one cell of a line to the next.
        let stride = (down * columns).wrapping_add_signed(right);
        for row in 0..rows.saturating_sub(down * reach) {
            let starts = match right {
                1 => 0..columns.saturating_sub(reach),
                0 => 0..columns,
                _ => reach..columns,
            };
            for column in starts {
                let start = row * columns + column;
                lines.push((0..length).map(|step| 1 << (start + step * stride)).sum());
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_has_the_lines_that_one_counts_on_paper() {
        let count = |rows, columns, length| lines(rows, columns, length).len();
        assert_eq!(count(3, 3, 3), 8);
        assert_eq!(count(4, 4, 4), 10);
        assert_eq!(count(5, 5, 5), 12);
        // Rows: 2 x 4, columns: 2 x 4, diagonals: 2 x 4.
        assert_eq!(count(4, 4, 3), 24);
        // Four columns only: a row of three cells holds no four.
        assert_eq!(count(4, 3, 4), 3);
    }

    #[test]
    fn a_winning_cell_is_free_and_fills_a_line() {
        let board = Board::new(3, 3, 3).expect("a board");
        assert_eq!(board.winning_cells(0b011, 0), 0b100);
        assert_eq!(board.winning_cells(0b011, 0b100), 0);
        // 1 and 9 hold the diagonal, 3 the row and the column: three ways at once.
        assert_eq!(board.winning_cells(0b1_0000_0101, 0), 0b0_0011_0010);
    }

    #[test]
    fn a_shape_that_cannot_be_played_is_named() {
        let error = |rows, columns, length| Board::new(rows, columns, length).expect_err("refused");
        assert!(error(2, 3, 3).contains("`rows`"));
        assert!(error(3, 6, 3).contains("`columns`"));
        assert!(error(3, 3, 4).contains("`in_a_row`"));
    }
}
