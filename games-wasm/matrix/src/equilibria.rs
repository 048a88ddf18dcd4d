//! Nash equilibria by support enumeration, in whole numbers.
//!
//! For supports I and J of one size, the second player's mix y on J must make the first indifferent between the actions of I:
//! `(A[i] - A[i']) · y = 0` for neighbours i, i' of I, and the other way round. Such a y is a null vector of a matrix with one row
//! fewer than columns. A mix is therefore a list of integer weights, and every comparison is exact. A pair of positive mixes is an
//! equilibrium where no action outside the support pays more.
//!
//! The order is that of nashpy's `support_enumeration`: by size, then by the first player's support, then by the second's, each in
//! lexicographic order. Supports of different sizes are not tried, so a degenerate game may have more equilibria than are found.

use ludus_game::Random;

use crate::bimatrix::Bimatrix;

/// A mixed strategy: the weight of each action, in lowest terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix(Vec<i64>);

/// Two mixes, each a best reply to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equilibrium {
    pub first: Mix,
    pub second: Mix,
}

impl Mix {
    /// The action with the greatest weight; the first of equal ones.
    pub fn likeliest(&self) -> usize {
        (0..self.0.len()).rev().max_by_key(|action| self.0[*action]).expect("a mix has actions")
    }

    /// An action, drawn by weight.
    pub fn draw(&self, random: &mut Random) -> usize {
        let total: i64 = self.0.iter().sum();
        let mut left = i64::from(random.below(u32::try_from(total).expect("small weights")));
        let hit = self.0.iter().position(|weight| {
            left -= weight;
            left < 0
        });
        hit.expect("the draw is below the total")
    }

    /// The probability of each action.
    pub fn probabilities(&self) -> Vec<f64> {
        let total: i64 = self.0.iter().sum();
        self.0.iter().map(|weight| *weight as f64 / total as f64).collect()
    }
}

/// All equilibria with supports of equal size, in nashpy's order.
pub fn support_enumeration(game: &Bimatrix) -> Vec<Equilibrium> {
    let mirrored = game.mirrored();
    let mut found = Vec::new();
    for size in 1..=game.actions().min(game.replies()) {
        for actions in subsets(game.actions(), size) {
            for replies in subsets(game.replies(), size) {
                let second = indifferent(game, &actions, &replies).filter(|mix| is_best(game, &actions, mix));
                let Some(second) = second else { continue };
                let first = indifferent(&mirrored, &replies, &actions).filter(|mix| is_best(&mirrored, &replies, mix));
                found.extend(first.map(|first| Equilibrium { first, second }));
            }
        }
    }
    found
}

/// The second player's mix on all of `replies` under which all `actions` of the first pay the same, if there is one.
fn indifferent(game: &Bimatrix, actions: &[usize], replies: &[usize]) -> Option<Mix> {
    let difference =
        |pair: &[usize]| replies.iter().map(|reply| game.own(pair[1], *reply) - game.own(pair[0], *reply)).collect();
    let weights = null_vector(actions.windows(2).map(difference).collect(), replies.len())?;
    if !weights.iter().all(|weight| *weight > 0) {
        return None;
    }
    let mut mix = vec![0; game.replies()];
    for (reply, weight) in replies.iter().zip(weights) {
        mix[*reply] = weight;
    }
    Some(Mix(mix))
}

/// Whether none of the first player's actions pays more against the mix than those of its support.
fn is_best(game: &Bimatrix, actions: &[usize], mix: &Mix) -> bool {
    let payoff = |row: &Vec<i64>| -> i64 { row.iter().zip(&mix.0).map(|(payoff, weight)| payoff * weight).sum() };
    let payoffs: Vec<i64> = game.own_rows().iter().map(payoff).collect();
    payoffs.iter().max() == actions.iter().map(|action| &payoffs[*action]).max()
}

/// The vector x with `rows · x = 0`, in lowest terms, its last entry that is not zero positive. `None` where there is more than one
/// direction. `rows` is one shorter than the vector.
///
/// Gauss and Jordan in integers, each row kept in lowest terms. Its entries are then bounded by minors of the matrix: under 2^30 for
/// five rows of differences up to 28, the largest case here, so products fit in 64 bits.
fn null_vector(mut rows: Vec<Vec<i64>>, length: usize) -> Option<Vec<i64>> {
    let mut pivots = Vec::new();
    for column in 0..length {
        let done = pivots.len();
        let Some(pivot) = (done..rows.len()).find(|row| rows[*row][column] != 0) else { continue };
        rows.swap(done, pivot);
        let pivot = rows[done].clone();
        for (index, row) in rows.iter_mut().enumerate() {
            if index != done {
                let (scale, factor) = (pivot[column], row[column]);
                row.iter_mut().zip(&pivot).for_each(|(entry, above)| *entry = *entry * scale - above * factor);
                lowest_terms(row);
            }
        }
        pivots.push(column);
    }
    if pivots.len() != rows.len() {
        return None;
    }
    // One column has no pivot. Each row says: pivot * x[column] + entry * x[free] = 0.
    let free = (0..length).find(|column| !pivots.contains(column))?;
    let common = pivots.iter().zip(&rows).fold(1, |common: i64, (column, row)| {
        let pivot = row[*column].abs();
        common / greatest_common_divisor(common, pivot) * pivot
    });
    let mut vector = vec![0; length];
    vector[free] = common;
    for (column, row) in pivots.iter().zip(&rows) {
        vector[*column] = -row[free] * (common / row[*column]);
    }
    lowest_terms(&mut vector);
    Some(vector)
}

fn lowest_terms(numbers: &mut [i64]) {
    let divisor = numbers.iter().fold(0, |divisor, number| greatest_common_divisor(divisor, number.abs()));
    if divisor > 1 {
        numbers.iter_mut().for_each(|number| *number /= divisor);
    }
}

fn greatest_common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The subsets of `0..count` of one size, in lexicographic order.
fn subsets(count: usize, size: usize) -> Vec<Vec<usize>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    let starting_with = |first: usize| {
        subsets(count - first - 1, size - 1)
            .into_iter()
            .map(move |rest| [first].into_iter().chain(rest.into_iter().map(|item| item + first + 1)).collect())
    };
    (0..=count - size).flat_map(starting_with).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets_come_in_lexicographic_order() {
        assert_eq!(subsets(4, 2), [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]);
        assert_eq!(subsets(3, 3), [[0, 1, 2]]);
    }

    #[test]
    fn a_null_vector_solves_its_rows_and_is_refused_where_it_is_not_the_only_one() {
        assert_eq!(null_vector(vec![vec![2, -4]], 2), Some(vec![2, 1]));
        assert_eq!(null_vector(vec![vec![1, -1, 0], vec![0, 3, -2]], 3), Some(vec![2, 2, 3]));
        assert_eq!(null_vector(vec![vec![0, 0]], 2), None);
        assert_eq!(null_vector(vec![vec![1, 2, 3], vec![2, 4, 6]], 3), None);
        // The pivot is not in the first column.
        assert_eq!(null_vector(vec![vec![0, 5]], 2), Some(vec![1, 0]));
    }

    #[test]
    fn the_likeliest_of_equal_actions_is_the_first() {
        assert_eq!(Mix(vec![0, 1, 2, 2]).likeliest(), 2);
    }

    #[test]
    fn a_mix_draws_by_weight() {
        let mut random = Random::seeded(4);
        let mix = Mix(vec![1, 0, 3]);
        let mut seen = [0u32; 3];
        for _ in 0..10_000 {
            seen[mix.draw(&mut random)] += 1;
        }
        // 2,500 on average; six standard deviations.
        assert!(seen[0].abs_diff(2_500) < 260 && seen[1] == 0, "{seen:?}");
    }
}
