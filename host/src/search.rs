//! A player for any game: `search:PLAYOUTS`, Monte Carlo tree search over the host.
//!
//! ```text
//! memory    what its seat was told and has said: all that it knows
//! world     a line of play, from the deal on, in which the seat would have been told the very same
//! guess     finds such worlds
//! bandit    one seat's choice in one situation: UCB1
//! playout   plays a world to its end: along the bandits first, by random legal moves then
//! budget    what all of this may take for one move
//! ```
//!
//! Positions cannot be copied, so each playout begins with a fresh instance of the game and leads it to the present position.
//! Situations are told apart by what their seat was told and has said, and every seat has bandits of its own in its own
//! situations (Cowling, Powley and Whitehouse, "Information Set Monte Carlo Tree Search", 2012; the bandits are those of
//! Kocsis and Szepesvári, "Bandit based Monte-Carlo Planning", 2006). Seats that move at the same time choose independently,
//! each seat plays for its own score, and in a game of perfect information this is plain UCT.
//!
//! **What is hidden stays hidden.** The searcher is a function of its seat's memory, the game with its options, and a random
//! stream of its own. It is handed neither the instance of the episode nor its streams nor the moves of other seats: those it
//! works out from what its seat was told. Where its seat could not have told two moves apart, it draws one.
//!
//! Where no such world is found within a bound of tries (own cards or fleets that are too unlikely to come again, texts that
//! cannot be guessed), it makes random legal moves from then on; and one where any text may be its own move. Where a game takes
//! so much that the budget of a move is spent, the playouts so far decide it.

mod bandit;
mod budget;
mod guess;
mod memory;
mod playout;
mod world;

use std::sync::Arc;

use crate::component::Component;
use crate::fault::Fault;
use crate::stream::Stream;
use crate::turn::Setup;
use guess::Guesser;
use playout::Tree;

pub(crate) use budget::Budget;
pub(crate) use memory::Memory;

/// So many worlds are thought of at once; playouts take them in turn.
const WORLDS_MAX: usize = 16;

/// The present game, as everybody at its table knows it.
pub(crate) struct Rules<'a> {
    pub component: &'a Arc<Component>,
    pub setup: &'a Setup,
    /// The searcher's.
    pub seat: u32,
    pub budget: Budget,
}

/// The best of the seat's legal moves, as so many playouts have it; a random one where no world could be thought of.
///
/// # Errors
/// Where the host lacks memory for one more instance. What a game does wrong in a playout is no fault of the episode's: that
/// playout is dropped.
pub(crate) fn best_move(
    rules: &Rules<'_>,
    memory: &mut Memory,
    mut moves: Vec<String>,
    playouts: u32,
    mut random: Stream,
) -> Result<String, Fault> {
    let any = random.below(moves.len() as u32) as usize;
    if moves.len() > 1 && !memory.gave_up {
        let worlds = Guesser::new(rules, memory, &mut random).worlds(WORLDS_MAX.min(playouts as usize))?;
        memory.gave_up = worlds.is_empty();
        let mut tree = Tree::new(rules, &moves);
        for world in worlds.iter().cycle().take(playouts as usize) {
            if rules.budget.is_spent() {
                break;
            }
            tree.play(world, &mut random)?;
        }
        if let Some(best) = tree.best() {
            return Ok(best);
        }
    }
    Ok(moves.swap_remove(any))
}
