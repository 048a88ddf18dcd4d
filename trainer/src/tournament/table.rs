//! A tournament as people read it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::ratings::ratings;
use super::{Meeting, Tournament};
use crate::evaluate::{escaped, one_line};

impl Tournament {
    /// What the meetings come to.
    pub fn of(game: String, names: Vec<String>, meetings: BTreeMap<(usize, usize), Meeting>) -> Tournament {
        let share = |row: usize, column: usize| {
            let (pair, turned) = if row < column { ((row, column), false) } else { ((column, row), true) };
            let meeting = meetings.get(&pair).filter(|meeting| !meeting.points.is_empty())?;
            let share = meeting.points.iter().sum::<f64>() / meeting.points.len() as f64;
            Some(if turned { 1.0 - share } else { share })
        };
        let all = 0..names.len();
        let shares = all.clone().map(|row| all.clone().map(|column| share(row, column)).collect()).collect();
        let ratings = ratings(names.len(), &meetings);
        Tournament { game, names, meetings, shares, ratings }
    }

    /// The players, the strongest first.
    fn ranking(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_by(|a, b| self.ratings[*b].rating.total_cmp(&self.ratings[*a].rating).then(a.cmp(b)));
        order
    }

    /// A table for a terminal.
    pub fn table(&self) -> String {
        let width = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(6);
        let ranking = self.ranking();
        let game = one_line(&self.game);
        let mut text = format!("{:<4}{game:<width$}  {:>6} {:>16} {:>7} {:>6}", "", "Elo", "95 %", "points", "games");
        for place in 1..=ranking.len() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{place:>7}");
        }
        text.push('\n');
        for (place, &player) in ranking.iter().enumerate() {
            let rating = &self.ratings[player];
            let interval = format!("[{:+.0}, {:+.0}]", rating.interval.low, rating.interval.high);
            let _ = write!(
                text,
                "{:<4}{:<width$}  {:>+6.0} {interval:>16} {:>6.1}% {:>6}",
                format!("{}.", place + 1),
                one_line(&self.names[player]),
                rating.rating,
                rating.share * 100.0,
                rating.games
            );
            for &other in &ranking {
                let cell =
                    self.shares[player][other].map_or_else(|| "-".to_string(), |share| format!("{:.1}", share * 100.0));
                let _ = write!(text, "{cell:>7}");
            }
            text.push('\n');
        }
        text
    }

    /// The same as Markdown.
    pub fn markdown(&self) -> String {
        let ranking = self.ranking();
        let places: String = (1..=ranking.len()).map(|place| format!(" {place} |")).collect();
        let mut text = format!(
            "| | {} | Elo | 95 % | points, % | games |{places}\n|---|---|---|---|---|---|{}\n",
            escaped(&self.game),
            "---|".repeat(ranking.len())
        );
        for (place, &player) in ranking.iter().enumerate() {
            let rating = &self.ratings[player];
            let cells: String = ranking
                .iter()
                .map(|other| {
                    self.shares[player][*other].map_or_else(|| " |".into(), |share| format!(" {:.1} |", share * 100.0))
                })
                .collect();
            let _ = writeln!(
                text,
                "| {}. | {} | {:+.0} | [{:+.0}, {:+.0}] | {:.1} | {} |{cells}",
                place + 1,
                escaped(&self.names[player]),
                rating.rating,
                rating.interval.low,
                rating.interval.high,
                rating.share * 100.0,
                rating.games
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_taken_out_of_names() {
        let names = vec!["random".to_owned(), "script:1,\u{1b}[31m\n2".to_owned()];
        let meetings = BTreeMap::from([((0, 1), Meeting { points: vec![1.0, 0.0] })]);
        let shown = Tournament::of("tictactoe".to_owned(), names, meetings).table();
        assert!(shown.contains("script:1,\u{fffd}[31m 2  "), "{shown}");
        assert_eq!(shown.lines().count(), 3, "a heading and two players: {shown}");
    }
}
