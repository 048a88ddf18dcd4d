//! The geometry: the cells of a square board, what people call them, and where a ship may lie.

/// A set of cells, one bit each: bit `row * size + column`.
pub type Cells = u128;

/// Of the board's side, in cells.
pub const SIZE_MIN: u32 = 4;
pub const SIZE_MAX: u32 = 10;

/// A square board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sea {
    /// Cells along a side.
    pub size: u32,
}

impl Sea {
    /// How many cells there are.
    pub fn cells(self) -> u32 {
        self.size * self.size
    }

    /// All cells.
    pub fn all(self) -> Cells {
        (1 << self.cells()) - 1
    }

    /// The next cell in a direction, where there is one.
    pub fn step(self, cell: u32, direction: Direction) -> Option<u32> {
        let (down, right) = direction;
        let row = (cell / self.size).checked_add_signed(down)?;
        let column = (cell % self.size).checked_add_signed(right)?;
        (row < self.size && column < self.size).then(|| row * self.size + column)
    }

    /// Every way in which a ship of this length can lie on the empty board.
    pub fn placements(self, length: u32) -> Vec<Cells> {
        let directions: &[Direction] = if length == 1 { &[RIGHT] } else { &[RIGHT, DOWN] };
        let mut placements = Vec::new();
        for &direction in directions {
            placements.extend((0..self.cells()).filter_map(|start| self.run(start, direction, length)));
        }
        placements
    }

    fn run(self, start: u32, direction: Direction, length: u32) -> Option<Cells> {
        let mut cells = 1 << start;
        let mut last = start;
        for _ in 1..length {
            last = self.step(last, direction)?;
            cells |= 1 << last;
        }
        Some(cells)
    }

    /// What people call a cell: column A and row 1 are the first, `A1`.
    pub fn name(self, cell: u32) -> String {
        format!("{}{}", column_letter(cell % self.size), cell / self.size + 1)
    }

    /// The cell of that name, in letters of either case: `B3`.
    pub fn cell(self, name: &str) -> Option<u32> {
        let mut rest = name.chars();
        let column = (rest.next()?.to_ascii_lowercase() as u32).checked_sub('a' as u32)?;
        let digits = rest.as_str().trim_start();
        // `parse` alone would take `+3` and `03`.
        if digits.starts_with(['+', '0']) {
            return None;
        }
        let row = digits.parse::<u32>().ok()?.checked_sub(1)?;
        (row < self.size && column < self.size).then(|| row * self.size + column)
    }

    /// The names of some cells: `A1 B3`, or `none`.
    pub fn names(self, cells: Cells) -> String {
        let names: Vec<String> = cell_set(cells).map(|cell| self.name(cell)).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(" ") }
    }
}

/// A step: how many rows down, how many columns to the right.
pub type Direction = (i32, i32);

pub const RIGHT: Direction = (0, 1);
pub const DOWN: Direction = (1, 0);
pub const DIRECTIONS: [Direction; 4] = [RIGHT, DOWN, (0, -1), (-1, 0)];

/// The opposite direction.
pub fn back((down, right): Direction) -> Direction {
    (-down, -right)
}

pub fn column_letter(column: u32) -> char {
    char::from(b'A' + column as u8)
}

/// The cells of a set, in rising order.
pub fn cell_set(mut cells: Cells) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let next = (cells != 0).then(|| cells.trailing_zeros())?;
        cells &= cells - 1;
        Some(next)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_found_under_its_own_name() {
        for size in SIZE_MIN..=SIZE_MAX {
            let sea = Sea { size };
            for cell in 0..sea.cells() {
                assert_eq!(sea.cell(&sea.name(cell)), Some(cell));
                assert_eq!(sea.cell(&sea.name(cell).to_ascii_lowercase()), Some(cell));
            }
        }
        assert_eq!(Sea { size: 10 }.name(99), "J10");
    }

    #[test]
    fn what_is_no_cell_has_no_name() {
        let sea = Sea { size: 5 };
        for name in
            ["", "A", "A0", "A6", "F1", "B+3", "B03", "B-1", "3B", "B33", "BB", "B3 4", "é1", "@1", "A99999999999"]
        {
            assert_eq!(sea.cell(name), None, "{name:?}");
        }
        assert_eq!(sea.cell("b 3"), sea.cell("B3"));
    }

    #[test]
    fn the_board_ends_at_its_edges() {
        let sea = Sea { size: 5 };
        let corner = |cell| DIRECTIONS.iter().filter(|&&direction| sea.step(cell, direction).is_some()).count();
        assert_eq!([0, 4, 20, 24].map(corner), [2; 4]);
        assert_eq!([2, 10].map(corner), [3; 2]);
        assert_eq!(corner(12), 4);
    }
}
