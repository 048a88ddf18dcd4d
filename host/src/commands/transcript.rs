//! A transcript on a terminal: stages, prompts, replies, verdicts, positions.

use std::io::Write;

use anstyle::Style;
use ludus_host::journal::Entry;
use ludus_host::record::{Line, Ruling};
use ludus_host::turn::Count;

use crate::terminal::{BAD, BOLD, DIM, GOOD, NAME, NOTE, clean, styled};

/// Writes all of it.
pub fn write(entries: &[Entry], output: &mut dyn Write) -> std::io::Result<()> {
    let mut players: Vec<String> = Vec::new();
    let mut last_view = "";
    for entry in entries {
        match entry {
            Entry::Line(Line::Stage { players: seated, .. }) => {
                players.clone_from(seated);
                last_view = "";
            }
            Entry::Prompt { seat, text } => {
                writeln!(output)?;
                writeln!(output, "{} {}", seat_name(*seat, &players), styled(DIM, "is asked"))?;
                indented(text, Style::new(), output)?;
                continue;
            }
            Entry::View(view) => {
                let news = new_lines(last_view, view).trim_matches('\n');
                last_view = view;
                if !news.is_empty() {
                    writeln!(output)?;
                    indented(news, NAME, output)?;
                }
                continue;
            }
            Entry::Line(_) => {}
        }
        if let Entry::Line(line) = entry {
            write_line(line, &players, output)?;
        }
    }
    Ok(())
}

fn write_line(line: &Line, players: &[String], output: &mut dyn Write) -> std::io::Result<()> {
    match line {
        Line::Episode { task, learner, .. } => {
            let stages: Vec<&str> = task.stages.iter().map(|stage| stage.game.as_str()).collect();
            writeln!(
                output,
                "task {}: {}, learner {}",
                styled(BOLD, &task.name),
                clean(&stages.join(" then ")),
                clean(learner)
            )
        }
        Line::Stage { stage, game, component, options, learner_seat, .. } => {
            writeln!(output)?;
            writeln!(
                output,
                "{} {}",
                styled(BOLD, format!("Stage {}: {game}", stage + 1)),
                styled(DIM, component.short())
            )?;
            for (seat, player) in players.iter().enumerate() {
                let mark = if seat as u32 == *learner_seat && player != "learner" { " (learner's seat)" } else { "" };
                writeln!(output, "  seat {seat}: {}{mark}", clean(player))?;
            }
            if options.as_object().is_some_and(|options| !options.is_empty()) {
                writeln!(output, "  {} {}", styled(DIM, "options"), clean(&options.to_string()))?;
            }
            Ok(())
        }
        // The prompt behind it is shown instead.
        Line::Ask { .. } => Ok(()),
        Line::Reply { seat, by, text } => {
            let stands_in = if by == "substitute" { styled(NOTE, " (a move in its place)") } else { String::new() };
            if text.contains('\n') {
                writeln!(output, "{}{stands_in}:", seat_name(*seat, players))?;
                indented(text, BOLD, output)
            } else {
                writeln!(output, "{}{stands_in}: {}", seat_name(*seat, players), styled(BOLD, text))
            }
        }
        Line::Verdict { verdict: Ruling::Taken, .. } => Ok(()),
        Line::Verdict { seat, verdict, reason } => {
            let word = if *verdict == Ruling::Malformed { "malformed" } else { "illegal" };
            writeln!(output, "{} {}: {}", seat_name(*seat, players), styled(BAD, word), clean(reason))
        }
        Line::Fault { kind, call, .. } => {
            writeln!(output, "{}", styled(BAD, format!("The game failed: {kind} in `{call}`.")))
        }
        Line::Truncated => writeln!(output, "{}", styled(BAD, "The learner ran out of context or tokens.")),
        Line::StageEnd { ended, score, scores, counts, summary, .. } => {
            writeln!(output)?;
            let summary = if summary.is_empty() { ended.word() } else { summary.as_str() };
            let all: Vec<String> = scores.iter().map(f64::to_string).collect();
            let all =
                if all.is_empty() { String::new() } else { styled(DIM, format!(" (by seat: {})", all.join(", "))) };
            let style = if *score > 0.5 { GOOD } else { Style::new() };
            writeln!(output, "{}; the learner's score: {}{all}", clean(summary), styled(style, score))?;
            // What there was no chance for says nothing.
            counts.iter().filter(|count| count.chances > 0).try_for_each(|count| write_count(count, players, output))
        }
        Line::End { combined, task_return } => {
            writeln!(output)?;
            writeln!(
                output,
                "{} {task_return} {}",
                styled(BOLD, "Return"),
                styled(DIM, format!("(combined score {combined})"))
            )
        }
    }
}

/// What a view adds to the last one: a log of what was said, which only grows, is not repeated. Lines stay whole.
fn new_lines<'a>(last: &str, view: &'a str) -> &'a str {
    let added = view.strip_prefix(last);
    let whole = |added: &&str| added.is_empty() || added.starts_with('\n') || last.is_empty() || last.ends_with('\n');
    added.filter(whole).unwrap_or(view)
}

fn write_count(count: &Count, players: &[String], output: &mut dyn Write) -> std::io::Result<()> {
    let Count { seat, name, times, chances } = count;
    writeln!(output, "  {} {name} {times} of {chances}", seat_name(*seat, players))
}

fn seat_name(seat: u32, players: &[String]) -> String {
    let player = players.get(seat as usize).map_or("?", String::as_str);
    styled(NAME, format!("seat {seat} ({player})"))
}

/// Indents a text, so that what a game or a model wrote cannot pass for a line of ours.
fn indented(text: &str, style: Style, output: &mut dyn Write) -> std::io::Result<()> {
    for line in text.lines() {
        writeln!(output, "  {} {}", styled(DIM, "│"), styled(style, line))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::new_lines;

    #[test]
    fn a_view_shows_the_lines_that_it_adds_and_all_of_it_where_a_line_grew() {
        assert_eq!(new_lines("", "one"), "one");
        assert_eq!(new_lines("one", "one"), "");
        assert_eq!(new_lines("one", "one\ntwo"), "\ntwo");
        assert_eq!(new_lines("one\n", "one\ntwo"), "two");
        assert_eq!(new_lines("one\nBets: check", "one\nBets: check, bet"), "one\nBets: check, bet");
        assert_eq!(new_lines("one", "two"), "two");
    }
}
