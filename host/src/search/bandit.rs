//! One seat's choice in one situation.
//!
//! ```text
//! choose the move with the highest   mean + sqrt(ln n / n_move)        moves that were never tried come first
//! ```
//!
//! That is UCB1 (Auer, Cesa-Bianchi and Fischer, "Finite-time Analysis of the Multiarmed Bandit Problem", 2002) for scores from
//! 0 to 1, with its constant of 2 left out: in the words of Kocsis and Szepesvári, C_p = 1/2.

use crate::stream::Stream;

/// What is known of each move.
#[derive(Default)]
pub(super) struct Bandit {
    arms: Vec<Arm>,
}

struct Arm {
    text: String,
    times: u32,
    total: f64,
}

impl Bandit {
    pub fn new(moves: &[String]) -> Bandit {
        Bandit { arms: moves.iter().map(|text| Arm { text: text.clone(), times: 0, total: 0.0 }).collect() }
    }

    /// About what it takes in memory.
    pub fn bytes(&self) -> usize {
        self.arms.iter().map(|arm| arm.text.len() + size_of::<Arm>()).sum()
    }

    /// The number of the move to try next; `None` where there are none.
    pub fn choose(&self, random: &mut Stream) -> Option<usize> {
        let untried: Vec<usize> = (0..self.arms.len()).filter(|arm| self.arms[*arm].times == 0).collect();
        if !untried.is_empty() {
            return Some(untried[random.below(untried.len() as u32) as usize]);
        }
        let all: u32 = self.arms.iter().map(|arm| arm.times).sum();
        let bound = |arm: &Arm| arm.mean() + (f64::from(all).ln() / f64::from(arm.times)).sqrt();
        (0..self.arms.len()).max_by(|one, other| bound(&self.arms[*one]).total_cmp(&bound(&self.arms[*other])))
    }

    pub fn text(&self, arm: usize) -> &str {
        &self.arms[arm].text
    }

    /// What the move came to, from 0 to 1.
    pub fn learn(&mut self, arm: usize, score: f64) {
        self.arms[arm].times += 1;
        self.arms[arm].total += score;
    }

    /// The move that was tried most often; among several of them the better one. `None` where none was tried.
    pub fn best(&self) -> Option<&str> {
        let tried = self.arms.iter().filter(|arm| arm.times > 0);
        let better = |one: &&Arm, other: &&Arm| (one.times.cmp(&other.times)).then(one.total.total_cmp(&other.total));
        tried.max_by(better).map(|arm| arm.text.as_str())
    }
}

impl Arm {
    fn mean(&self) -> f64 {
        self.total / f64::from(self.times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_move_is_tried_more_often_and_the_worse_one_never_forgotten() {
        let mut bandit = Bandit::new(&["worse".to_string(), "better".to_string(), "worst".to_string()]);
        let mut random = Stream::derive(1, &[]);
        let mut times = [0; 3];
        for _ in 0..2_000 {
            let arm = bandit.choose(&mut random).expect("a move");
            times[arm] += 1;
            bandit.learn(arm, if random.unit_f64() < [0.4, 0.6, 0.1][arm] { 1.0 } else { 0.0 });
        }
        assert_eq!(bandit.best(), Some("better"));
        assert!(times[1] > 1_000 && times[0] > 20 && times[2] > 10, "{times:?}");
    }

    #[test]
    fn nothing_is_chosen_where_there_is_nothing() {
        assert_eq!(Bandit::new(&[]).choose(&mut Stream::derive(1, &[])), None);
        assert_eq!(Bandit::new(&["a".to_string()]).best(), None);
    }
}
