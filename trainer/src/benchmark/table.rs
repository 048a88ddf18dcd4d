//! Reports as tables: for a terminal, and in Markdown.

use super::compare::Comparison;
use super::report::{Report, Settings};
use crate::evaluate::Share;

/// How a benchmark was run, in a line.
fn title(settings: &Settings, items: usize) -> String {
    let shots = match (&settings.examples, settings.shots) {
        (Some(split), shots @ 1..) => format!("the first {shots} of {split} as examples"),
        _ => "no examples".to_owned(),
    };
    let way = if settings.chat { "in the model's chat template" } else { "as plain text" };
    let replies = settings.reply_tokens.map_or_else(
        || "choices by log-likelihood".to_owned(),
        |tokens| format!("greedy replies of up to {tokens} tokens"),
    );
    let limit = settings.limit.map_or_else(String::new, |limit| format!(", at most {limit} of a subject"));
    format!(
        "{}: {items} items of {} ({}){limit}, {shots}, {way}, {replies}, {}",
        settings.task, settings.split, settings.data, settings.precision
    )
}

/// Rows of a table: a name, and what each report has of it.
fn rows(reports: &[Report]) -> Vec<(String, Vec<String>)> {
    let Some(first) = reports.first() else { return Vec::new() };
    let shares = |of: &dyn Fn(&Report) -> Option<Share>| {
        reports.iter().map(|report| of(report).map_or_else(|| "-".to_owned(), |share| share.to_string())).collect()
    };
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for (index, (name, _)) in first.measures.iter().enumerate() {
        rows.push((name.clone(), shares(&|report| report.measures.get(index).map(|(_, share)| *share))));
    }
    if first.bleu.is_some() {
        let bleu = |report: &Report| report.bleu.map_or_else(|| "-".to_owned(), |bleu| format!("{bleu:.2}"));
        rows.push(("BLEU-4".to_owned(), reports.iter().map(bleu).collect()));
    }
    for (subject, share) in &first.subjects {
        let name = format!("  {subject} ({})", share.whole);
        rows.push((name, shares(&|report| report.subjects.get(subject).copied())));
    }
    if reports.iter().any(|report| report.cut > 0) {
        rows.push(("prompts cut".to_owned(), reports.iter().map(|report| report.cut.to_string()).collect()));
    }
    rows
}

fn comparison(comparison: &Comparison) -> String {
    let Comparison { measure, first, second, only_first, only_second, p } = comparison;
    format!(
        "{measure}: {only_first} items only {first} has right, {only_second} only {second}; McNemar's exact p = {p:.3}"
    )
}

/// A table for a terminal.
pub fn plain(reports: &[Report], comparisons: &[Comparison]) -> String {
    const CELL: usize = 23;
    let Some(first) = reports.first() else { return String::new() };
    let rows = rows(reports);
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(20);
    let line = |name: &str, cells: &[String]| {
        let cells: String = cells.iter().map(|cell| format!("  {cell:>CELL$}")).collect();
        format!("{name:width$}{cells}\n")
    };
    let models: Vec<String> = reports.iter().map(|report| end_of(&report.model, CELL)).collect();
    let mut text = format!("{}\n\n{}", title(&first.settings, first.items), line("", &models));
    rows.iter().for_each(|(name, cells)| text += &line(name, cells));
    if !comparisons.is_empty() {
        text.push('\n');
        comparisons.iter().for_each(|pair| text += &format!("{}\n", comparison(pair)));
    }
    text
}

/// The same in Markdown.
pub fn markdown(reports: &[Report], comparisons: &[Comparison]) -> String {
    let Some(first) = reports.first() else { return String::new() };
    let cell = |text: &str| text.trim().replace('|', "\\|");
    let line = |name: &str, cells: Vec<String>| format!("| {} | {} |\n", cell(name), cells.join(" | "));
    let mut text = format!("{}\n\n", title(&first.settings, first.items));
    text += &line("", reports.iter().map(|report| cell(&report.model)).collect());
    text += &line("---", reports.iter().map(|_| "---:".to_owned()).collect());
    rows(reports)
        .into_iter()
        .for_each(|(name, cells)| text += &line(&name, cells.iter().map(|text| cell(text)).collect()));
    comparisons.iter().for_each(|pair| text += &format!("\n{}\n", comparison(pair)));
    text
}

/// The end of a name that is too long: of a path it says most.
fn end_of(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    std::iter::once('…').chain(name.chars().skip(length - width + 1)).collect()
}
