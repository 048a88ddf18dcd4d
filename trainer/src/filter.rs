//! Which groups are worth an update.
//!
//! Groups whose returns are all equal teach nothing and never enter. StarPO's filter (RAGEN, 2504.20073) keeps of the others
//! those whose returns differ most. It ranks by the spread of the *raw* returns: after normalisation every group has spread
//! one, and a ranking of ones is a ranking of rounding errors.
//!
//! A step has as many places as the fraction of its planned groups. Extra groups of dynamic sampling (DAPO, 2503.14476) compete
//! for the places; they do not add any.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which groups compete for the same places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FilterScope {
    /// All of a step.
    All,
    /// Those of the same task: a task whose returns differ little keeps its share.
    Task,
}

/// A group that may enter an update.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    pub task: usize,
    /// The stage, where the group is of a further seat that the learner plays. Such groups have places of their own.
    pub further: Option<usize>,
    /// The number of the group in its step; those of dynamic sampling come last.
    pub group: usize,
    /// Of the raw returns.
    pub spread: f64,
}

/// The filter of one step.
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    /// The share of groups that has places, rounded up.
    pub keep: f64,
    pub scope: FilterScope,
    /// Groups of the step without those of dynamic sampling.
    pub planned: usize,
}

/// What came of a filter.
#[derive(Debug, PartialEq, Eq)]
pub struct Kept {
    /// The indices of the groups that enter the update, in their original order.
    pub groups: Vec<usize>,
    /// Whether every place is taken that groups of the learner's own seat have.
    pub is_full: bool,
}

impl Filter {
    /// Chooses among groups. Equal spreads go to the earlier one.
    pub fn choose(&self, contenders: &[Contender]) -> Kept {
        let mut competing: BTreeMap<(Option<usize>, usize), Vec<usize>> = BTreeMap::new();
        for (index, contender) in contenders.iter().enumerate() {
            let task = if self.scope == FilterScope::Task { contender.task } else { 0 };
            competing.entry((contender.further, task)).or_default().push(index);
        }
        let spreads: Vec<f64> = contenders.iter().map(|contender| contender.spread).collect();
        let mut kept = Kept { groups: Vec::new(), is_full: true };
        for ((further, _), groups) in &competing {
            let planned = groups.iter().filter(|&&index| contenders[index].group < self.planned).count();
            let places = (planned as f64 * self.keep).ceil() as usize;
            let widest = widest(groups, &spreads, places);
            kept.is_full &= further.is_some() || widest.len() == places;
            kept.groups.extend(widest);
        }
        kept.groups.sort_unstable();
        kept
    }
}

/// As many of these groups as there are places: those with the widest spread.
fn widest(groups: &[usize], spreads: &[f64], places: usize) -> Vec<usize> {
    let mut order: Vec<usize> = groups.iter().copied().filter(|&group| spreads[group] > 0.0).collect();
    order.sort_by(|&a, &b| spreads[b].total_cmp(&spreads[a]).then(a.cmp(&b)));
    order.truncate(places);
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advantage::spread;

    fn contenders(tasks: &[usize], spreads: &[f64]) -> Vec<Contender> {
        let pairs = tasks.iter().zip(spreads).enumerate();
        pairs.map(|(group, (&task, &spread))| Contender { task, further: None, group, spread }).collect()
    }

    fn kept(keep: f64, spreads: &[f64]) -> Vec<usize> {
        let filter = Filter { keep, scope: FilterScope::All, planned: spreads.len() };
        filter.choose(&contenders(&vec![0; spreads.len()], spreads)).groups
    }

    #[test]
    fn the_filter_ranks_raw_returns_and_not_normalised_ones() {
        let narrow = vec![0.50, 0.51, 0.50, 0.51];
        let wide = vec![0.0, 1.0, 0.0, 1.0];
        // Normalised, both groups would have the same spread, and the first would win.
        assert_eq!(kept(0.5, &[spread(&narrow), spread(&wide)]), [1]);
    }

    #[test]
    fn groups_without_spread_never_enter() {
        // A tenth is not a binary fraction: the mean of ten of them is not a tenth.
        let equal = spread(&[0.1; 10]);
        assert!(kept(1.0, &[equal, equal]).is_empty());
    }

    #[test]
    fn a_quarter_of_eight_groups_is_two_in_their_own_order() {
        let spreads: Vec<f64> = (0..8).map(|i| f64::from(i % 5)).collect();
        assert_eq!(kept(0.25, &spreads), [3, 4]);
    }

    #[test]
    fn within_tasks_a_task_of_small_differences_keeps_its_share() {
        let (tasks, spreads) = ([0, 1, 0, 1], [0.5, 0.1, 0.4, 0.2]);
        let choose = |scope| Filter { keep: 0.5, scope, planned: 4 }.choose(&contenders(&tasks, &spreads)).groups;
        assert_eq!(choose(FilterScope::All), [0, 2]);
        assert_eq!(choose(FilterScope::Task), [0, 3]);
    }

    #[test]
    fn extra_groups_fill_places_and_add_none() {
        let filter = Filter { keep: 0.5, scope: FilterScope::All, planned: 4 };
        let first = filter.choose(&contenders(&[0; 4], &[0.0, 0.3, 0.0, 0.0]));
        assert_eq!(first, Kept { groups: vec![1], is_full: false });
        let second = filter.choose(&contenders(&[0; 8], &[0.0, 0.3, 0.0, 0.0, 0.1, 0.0, 0.2, 0.0]));
        assert_eq!(second, Kept { groups: vec![1, 6], is_full: true });
    }

    #[test]
    fn groups_of_further_seats_take_no_place_from_those_of_the_learners_own() {
        let own = contenders(&[0; 2], &[0.1, 0.0]);
        let further = contenders(&[0; 2], &[0.5, 0.4]).into_iter().map(|one| Contender { further: Some(0), ..one });
        let all: Vec<Contender> = own.into_iter().chain(further).collect();
        let filter = Filter { keep: 0.5, scope: FilterScope::All, planned: 2 };
        assert_eq!(filter.choose(&all), Kept { groups: vec![0, 2], is_full: true });
    }
}
