//! How many calls to the models behind servers failed while a run went on.
//!
//! A call that failed after all its tries is an empty reply, for which the stage's fallback player moves in the end. So a run
//! whose endpoints fail comes to its end like any other, and only these counts say against whom it was played.

use std::collections::BTreeMap;

use ludus_host::endpoint::{Calls, Tally};
use ludus_host::shown::clean;

use crate::ranks::{Ranks, RanksError};

/// What was counted since the program began, by the endpoints' names.
pub type Tallies = BTreeMap<String, Tally>;

/// What all ranks counted together.
///
/// # Errors
/// Where a rank is lost.
pub fn tallies(calls: Option<&Calls>, ranks: &Ranks) -> Result<Tallies, RanksError> {
    let mut all = Tallies::new();
    // All ranks have the same endpoints, so all come here or none.
    let Some(calls) = calls else { return Ok(all) };
    for (name, tally) in ranks.each(calls.tallies())?.into_iter().flatten() {
        let sum = all.entry(name).or_default();
        sum.replies += tally.replies;
        sum.failed += tally.failed;
        sum.repeated += tally.repeated;
        sum.last_failure = tally.last_failure.or(sum.last_failure.take());
    }
    Ok(all)
}

/// A sentence for each endpoint of which calls failed since it was counted `before`.
pub fn failures(now: &Tallies, before: &Tallies) -> Vec<String> {
    let mut sentences = Vec::new();
    for (name, tally) in now {
        let before = before.get(name).cloned().unwrap_or_default();
        let (replies, failed) = (tally.replies - before.replies, tally.failed - before.failed);
        if failed > 0 {
            let since = Tally { replies, failed, ..tally.clone() };
            sentences.push(format!("endpoint {}", told(name, &since)));
        }
    }
    sentences
}

/// `rival: 3 of 40 calls failed; the last one: it has not answered within 120 s`
pub fn told(name: &str, tally: &Tally) -> String {
    let Tally { replies, failed, last_failure, .. } = tally;
    let reason = last_failure.as_ref().map(|reason| format!("; the last one: {reason}")).unwrap_or_default();
    clean(&format!("{name}: {failed} of {} calls failed{reason}", replies + failed)).replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(replies: u64, failed: u64) -> Tallies {
        let last_failure = (failed > 0).then(|| "it is busy".to_string());
        let tally = Tally { replies, failed, repeated: 7, last_failure };
        BTreeMap::from([("rival".to_string(), tally)])
    }

    #[test]
    fn calls_that_failed_are_told_of_once_and_those_that_did_not_never() {
        let (first, second, third) = (counted(4, 0), counted(5, 2), counted(9, 2));
        assert!(failures(&first, &Tallies::new()).is_empty());
        assert_eq!(failures(&second, &first), ["endpoint rival: 2 of 3 calls failed; the last one: it is busy"]);
        assert!(failures(&third, &second).is_empty());
    }

    #[test]
    fn what_failed_in_all_is_one_line() {
        assert_eq!(told("rival", &counted(4, 0)["rival"]), "rival: 0 of 4 calls failed");
        assert_eq!(told("a\nb", &counted(9, 2)["rival"]), "a b: 2 of 11 calls failed; the last one: it is busy");
    }
}
