//! The players that the game brings along.

use ludus_game::Random;

use crate::board::{Board, Cells, cell_set};
use crate::search::best_moves;

/// How often `fallible` moves at random where no argument says.
const FALLIBLE_DEFAULT: f64 = 0.3;

/// The cell that a house player takes.
///
/// # Errors
/// A sentence for a player that does not exist, or an argument that makes no sense.
pub fn choose(board: &Board, own: Cells, other: Cells, player: &str, random: &mut Random) -> Result<u32, String> {
    let (name, argument) = player.split_once(':').map_or((player, None), |(name, argument)| (name, Some(argument)));
    let at_random = match (name, argument) {
        ("random", None) => true,
        ("optimal", None) => false,
        ("fallible", argument) => random.probability(argument.map_or(Ok(FALLIBLE_DEFAULT), probability)?),
        _ => return Err(format!("There is no house player `{player}`; take `random`, `optimal` or `fallible:0.3`.")),
    };
    let cells = if at_random { board.free(own, other) } else { best_moves(board, own, other) };
    let cells: Vec<u32> = cell_set(cells).collect();
    if cells.is_empty() {
        return Err("No cell is free.".to_owned());
    }
    Ok(*random.pick(&cells))
}

fn probability(text: &str) -> Result<f64, String> {
    let probability = text.parse().ok().filter(|probability| (0.0..=1.0).contains(probability));
    probability.ok_or_else(|| format!("`fallible:{text}` needs a probability from 0 to 1, like `fallible:0.3`."))
}
