//! GiGPO's comparison of single replies (2505.10978). Members of a group start from one deal and come through the same
//! positions again; what they replied there can be compared as they are compared by their whole returns.
//!
//! ```text
//! R_t = sum_{k >= t} discount^(k - t) * r_k              r_k: what came of reply k, the score with the last one
//! A_t = A_group + weight * (R_t - mean R) / (std R + epsilon)       over all replies of the group in the position of t
//! ```
//!
//! A position is a hash that the host makes of stage, seat and what the seat sees of the table. A reply that no other shares its
//! position with is compared with none.

use std::collections::BTreeMap;

use ludus_host::hash::Hash;

use super::grpo;

/// What each reply led to, from what came of it and of each one behind it.
pub fn returns(rewards: &[f64], discount: f64) -> Vec<f64> {
    let mut later = 0.0;
    let mut returns: Vec<f64> = rewards
        .iter()
        .rev()
        .map(|reward| {
            later = reward + discount * later;
            later
        })
        .collect();
    returns.reverse();
    returns
}

/// For each reply of a group, its advantage among those in its position. One without a position gets none.
pub fn advantages(replies: &[(Option<Hash>, f64)]) -> Vec<f64> {
    let mut positions: BTreeMap<Hash, Vec<usize>> = BTreeMap::new();
    for (index, (position, _)) in replies.iter().enumerate() {
        if let Some(position) = position {
            positions.entry(*position).or_default().push(index);
        }
    }
    let mut found = vec![0.0; replies.len()];
    for members in positions.values() {
        let returns: Vec<f64> = members.iter().map(|&member| replies[member].1).collect();
        for (&member, advantage) in members.iter().zip(grpo::advantages(&returns)) {
            found[member] = advantage;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replys_return_is_what_came_after_it_discounted() {
        // The score with the last reply, a penalty with the second.
        assert_eq!(returns(&[0.0, -0.25, 1.0], 0.5), [0.125, 0.25, 1.0]);
    }

    #[test]
    fn replies_in_one_position_are_compared_with_each_other_and_with_no_others() {
        let [here, there] = [b"here", b"them"].map(|bytes| Some(Hash::of(bytes)));
        // Here: mean 1/2, standard deviation 1/2. There is only one, and one is nowhere.
        let found = advantages(&[(here, 1.0), (there, 1.0), (here, 0.0), (None, 1.0), (here, 0.5)]);
        for (found, expected) in found.iter().zip([1.0, 0.0, -1.0, 0.0, 0.0]) {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
    }
}
