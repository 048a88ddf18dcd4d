//! A game of two players in normal form, seen by one of them, and what follows from the payoffs alone.

/// Payoffs of two players. `own[a][b]` is the first player's where it plays `a` and the second plays `b`; `other[a][b]` is the second's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bimatrix {
    own: Vec<Vec<i64>>,
    other: Vec<Vec<i64>>,
}

impl Bimatrix {
    pub fn new(own: &[&[i64]], other: &[&[i64]]) -> Self {
        let owned = |rows: &[&[i64]]| rows.iter().map(|row| row.to_vec()).collect();
        Self { own: owned(own), other: owned(other) }
    }

    /// The same game, seen by the other player.
    pub fn mirrored(&self) -> Self {
        let transposed =
            |rows: &[Vec<i64>]| (0..rows[0].len()).map(|column| rows.iter().map(|row| row[column]).collect()).collect();
        Self { own: transposed(&self.other), other: transposed(&self.own) }
    }

    /// Every payoff of both players through `change`.
    pub fn map(&self, change: impl Fn(i64) -> i64) -> Self {
        let changed =
            |rows: &[Vec<i64>]| rows.iter().map(|row| row.iter().map(|payoff| change(*payoff)).collect()).collect();
        Self { own: changed(&self.own), other: changed(&self.other) }
    }

    /// How many actions the first player has.
    pub fn actions(&self) -> usize {
        self.own.len()
    }

    /// How many actions the second player has.
    pub fn replies(&self) -> usize {
        self.own[0].len()
    }

    pub fn own(&self, action: usize, reply: usize) -> i64 {
        self.own[action][reply]
    }

    pub fn other(&self, action: usize, reply: usize) -> i64 {
        self.other[action][reply]
    }

    /// The first player's payoffs, a row for each of its actions.
    pub fn own_rows(&self) -> &[Vec<i64>] {
        &self.own
    }

    /// The lowest and the highest payoff that there is for the first player.
    pub fn range(&self) -> (i64, i64) {
        low_and_high(self.own.iter().flatten().copied())
    }

    /// The lowest and the highest payoff of the first player against one action of the second.
    pub fn range_against(&self, reply: usize) -> (i64, i64) {
        low_and_high(self.own.iter().map(|row| row[reply]))
    }

    /// Whether another action is never worse and somewhere better: weakly or strictly dominated.
    pub fn is_dominated(&self, action: usize) -> bool {
        let never_worse = |row: &Vec<i64>| row.iter().zip(&self.own[action]).all(|(there, here)| there >= here);
        self.own.iter().any(|row| never_worse(row) && *row != self.own[action])
    }

    /// The first player's best action where its payoff is `payoff(action)`; the first of equal ones.
    pub fn best(&self, payoff: impl Fn(usize) -> i64) -> usize {
        (0..self.actions()).rev().max_by_key(|action| payoff(*action)).expect("a game has actions")
    }
}

fn low_and_high(payoffs: impl Iterator<Item = i64> + Clone) -> (i64, i64) {
    (payoffs.clone().min().expect("a game has payoffs"), payoffs.max().expect("a game has payoffs"))
}
