//! Race to a total: two seats add 1, 2 or 3 in turn, and whoever reaches it wins.

use ludus_game::{About, Game, Outcome, Random, Seat, Turn};
use schemars::JsonSchema;
use serde::Deserialize;

ludus_game::export!(Race);

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The total to reach.
    #[schemars(range(min = 4, max = 100))]
    pub target: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { target: 21 }
    }
}

/// One episode.
pub struct Race {
    target: u32,
    total: u32,
    mover: Seat,
    /// Which seats have read the rules.
    introduced: [bool; 2],
}

impl Game for Race {
    const ABOUT: About = About {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        summary: "Race to a total: add 1, 2 or 3 in turn, and whoever reaches it wins.",
        seats: (2, 2),
        // Each move adds at least 1 to a total of at most 100.
        steps_max: 100,
        house_players: &["random", "optimal"],
        abilities: &["planning", "arithmetic"],
    };
    type Options = Options;
    /// What is added.
    type Move = u32;

    fn start(_seats: u32, options: Options, random: &mut Random) -> Result<Self, String> {
        Ok(Self { target: options.target, total: 0, mover: random.below(2), introduced: [false; 2] })
    }

    fn turn(&self) -> Turn {
        if self.total < self.target {
            return Turn::Decide(vec![self.mover]);
        }
        // Who moved last has reached it.
        let winner = 1 - self.mover;
        let scores = if winner == 0 { vec![1.0, 0.0] } else { vec![0.0, 1.0] };
        Turn::Over(Outcome { scores, counts: vec![], summary: format!("seat {winner} reaches {}", self.target) })
    }

    fn prompt(&mut self, seat: Seat) -> String {
        let question = self.ask_again(seat);
        if std::mem::replace(&mut self.introduced[seat as usize], true) {
            return question;
        }
        let rules = "Two players take turns adding 1, 2 or 3 to a total that begins at 0.";
        format!("{rules} Whoever reaches {} wins.\n{question}", self.target)
    }

    fn ask_again(&self, _seat: Seat) -> String {
        format!("Total: {}. Add 1, 2 or 3.", self.total)
    }

    fn parse(&self, _seat: Seat, text: &str) -> Result<u32, String> {
        let added = match text.trim() {
            "1" => 1,
            "2" => 2,
            "3" => 3,
            _ => return Err("A move is 1, 2 or 3.".to_owned()),
        };
        if self.total + added > self.target {
            return Err(format!("{added} would pass {}.", self.target));
        }
        Ok(added)
    }

    fn play(&mut self, moves: Vec<(Seat, u32)>, _random: &mut Random) {
        for (seat, added) in moves {
            self.total += added;
            self.mover = 1 - seat;
        }
    }

    fn legal_moves(&self, _seat: Seat) -> Option<Vec<String>> {
        Some(self.possible().map(|added| added.to_string()).collect())
    }

    fn house_move(&self, _seat: Seat, player: &str, random: &mut Random) -> Result<String, String> {
        // Who leaves a multiple of four to go wins; where that cannot be done, any move is as good.
        let added = match (player, (self.target - self.total) % 4) {
            ("optimal", added @ 1..) => added,
            ("optimal" | "random", _) => 1 + random.below(self.possible().count() as u32),
            _ => return Err(format!("There is no house player {player}.")),
        };
        Ok(added.to_string())
    }

    fn view(&self, _viewer: Option<Seat>) -> String {
        format!("Total: {} of {}.", self.total, self.target)
    }
}

impl Race {
    /// What may be added now.
    fn possible(&self) -> impl Iterator<Item = u32> {
        1..=(self.target - self.total).min(3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ludus_game::testing::check_game;

    #[test]
    fn it_keeps_every_games_promises() {
        check_game::<Race>(2, "{}", 100);
    }
}
