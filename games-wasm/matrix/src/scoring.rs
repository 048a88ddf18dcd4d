//! What a seat's rounds are worth, and what they show. A round is the own action and the other's.

use ludus_game::{Count, Seat};

use crate::bimatrix::Bimatrix;

/// The mean of `(payoff - lowest) / (highest - lowest)`, over the whole matrix.
pub fn payoff(game: &Bimatrix, rounds: impl Iterator<Item = (usize, usize)>) -> f64 {
    mean(rounds.map(|(action, reply)| scaled(game.own(action, reply), game.range())))
}

/// The mean of `1 - regret / largest regret`, against the action that the other played: 1 for a best reply, 0 for a worst one.
pub fn regret(game: &Bimatrix, rounds: impl Iterator<Item = (usize, usize)>) -> f64 {
    mean(rounds.map(|(action, reply)| scaled(game.own(action, reply), game.range_against(reply))))
}

/// `dominated-avoided` and `best-responses`.
pub fn counts(game: &Bimatrix, seat: Seat, rounds: impl Iterator<Item = (usize, usize)>) -> Vec<Count> {
    let can_err = (0..game.actions()).any(|action| game.is_dominated(action));
    let (mut avoided, mut best, mut played) = (0, 0, 0);
    for (action, reply) in rounds {
        avoided += u32::from(can_err && !game.is_dominated(action));
        best += u32::from(game.own(action, reply) == game.range_against(reply).1);
        played += 1;
    }
    let count = |name: &str, times, chances| Count { seat, name: name.to_owned(), times, chances };
    vec![count("dominated-avoided", avoided, if can_err { played } else { 0 }), count("best-responses", best, played)]
}

/// 1 where there is nothing to choose.
fn scaled(payoff: i64, (lowest, highest): (i64, i64)) -> f64 {
    if lowest == highest { 1.0 } else { (payoff - lowest) as f64 / (highest - lowest) as f64 }
}

fn mean(scores: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for score in scores {
        sum += score;
        count += 1.0;
    }
    sum / count
}
