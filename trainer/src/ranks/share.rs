//! Which part of a row of things is a rank's. The parts of all ranks, in their order, are the row.

use std::ops::Range;

/// The part of rank `number` of `ranks`, of `of` things that are alike.
pub fn even(of: usize, number: u32, ranks: u32) -> Range<usize> {
    let cut = |number: u32| of * number as usize / ranks as usize;
    cut(number)..cut(number + 1)
}

/// The same where things differ: each belongs to the rank in whose part of the whole weight its middle lies.
pub fn weighted(weights: &[usize], number: u32, ranks: u32) -> Range<usize> {
    let total: usize = weights.iter().sum();
    let mut before = 0;
    let owners: Vec<usize> = weights
        .iter()
        .map(|&weight| {
            let middle = 2 * before + weight;
            before += weight;
            (middle * ranks as usize / (2 * total).max(1)).min(ranks as usize - 1)
        })
        .collect();
    let cut = |number: usize| owners.partition_point(|&owner| owner < number);
    cut(number as usize)..cut(number as usize + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(weights: &[usize], ranks: u32) -> Vec<Range<usize>> {
        (0..ranks).map(|number| weighted(weights, number, ranks)).collect()
    }

    #[test]
    fn parts_are_the_row_whatever_the_number_of_ranks() {
        for ranks in 1..7 {
            let mut parts = (0..ranks).flat_map(|number| even(5, number, ranks));
            assert!((0..5).all(|thing| parts.next() == Some(thing)) && parts.next().is_none());
            let mut parts = all(&[3, 0, 900, 1, 2], ranks).into_iter().flatten();
            assert!((0..5).all(|thing| parts.next() == Some(thing)) && parts.next().is_none());
        }
    }

    #[test]
    fn weighted_parts_weigh_about_the_same() {
        assert_eq!(all(&[10, 10, 10, 10], 2), [0..2, 2..4]);
        assert_eq!(all(&[30, 5, 5, 20], 2), [0..1, 1..4]);
        assert_eq!(all(&[1], 2).iter().filter(|part| !part.is_empty()).count(), 1);
        assert_eq!(all(&[], 2), [0..0, 0..0]);
    }
}
