//! The few sentences that the host itself says to a player. All others are the game's.
//!
//! They are part of what a model reads, so they are part of an episode: changing one changes the prompts' hashes in new
//! records, and is a new version of the record's format.

use crate::player::Player;

/// The stage's fallback player moved in a seat's place; it stands behind the reason why.
pub fn substituted(fallback: &Player) -> &'static str {
    match fallback {
        Player::Random => "You had no tries left, so a random legal move was made for you.",
        _ => "You had no tries left, so another player moved for you.",
    }
}

/// The learner used up its tries; it stands behind the reason why, before the next game's first prompt.
pub const FORFEITED: &str = "You had no tries left, so that game is lost.";

/// What the learner is told of a finished stage where the task reveals scores.
pub fn revealed(game: &str, score: f64) -> String {
    // Two decimals are enough to learn from, and thirds stay readable.
    let rounded = format!("{score:.2}");
    let plain = rounded.trim_end_matches('0').trim_end_matches('.');
    format!("The game {game} is over. Your score: {plain} of 1.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revealed_score_reads_like_a_number_that_a_person_wrote() {
        for (score, written) in [(1.0, "1"), (0.5, "0.5"), (1.0 / 3.0, "0.33"), (0.0, "0"), (0.1, "0.1")] {
            assert_eq!(revealed("spy", score), format!("The game spy is over. Your score: {written} of 1."));
        }
    }
}
