//! How things look: a few styles, aligned columns, a progress bar; and what may reach a terminal at all.
//!
//! Games, models and file names can hold characters that a terminal obeys: they move the cursor, set its title, hide what
//! stands there. `clean` takes them out. `styled`, `Columns` and `complain` do so by themselves; whoever writes other text
//! that is not our own calls it.
//!
//! Everything goes through `anstream`, which drops colours where nobody would see them, and reads well without.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
pub use ludus_host::shown::clean;
use ludus_host::shown::sentence;

pub const BOLD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();
pub const GOOD: Style = AnsiColor::Green.on_default();
pub const BAD: Style = AnsiColor::Red.on_default();
pub const NOTE: Style = AnsiColor::Yellow.on_default();
pub const NAME: Style = AnsiColor::Cyan.on_default();

/// Standard output, locked.
pub fn output() -> impl Write {
    anstream::stdout().lock()
}

/// Text in a style.
pub fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{}{style:#}", clean(&text.to_string()))
}

/// Says in one sentence what went wrong: of a longer story, the first line.
pub fn complain(error: &dyn Display) {
    let error = sentence(error);
    let mut stderr = anstream::stderr().lock();
    // Where even this cannot be written there is nobody to tell.
    let _ = writeln!(stderr, "{} {error}", styled(BAD, "ludus:"));
}

/// A progress bar, on a terminal only.
pub fn progress_bar(length: u64, unit: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = format!("{{bar:32}} {{pos}}/{{len}} {unit}, {{per_sec}}, {{eta}} left");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}

/// A table: a header and rows of cells, aligned in columns two spaces apart.
pub struct Columns {
    /// Which columns hold numbers, and so are aligned on the right.
    numeric: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Columns {
    /// A header that begins with `>` belongs to a column of numbers.
    pub fn new(header: &[&str]) -> Columns {
        let numeric = header.iter().map(|title| title.starts_with('>')).collect();
        let titles = header.iter().map(|title| title.trim_start_matches('>').to_string()).collect();
        Columns { numeric, rows: vec![titles] }
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| clean(cell).replace('\n', " ")).collect());
    }

    pub fn write(&self, output: &mut dyn Write) -> std::io::Result<()> {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.numeric.len()).map(width).collect();
        for (index, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for ((cell, width), numeric) in row.iter().zip(&widths).zip(&self.numeric) {
                let gap = " ".repeat(width - cell.chars().count());
                line += &if *numeric { format!("{gap}{cell}  ") } else { format!("{cell}{gap}  ") };
            }
            let line = line.trim_end();
            match index {
                0 => writeln!(output, "{}", styled(DIM, line))?,
                _ => writeln!(output, "{line}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_style_stays_where_that_of_others_is_taken_out() {
        let text = styled(BOLD, "\u{1b}[8mhidden");
        assert!(text.starts_with('\u{1b}') && !text.contains("\u{1b}[8m"), "{text:?}");
    }

    #[test]
    fn columns_line_up_and_numbers_stand_on_the_right() {
        let mut columns = Columns::new(&["game", ">score"]);
        columns.row(vec!["spy".to_string(), "0.5".to_string()]);
        columns.row(vec!["tictactoe".to_string(), "10".to_string()]);
        let mut written = Vec::new();
        columns.write(&mut written).expect("written to memory");
        let plain = anstream::adapter::strip_bytes(&written).into_vec();
        assert_eq!(String::from_utf8(plain).expect("UTF-8"), "game       score\nspy          0.5\ntictactoe     10\n");
    }
}
