//! Two players on the same deals: what differs between them, and whether chance would do as much.
//!
//! Deal by deal the luck of the deal is in both scores, and most of it leaves their difference. The mean of the differences has
//! a bootstrap interval; where every score is that of a win, a draw or a loss, McNemar's exact test says how likely so uneven
//! a split of the deals is that only one of the two won.

use serde::Serialize;

use super::{Evaluated, escaped, one_line};
use crate::statistics::{Interval, mcnemar};

/// So many means make a bootstrap interval.
const RESAMPLES: usize = 10_000;

/// One evaluation of two players.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Paired {
    /// `tictactoe against random`.
    pub name: String,
    pub episodes: usize,
    /// The mean score of the second less that of the first.
    pub difference: f64,
    /// Its 95 % interval.
    pub interval: Interval,
    /// Episodes that only the first won, and only the second; none where scores are not those of wins, draws and losses.
    pub won_by_one: Option<[u64; 2]>,
    /// McNemar's, two-sided.
    pub p_value: Option<f64>,
}

/// Compares what two players reached in the evaluations that both made on the same deals.
pub fn compare(first: &[Evaluated], second: &[Evaluated]) -> Vec<Paired> {
    let pair = |one: &Evaluated| {
        let other = second.iter().find(|other| other.name == one.name)?;
        (one.scores.len() == other.scores.len() && !one.scores.is_empty()).then(|| paired(one, other))
    };
    first.iter().filter_map(pair).collect()
}

fn paired(first: &Evaluated, second: &Evaluated) -> Paired {
    let differences: Vec<f64> = first.scores.iter().zip(&second.scores).map(|(one, other)| other - one).collect();
    let are_wins = first.results.is_some() && second.results.is_some();
    let only = |winner: &[f64], other: &[f64]| {
        winner.iter().zip(other).filter(|(winner, other)| **winner == 1.0 && **other != 1.0).count() as u64
    };
    let won_by_one = are_wins.then(|| [only(&first.scores, &second.scores), only(&second.scores, &first.scores)]);
    Paired {
        name: first.name.clone(),
        episodes: differences.len(),
        difference: differences.iter().sum::<f64>() / differences.len() as f64,
        interval: Interval::bootstrap(&differences, RESAMPLES, 0),
        won_by_one,
        p_value: won_by_one.map(|[first, second]| mcnemar(first, second)),
    }
}

/// One line for each comparison.
pub fn lines(first: &str, second: &str, compared: &[Paired]) -> String {
    let mut text = format!("{} less {}, on the same deals\n", one_line(second), one_line(first));
    for Paired { name, difference, interval, won_by_one, p_value, .. } in compared {
        let points = |value: f64| value * 100.0;
        let interval = format!("[{:+.1}, {:+.1}]", points(interval.low), points(interval.high));
        let name = one_line(name);
        text.push_str(&format!("  {name:<38} {:+6.1} points {interval:>16}", points(*difference)));
        if let (Some([of_first, of_second]), Some(p)) = (won_by_one, p_value) {
            text.push_str(&format!("   only one won: {of_second} to {of_first}, p = {}", p_shown(*p)));
        }
        text.push('\n');
    }
    text
}

/// The same as Markdown.
pub fn markdown(first: &str, second: &str, compared: &[Paired]) -> String {
    let (first, second) = (escaped(first), escaped(second));
    let mut text = format!("### {second} less {first}, on the same deals\n\n");
    text.push_str(&format!(
        "| | points | 95 % | won by {second} alone | by {first} alone | p |\n|---|---|---|---|---|---|\n"
    ));
    for Paired { name, difference, interval, won_by_one, p_value, .. } in compared {
        let points = |value: f64| value * 100.0;
        let [of_first, of_second] =
            won_by_one.map_or([String::new(), String::new()], |won| won.map(|won| won.to_string()));
        text.push_str(&format!(
            "| {} | {:+.1} | [{:+.1}, {:+.1}] | {of_second} | {of_first} | {} |\n",
            escaped(name),
            points(*difference),
            points(interval.low),
            points(interval.high),
            p_value.map(p_shown).unwrap_or_default()
        ));
    }
    text.push('\n');
    text
}

/// A p-value as people read it.
pub fn p_shown(p: f64) -> String {
    if p < 0.0001 { "below 0.0001".into() } else { format!("{p:.4}") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::slice::from_ref;

    use super::super::{Results, Share};
    use super::*;

    fn evaluated(scores: &[f64]) -> Evaluated {
        let share = Share::new(scores.iter().sum(), scores.len() as u64);
        Evaluated {
            name: "tictactoe against random".into(),
            episodes: scores.len() as u64,
            score: share,
            task_return: share.share,
            results: Some(Results { win: share, draw: share, loss: share }),
            legal: share,
            malformed: share,
            counts: BTreeMap::new(),
            scores: scores.to_vec(),
        }
    }

    #[test]
    fn a_difference_on_the_same_deals_is_surer_than_its_two_scores() {
        // The deal decides nine of ten; the second player wins each of the others.
        let deals: Vec<f64> = (0..200).map(|deal| f64::from(deal % 2)).collect();
        let better: Vec<f64> =
            deals.iter().enumerate().map(|(at, &won)| if at % 20 == 0 { 1.0 } else { won }).collect();
        let (first, second) = (evaluated(&deals), evaluated(&better));
        let [paired] = compare(from_ref(&first), from_ref(&second)).try_into().unwrap();
        assert!((paired.difference - 0.05).abs() < 1e-12);
        assert!(paired.interval.low > 0.0, "{:?}", paired.interval);
        assert!(first.score.high > second.score.low, "apart they are not told apart");
        assert_eq!(paired.won_by_one, Some([0, 10]));
        assert!((paired.p_value.unwrap() - 2.0 / 1024.0).abs() < 1e-12);
    }

    #[test]
    fn what_was_not_played_on_the_same_deals_is_not_compared() {
        let (short, long) = (evaluated(&[1.0]), evaluated(&[1.0, 0.0]));
        assert!(compare(from_ref(&short), &[long]).is_empty());
        let elsewhere = Evaluated { name: "nim against random".into(), ..short.clone() };
        assert!(compare(&[short], &[elsewhere]).is_empty());
    }

    #[test]
    fn what_a_terminal_obeys_is_taken_out_of_names() {
        let one = Evaluated { name: "nim against script:1,\u{1b}[31m".into(), ..evaluated(&[1.0, 0.0]) };
        let compared = compare(from_ref(&one), from_ref(&one));
        let shown = lines("red\u{1b}[31m\nmodel", "blue\u{9b}34m", &compared);
        assert!(shown.starts_with("blue\u{fffd}34m less red\u{fffd}[31m model, on the same deals\n"), "{shown}");
        assert!(shown.contains("nim against script:1,\u{fffd}[31m "), "{shown}");
        assert_eq!(shown.lines().count(), 2, "{shown}");
    }
}
