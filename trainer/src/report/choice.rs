//! Which episodes a report shows, where there are more than a page should hold.

/// Of `total` things in a row the places of at most `most`, evenly spaced, with the first and the last among them.
pub fn evenly(total: usize, most: usize) -> Vec<usize> {
    match most {
        _ if total <= most => (0..total).collect(),
        0 => Vec::new(),
        1 => vec![total - 1],
        _ => (0..most).map(|index| index * (total - 1) / (most - 1)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::evenly;

    #[test]
    fn things_are_chosen_evenly_with_the_first_and_the_last() {
        assert_eq!(evenly(9, 3), [0, 4, 8]);
        assert_eq!(evenly(10, 4), [0, 3, 6, 9]);
        assert_eq!(evenly(3, 5), [0, 1, 2]);
        assert_eq!(evenly(3, 1), [2]);
        assert!(evenly(3, 0).is_empty() && evenly(0, 3).is_empty());
    }
}
