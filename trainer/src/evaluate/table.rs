//! Evaluations side by side, for a terminal and as Markdown.

use ludus_host::shown::clean;

use super::{Evaluated, Share};

/// Evaluations of one player, under what it is called.
pub type Column<'a> = (&'a str, &'a [Evaluated]);

/// One evaluation in all columns.
struct Part {
    title: String,
    /// What was measured, and its share in each column.
    rows: Vec<(String, Vec<Option<Share>>)>,
}

/// A table of columns (`random play`, `before`, `after`), in the order of the evaluations of the one that has most.
pub fn table(columns: &[Column<'_>]) -> String {
    const NAME: usize = 20;
    let cell = columns.iter().map(|(heading, _)| heading.chars().count() + 2).max().unwrap_or(0).max(23);
    let mut text = String::new();
    for part in parts(columns) {
        text.push_str(&format!("{}\n{:NAME$}", one_line(&part.title), ""));
        for (heading, _) in columns {
            text.push_str(&format!("{:>cell$}", one_line(heading)));
        }
        text.push('\n');
        for (name, shares) in part.rows {
            text.push_str(&format!("  {:<width$}", one_line(&name), width = NAME - 2));
            for share in shares {
                let shown = share.map_or_else(|| "-".to_string(), |share| share.to_string());
                text.push_str(&format!("{shown:>cell$}"));
            }
            text.push('\n');
        }
        text.push('\n');
    }
    text
}

/// The same as Markdown.
pub fn markdown(columns: &[Column<'_>]) -> String {
    let mut text = String::new();
    for part in parts(columns) {
        let headings: String = columns.iter().map(|(heading, _)| format!(" {} |", escaped(heading))).collect();
        let rule = "---|".repeat(columns.len());
        text.push_str(&format!("### {}\n\n| |{headings}\n|---|{rule}\n", escaped(&part.title)));
        for (name, shares) in part.rows {
            let cells: String = shares
                .iter()
                .map(|share| format!(" {} |", share.map_or_else(String::new, |share| share.to_string().trim().into())))
                .collect();
            text.push_str(&format!("| {} |{cells}\n", escaped(&name)));
        }
        text.push('\n');
    }
    text
}

/// A text that means nothing to a terminal and breaks no row of a table; it is as long as it was.
pub fn one_line(text: &str) -> String {
    clean(text).replace('\n', " ")
}

/// A text that means nothing in a table of Markdown.
pub fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for character in text.chars() {
        match character {
            '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '\\' => safe.extend(['\\', character]),
            character if character.is_control() => safe.push(' '),
            character => safe.push(character),
        }
    }
    safe
}

fn parts(columns: &[Column<'_>]) -> Vec<Part> {
    let longest = columns.iter().map(|(_, column)| *column).max_by_key(|column| column.len()).unwrap_or(&[]);
    longest.iter().map(|evaluation| part(evaluation, columns)).collect()
}

fn part(evaluation: &Evaluated, columns: &[Column<'_>]) -> Part {
    let found: Vec<Option<&Evaluated>> =
        columns.iter().map(|(_, column)| column.iter().find(|one| one.name == evaluation.name)).collect();
    // A game of payoffs may happen to score 0 and 1 alone in one column; then it still has no wins.
    let with_results = found.iter().flatten().all(|one| one.results.is_some());
    let rows_of: Vec<Vec<(String, Share)>> =
        found.iter().map(|one| one.map(|one| one.rows(with_results)).unwrap_or_default()).collect();
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in rows_of.iter().flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let share_of =
        |rows: &Vec<(String, Share)>, name: &str| rows.iter().find(|(known, _)| known == name).map(|(_, share)| *share);
    let rows = names.into_iter().map(|name| (name.clone(), rows_of.iter().map(|rows| share_of(rows, name)).collect()));
    Part { title: format!("{} ({} episodes)", evaluation.name, evaluation.episodes), rows: rows.collect() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Results;
    use super::*;

    fn evaluated(results: Option<Results>) -> Vec<Evaluated> {
        let half = Share::new(5.0, 10);
        vec![Evaluated {
            name: "a game against random".into(),
            episodes: 10,
            score: half,
            task_return: 0.5,
            results,
            legal: half,
            malformed: half,
            counts: BTreeMap::new(),
            scores: Vec::new(),
        }]
    }

    #[test]
    fn wins_are_shown_where_every_column_has_them() {
        let share = Share::new(1.0, 10);
        let results = Some(Results { win: share, draw: share, loss: share });
        let (plain, payoffs) = (evaluated(results), evaluated(None));
        assert!(table(&[("before", &plain), ("after", &plain)]).contains("\n  win "));
        let mixed = table(&[("before", &payoffs), ("after", &plain)]);
        assert!(mixed.contains("\n  score ") && !mixed.contains("\n  win "), "{mixed}");
    }

    #[test]
    fn a_column_without_an_evaluation_has_a_dash_and_a_name_cannot_break_a_row() {
        let plain = evaluated(None);
        let shown = table(&[("optimal", &[]), ("a model", &plain)]);
        let score = shown.lines().find(|line| line.starts_with("  score")).expect("a row of scores");
        assert_eq!(score.split_whitespace().nth(1), Some("-"), "{shown}");
        let shown = markdown(&[("a|b", &plain)]);
        assert!(shown.contains("| | a\\|b |\n|---|---|\n| score | 50.0 % [23.7, 76.3] |\n"), "{shown}");
    }

    #[test]
    fn what_a_terminal_obeys_is_taken_out_of_names() {
        let mut evaluations = evaluated(None);
        evaluations[0].name = "a game against script:1,\u{1b}[31m".into();
        let rows = table(&[("model", &evaluations)]).lines().count();
        let shown = table(&[("red\u{1b}[31m\nmodel", &evaluations)]);
        assert_eq!(clean(&shown), shown);
        assert_eq!(shown.lines().count(), rows, "a line end in a name makes no row: {shown}");
        assert!(shown.contains("red\u{fffd}[31m model"), "{shown}");
    }
}
