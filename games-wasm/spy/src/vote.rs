//! Votes: how one is read, and whom they hit. Players are numbered from 1 in words, seats from 0 inside.

use ludus_game::{Seat, plain};

/// Reads a vote: `3`, `Player 3.` or `#3`.
///
/// # Errors
/// Why it is no vote that this seat may cast.
pub fn parse(text: &str, voter: Seat, living: &[Seat]) -> Result<Seat, String> {
    let plain = plain(text);
    let number = plain.strip_prefix("player").unwrap_or(&plain).trim_start().trim_start_matches('#');
    let choices = choices(voter, living);
    let vote = number.parse::<u32>().ok().and_then(|number| number.checked_sub(1));
    match vote {
        Some(seat) if seat == voter => Err("You cannot vote for yourself.".to_owned()),
        Some(seat) if living.contains(&seat) => Ok(seat),
        Some(_) => Err(format!("No player {number} is in the game.")),
        None => Err(format!("Not a player's number: {}.", listed(&choices))),
    }
}

/// The seats that a voter may name.
pub fn choices(voter: Seat, living: &[Seat]) -> Vec<Seat> {
    living.iter().copied().filter(|&seat| seat != voter).collect()
}

/// Seats as players' numbers: `1, 3 or 4`.
pub fn listed(seats: &[Seat]) -> String {
    let numbers: Vec<String> = seats.iter().map(|seat| (seat + 1).to_string()).collect();
    match numbers.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => numbers.concat(),
    }
}

/// The seats with the most votes, in rising order; several where they are tied.
pub fn most_voted(votes: &[(Seat, Seat)]) -> Vec<Seat> {
    let tally = |seat: Seat| votes.iter().filter(|(_, voted)| *voted == seat).count();
    let most = votes.iter().map(|(_, voted)| tally(*voted)).max().unwrap_or(0);
    let seats = votes.iter().map(|(_, voted)| voted + 1).max().unwrap_or(0);
    (0..seats).filter(|&seat| tally(seat) == most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vote_is_read_leniently() {
        for text in ["3", " 3 ", "3.", "player 3", "Player 3.", "#3", "PLAYER3"] {
            assert_eq!(parse(text, 0, &[0, 1, 2, 3]), Ok(2), "{text:?}");
        }
    }

    #[test]
    fn a_vote_that_names_nobody_else_in_the_game_is_rejected() {
        for text in ["", "0", "1", "2", "5", "-3", "3 or 4", "three", "spy", "99999999999999999999"] {
            assert!(parse(text, 0, &[0, 2, 3]).is_err(), "{text:?}");
        }
        assert_eq!(parse("1", 0, &[0, 2, 3]), Err("You cannot vote for yourself.".to_owned()));
    }

    #[test]
    fn the_most_voted_are_named_with_all_their_ties() {
        assert_eq!(most_voted(&[(0, 1), (1, 2), (2, 1), (3, 1)]), [1]);
        assert_eq!(most_voted(&[(0, 3), (1, 2), (2, 3), (3, 2)]), [2, 3]);
        assert_eq!(most_voted(&[(0, 1), (1, 2), (2, 0)]), [0, 1, 2]);
    }

    #[test]
    fn choices_are_listed_as_people_write_them() {
        assert_eq!(listed(&choices(1, &[0, 1, 2, 3])), "1, 3 or 4");
        assert_eq!(listed(&[2, 5]), "3 or 6");
        assert_eq!(listed(&[2]), "3");
    }

    /// In the 4-seat game each of four votes falls on one of three others with equal probability. No seat differs from another
    /// in that, so each is voted out with probability 1/4, the spy among them. A learner is a civilian in 3 of 4 deals and wins
    /// 1/4 of these; it is the spy in 1 of 4 and wins 3/4 of these: 3/4 * 1/4 + 1/4 * 3/4 = 37.5 %.
    #[test]
    fn a_uniformly_random_vote_wins_exactly_three_eighths_of_the_games() {
        const SPY: Seat = 2;
        let living = [0, 1, 2, 3];
        // Shares of a profile, in twelfths: a tie of 1, 2, 3 or 4 divides them.
        let mut spy_out = 0u32;
        for profile in 0..81u32 {
            let votes: Vec<(Seat, Seat)> = living
                .iter()
                .map(|&voter| (voter, choices(voter, &living)[(profile / 3u32.pow(voter) % 3) as usize]))
                .collect();
            let tied = most_voted(&votes);
            spy_out += if tied.contains(&SPY) { 12 / tied.len() as u32 } else { 0 };
        }
        assert_eq!(spy_out * 4, 81 * 12, "the spy is out in a quarter of the profiles");
        let civilian_wins = f64::from(spy_out) / f64::from(81 * 12);
        assert_eq!(0.75 * civilian_wins + 0.25 * (1.0 - civilian_wins), 0.375);
    }
}
