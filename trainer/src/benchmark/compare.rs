//! Two models on the same items.

use serde::Serialize;

use super::report::Report;
use crate::statistics::mcnemar;

/// A measure on which two models were right or wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    pub measure: String,
    pub first: String,
    pub second: String,
    /// Items that only the first, or only the second, has right.
    pub only_first: u64,
    pub only_second: u64,
    /// McNemar's exact test, two-sided.
    pub p: f64,
}

/// Compares the first model with each other, by every measure of right and wrong.
pub fn compare(reports: &[Report]) -> Vec<Comparison> {
    let Some((first, others)) = reports.split_first() else { return Vec::new() };
    let is_binary = |report: &Report, measure: usize| {
        report.answers.iter().all(|answer| [0.0, 1.0].contains(&answer.scores[measure].score))
    };
    let pair = |second: &Report, measure: usize| {
        let right = |report: &Report, item: usize| report.answers[item].scores[measure].score == 1.0;
        let only = |one: &Report, other: &Report| {
            (0..first.answers.len()).filter(|&item| right(one, item) && !right(other, item)).count() as u64
        };
        let (only_first, only_second) = (only(first, second), only(second, first));
        Comparison {
            measure: first.measures[measure].0.clone(),
            first: first.model.clone(),
            second: second.model.clone(),
            only_first,
            only_second,
            p: mcnemar(only_first, only_second),
        }
    };
    let of_measures = |second: &&Report| {
        let binary =
            (0..first.measures.len()).filter(|&measure| is_binary(first, measure) && is_binary(second, measure));
        binary.map(|measure| pair(second, measure)).collect::<Vec<_>>()
    };
    others.iter().flat_map(|second| of_measures(&second)).collect()
}
