//! The players that the game brings along. Each sees the game as its first player; most are known from the prisoner's dilemma,
//! so what they do elsewhere is said here.
//!
//! To *cooperate* is the own part of the outcome whose payoffs have the greatest sum (of equal ones the most even, then the first).
//!
//! | player | plays |
//! | --- | --- |
//! | `uniform` | each action with the same probability |
//! | `equilibrium` | its part of the equilibrium with the greatest sum of expected payoffs (of equal ones the first) |
//! | `defect` | the best reply to cooperation; where that is to cooperate, its safest action (greatest lowest payoff) |
//! | `tit-for-tat` | cooperates first and after a round in which the other did; else the action that leaves the other least |
//! | `best-response` | the best reply to the other's last action; in the first round to a uniform one |

use ludus_game::Random;

use crate::bimatrix::Bimatrix;
use crate::equilibria::{Equilibrium, Mix};

/// Their names.
pub const NAMES: [&str; 5] = ["equilibrium", "uniform", "tit-for-tat", "defect", "best-response"];

/// The action of a player whose own equilibrium mix and the other's last action are known. `None` for a name that is not listed.
pub fn choose(
    game: &Bimatrix,
    equilibrium: impl Fn() -> Mix,
    last: Option<usize>,
    player: &str,
    random: &mut Random,
) -> Option<usize> {
    let action = match player {
        "uniform" => random.below(game.actions() as u32) as usize,
        "equilibrium" => equilibrium().draw(random),
        "defect" => defect(game),
        "tit-for-tat" => tit_for_tat(game, last),
        "best-response" => best_response(game, last),
        _ => return None,
    };
    Some(action)
}

/// The equilibrium with the greatest sum of expected payoffs; the first of equal ones.
pub fn best_equilibrium<'all>(game: &Bimatrix, equilibria: &'all [Equilibrium]) -> Option<&'all Equilibrium> {
    let sum = |equilibrium: &Equilibrium| -> f64 {
        let (first, second) = (equilibrium.first.probabilities(), equilibrium.second.probabilities());
        let outcomes = outcomes(game).map(|(a, b)| first[a] * second[b] * (game.own(a, b) + game.other(a, b)) as f64);
        outcomes.sum()
    };
    // Sums that differ by rounding are equal.
    equilibria.iter().reduce(|best, next| if sum(next) > sum(best) + 1e-9 { next } else { best })
}

fn defect(game: &Bimatrix) -> usize {
    let (cooperation, others_part) = cooperation(game);
    let reply = game.best(|action| game.own(action, others_part));
    if game.own(reply, others_part) > game.own(cooperation, others_part) {
        return reply;
    }
    game.best(|action| game.own_rows()[action].iter().copied().min().unwrap_or(i64::MIN))
}

fn tit_for_tat(game: &Bimatrix, last: Option<usize>) -> usize {
    let (cooperation, others_part) = cooperation(game);
    match last {
        Some(action) if action != others_part => {
            game.best(|action| -(0..game.replies()).map(|reply| game.other(action, reply)).max().unwrap_or(i64::MIN))
        }
        _ => cooperation,
    }
}

fn best_response(game: &Bimatrix, last: Option<usize>) -> usize {
    match last {
        Some(reply) => game.best(|action| game.own(action, reply)),
        None => game.best(|action| game.own_rows()[action].iter().sum()),
    }
}

/// The outcome with the greatest sum of payoffs: the own action and the other's.
fn cooperation(game: &Bimatrix) -> (usize, usize) {
    let merit =
        |&(a, b): &(usize, usize)| (game.own(a, b) + game.other(a, b), -(game.own(a, b) - game.other(a, b)).abs());
    outcomes(game)
        .reduce(|best, next| if merit(&next) > merit(&best) { next } else { best })
        .expect("a game has outcomes")
}

fn outcomes(game: &Bimatrix) -> impl Iterator<Item = (usize, usize)> {
    let (actions, replies) = (game.actions(), game.replies());
    (0..actions).flat_map(move |a| (0..replies).map(move |b| (a, b)))
}
