//! Ratings by the model of Bradley and Terry (1952), on the scale of Elo.
//!
//! A player of strength s wins against one of strength t with probability `s / (s + t)`; a draw counts half a win for each. The
//! strengths that make the results likeliest are found by Hunter's algorithm (2004):
//!
//! ```text
//! s_i <- W_i / sum over opponents j of n_ij / (s_i + s_j)          rating = 400 log10(s)
//! ```
//!
//! Everybody has one drawn game against an imagined player of strength 1 besides, so that who won or lost every game has a
//! rating, too. Intervals are a bootstrap over the games of each pair.

use std::collections::BTreeMap;

use ludus_host::stream::Stream;
use serde::Serialize;

use super::Meeting;
use crate::statistics::Interval;

const RESAMPLES: usize = 1_000;
const ROUNDS: usize = 500;

/// How strong a player is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rating {
    /// In points of Elo; the mean of all players is 0.
    pub rating: f64,
    pub interval: Interval,
    /// Of all points that it played for, from 0 to 1.
    pub share: f64,
    pub games: usize,
}

/// Games and points of each pair, from the side of the first.
type Results = BTreeMap<(usize, usize), (f64, f64)>;

/// The ratings of so many players.
pub fn ratings(players: usize, meetings: &BTreeMap<(usize, usize), Meeting>) -> Vec<Rating> {
    let sum = |meeting: &Meeting| (meeting.points.len() as f64, meeting.points.iter().sum::<f64>());
    let results: Results = meetings.iter().map(|(pair, meeting)| (*pair, sum(meeting))).collect();
    let found = fitted(players, &results);
    let mut stream = Stream::derive(0, &["ratings".into()]);
    let mut resampled: Vec<Vec<f64>> = vec![Vec::with_capacity(RESAMPLES); players];
    for _ in 0..RESAMPLES {
        let mut drawn = |meeting: &Meeting| {
            let games = meeting.points.len();
            let points: f64 = (0..games).map(|_| meeting.points[stream.below(games as u32) as usize]).sum();
            (games as f64, points)
        };
        let results: Results = meetings.iter().map(|(pair, meeting)| (*pair, drawn(meeting))).collect();
        for (player, rating) in fitted(players, &results).into_iter().enumerate() {
            resampled[player].push(rating);
        }
    }
    let rating = |player: usize| {
        let values = &mut resampled[player];
        values.sort_unstable_by(f64::total_cmp);
        let at = |quantile: f64| values[((RESAMPLES - 1) as f64 * quantile).round() as usize];
        let (mut games, mut points) = (0.0, 0.0);
        for (&(first, second), &(of, won)) in &results {
            if player == first {
                (games, points) = (games + of, points + won);
            } else if player == second {
                (games, points) = (games + of, points + of - won);
            }
        }
        Rating {
            rating: found[player],
            interval: Interval { low: at(0.025), high: at(0.975) },
            share: if games > 0.0 { points / games } else { 0.0 },
            games: games as usize,
        }
    };
    (0..players).map(rating).collect()
}

fn fitted(players: usize, results: &Results) -> Vec<f64> {
    let mut strengths = vec![1.0_f64; players];
    let mut won = vec![0.5_f64; players];
    for (&(first, second), &(games, points)) in results {
        won[first] += points;
        won[second] += games - points;
    }
    for _ in 0..ROUNDS {
        let mut met: Vec<f64> = strengths.iter().map(|strength| 1.0 / (strength + 1.0)).collect();
        for (&(first, second), &(games, _)) in results {
            let share = games / (strengths[first] + strengths[second]);
            met[first] += share;
            met[second] += share;
        }
        strengths = won.iter().zip(&met).map(|(won, met)| won / met).collect();
    }
    let ratings: Vec<f64> = strengths.iter().map(|strength| 400.0 * strength.log10()).collect();
    let mean = ratings.iter().sum::<f64>() / players.max(1) as f64;
    ratings.iter().map(|rating| rating - mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meeting(won: usize, drawn: usize, lost: usize) -> Meeting {
        Meeting { points: [vec![1.0; won], vec![0.5; drawn], vec![0.0; lost]].concat() }
    }

    #[test]
    fn two_players_are_as_far_apart_as_elos_formula_says() {
        // 3,000 of 4,000 points: 400 log10(3) = 190.85; the imagined games weigh nothing beside so many.
        let found = ratings(2, &BTreeMap::from([((0, 1), meeting(2_800, 400, 800))]));
        let apart = found[0].rating - found[1].rating;
        assert!((apart - 190.85).abs() < 0.5, "{apart}");
        assert!((found[0].share - 0.75).abs() < 1e-12);
        assert!(found[0].interval.low < found[0].rating && found[0].rating < found[0].interval.high);
        assert!(found[0].interval.high - found[0].interval.low < 30.0);
    }

    #[test]
    fn strengths_that_made_the_results_are_found_again() {
        // Strengths 1, 2 and 4 give shares of 1/3, 1/5 and 1/3; steps of log10(2) * 400 = 120.4.
        let meetings = BTreeMap::from([
            ((0, 1), meeting(10_000, 0, 20_000)),
            ((0, 2), meeting(6_000, 0, 24_000)),
            ((1, 2), meeting(10_000, 0, 20_000)),
        ]);
        let results = meetings.iter().map(|(pair, one)| (*pair, (one.points.len() as f64, one.points.iter().sum())));
        let found = fitted(3, &results.collect());
        assert!((found[1] - found[0] - 120.41).abs() < 0.1 && (found[2] - found[1] - 120.41).abs() < 0.1, "{found:?}");
        assert!(found.iter().sum::<f64>().abs() < 1e-9);
    }

    #[test]
    fn who_won_every_game_has_a_rating_too() {
        let found = ratings(2, &BTreeMap::from([((0, 1), meeting(10, 0, 0))]));
        assert!(found[0].rating.is_finite() && found[0].rating > 200.0, "{found:?}");
    }
}
