//! Nim with one heap: take one to three stones in turn; who takes the last one wins.
//!
//! A whole game in one file, to start from.

use ludus_game::{About, Game, Outcome, Random, Seat, Turn, plain};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

ludus_game::export!(Nim);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How many stones there are at the start.
    #[schemars(range(min = 1, max = 100))]
    pub stones: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { stones: 21 }
    }
}

pub struct Nim {
    stones: u32,
    mover: Seat,
    introduced: [bool; 2],
}

impl Game for Nim {
    const ABOUT: About = About {
        name: "nim",
        version: env!("CARGO_PKG_VERSION"),
        summary: "One heap of stones: take one to three; who takes the last one wins.",
        seats: (2, 2),
        // Each move takes one of at most 100 stones.
        steps_max: 100,
        house_players: &["optimal"],
        abilities: &["planning"],
    };
    type Options = Options;
    type Move = u32;

    fn start(_seats: u32, options: Options, random: &mut Random) -> Result<Self, String> {
        Ok(Self { stones: options.stones, mover: random.below(2), introduced: [false; 2] })
    }

    fn turn(&self) -> Turn {
        if self.stones > 0 {
            return Turn::Decide(vec![self.mover]);
        }
        let winner = 1 - self.mover;
        let mut scores = vec![0.0; 2];
        scores[winner as usize] = 1.0;
        Turn::Over(Outcome { scores, counts: vec![], summary: format!("seat {winner} takes the last stone") })
    }

    fn prompt(&mut self, seat: Seat) -> String {
        let introduced = std::mem::replace(&mut self.introduced[seat as usize], true);
        let rules = if introduced { "" } else { "Take 1, 2 or 3 stones in turn. Who takes the last one wins.\n" };
        format!("{rules}There are {} stones. How many do you take?", self.stones)
    }

    fn parse(&self, _seat: Seat, text: &str) -> Result<u32, String> {
        match plain(text).parse() {
            Ok(taken @ 1..=3) if taken <= self.stones => Ok(taken),
            _ => Err(format!("A move is a number from 1 to {}.", self.stones.min(3))),
        }
    }

    fn play(&mut self, moves: Vec<(Seat, u32)>, _random: &mut Random) {
        for (seat, taken) in moves {
            self.stones -= taken;
            self.mover = 1 - seat;
        }
    }

    fn legal_moves(&self, _seat: Seat) -> Option<Vec<String>> {
        Some((1..=self.stones.min(3)).map(|taken| taken.to_string()).collect())
    }

    fn house_move(&self, _seat: Seat, player: &str, _random: &mut Random) -> Result<String, String> {
        match player {
            // Leave a multiple of four wherever that can be done.
            "optimal" => Ok((self.stones % 4).max(1).to_string()),
            _ => Err(format!("nim has no house player `{player}`.")),
        }
    }

    fn view(&self, _viewer: Option<Seat>) -> String {
        "o".repeat(self.stones as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ludus_game::testing::{Session, check_game};

    #[test]
    fn it_keeps_every_games_promises() {
        check_game::<Nim>(2, "{}", 200);
    }

    #[test]
    fn who_leaves_a_multiple_of_four_wins() {
        for seed in 0..100 {
            let session = Session::<Nim>::start(2, r#"{"stones": 21}"#, seed).unwrap();
            let first = session.asked()[0];
            let outcome = session.play_out(|session, seat| {
                if seat == first { session.house(seat, "optimal") } else { session.random_move(seat) }
            });
            assert_eq!(outcome.scores[first as usize], 1.0);
        }
    }
}
