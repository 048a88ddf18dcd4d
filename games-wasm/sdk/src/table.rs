//! The protocol between host and game, once for all games.
//!
//! ```text
//! asked:   the seats of this turn            waiting: those of them whose move is not there yet
//! step:    each waiting seat's text is read. Taken moves are kept, refused ones are reported, and only their seats asked again.
//!          When nobody waits any more the game plays all moves at once.
//! ```
//!
//! So a refused move changes nothing, and no seat moves twice because another one erred. A host that sends moves of the wrong
//! seats breaks the contract: that is a panic, a trap in a component.

use crate::bindings::exports::ludus::game::game::{Move, Progress, Rejection, Request, Setup, Turn as Asked};
use crate::{Game, Random, Seat, Turn};

/// A game that is being played.
pub(crate) struct Table<G: Game> {
    game: G,
    waiting: Vec<Seat>,
    taken: Vec<(Seat, G::Move)>,
}

impl<G: Game> Table<G> {
    /// Deals.
    ///
    /// # Errors
    /// Options that are not understood, or that the game cannot serve.
    pub fn start(setup: &Setup, random: &mut Random) -> Result<(Self, Asked), String> {
        let (fewest, most) = G::ABOUT.seats;
        if !(fewest..=most).contains(&setup.seats) {
            return Err(format!("{} is played by {fewest} to {most} seats, not by {}.", G::ABOUT.name, setup.seats));
        }
        let options = serde_json::from_str(&setup.options)
            .map_err(|error| format!("The options are not understood: {error}."))?;
        let game = G::start(setup.seats, options, random)?;
        let mut table = Self { game, waiting: Vec::new(), taken: Vec::new() };
        let asked = table.next_turn();
        Ok((table, asked))
    }

    /// Takes the move of each waiting seat.
    pub fn step(&mut self, moves: &[Move], random: &mut Random) -> Progress {
        assert!(!self.waiting.is_empty(), "the game is over, nobody is asked to move");
        assert!(
            moves.iter().map(|given| given.seat).eq(self.waiting.iter().copied()),
            "moves are needed of the seats {:?}, in this order",
            self.waiting
        );

        let mut rejections = Vec::new();
        for Move { seat, text } in moves {
            match self.game.parse(*seat, text) {
                Ok(accepted) => self.taken.push((*seat, accepted)),
                Err(reason) => rejections.push(Rejection { seat: *seat, reason }),
            }
        }
        self.waiting = rejections.iter().map(|rejection| rejection.seat).collect();
        let turn = if self.waiting.is_empty() {
            let mut taken = std::mem::take(&mut self.taken);
            taken.sort_by_key(|(seat, _)| *seat);
            self.game.play(taken, random);
            self.next_turn()
        } else {
            Asked::Decide(
                self.waiting.iter().map(|&seat| Request { seat, prompt: self.game.ask_again(seat) }).collect(),
            )
        };
        Progress { rejections, turn }
    }

    pub fn game(&self) -> &G {
        &self.game
    }

    fn next_turn(&mut self) -> Asked {
        match self.game.turn() {
            Turn::Over(outcome) => Asked::Over(outcome),
            Turn::Decide(seats) => {
                assert!(
                    !seats.is_empty() && seats.is_sorted_by(|a, b| a < b),
                    "a turn asks seats in rising order, at least one: {seats:?}"
                );
                let requests = seats.iter().map(|&seat| Request { seat, prompt: self.game.prompt(seat) }).collect();
                self.waiting = seats;
                Asked::Decide(requests)
            }
        }
    }
}
