//! What players read: short, from the reader's own side, actions named by letters.

use ludus_game::Seat;

use crate::MatrixGame;
use crate::options::{Payoffs, Scoring};

/// The letter of a position in a seat's list of actions.
pub fn letter(position: usize) -> char {
    char::from(b'A' + position as u8)
}

impl MatrixGame {
    /// The rules and the table, for a seat that reads them for the first time.
    pub(crate) fn rules(&self, seat: Seat) -> String {
        let rounds = if self.rounds == 1 { String::new() } else { format!(" in each of {} rounds", self.rounds) };
        let goal = if self.scoring == Scoring::Gift { " Play your part of an equilibrium." } else { "" };
        let points = match self.payoffs {
            Payoffs::Both => "Points for you/them",
            Payoffs::Own => "Points for you",
        };
        let lines = (0..self.labels[seat as usize].len()).map(|position| self.line(seat, position));
        format!(
            "You and another player choose a letter at the same time{rounds}.{goal} {points}:\n{}\n",
            lines.collect::<Vec<_>>().join("\n")
        )
    }

    /// What one own action brings: `A: 3/3 if they choose A, 0/5 if B`.
    fn line(&self, seat: Seat, position: usize) -> String {
        let cases = (0..self.labels[1 - seat as usize].len()).map(|reply| {
            let they_choose = if reply == 0 { "they choose " } else { "" };
            format!("{} if {they_choose}{}", self.points(seat, position, reply), letter(reply))
        });
        format!("{}: {}", letter(position), cases.collect::<Vec<_>>().join(", "))
    }

    /// The points of an outcome as this seat may read them, letters given by their positions.
    fn points(&self, seat: Seat, position: usize, reply: usize) -> String {
        let seat = seat as usize;
        let (action, reply) = (self.labels[seat][position], self.labels[1 - seat][reply]);
        let game = &self.games[seat];
        match self.payoffs {
            Payoffs::Both => format!("{}/{}", game.own(action, reply), game.other(action, reply)),
            Payoffs::Own => game.own(action, reply).to_string(),
        }
    }

    /// How the last round went: `You chose A, they chose B: 0/5.`
    pub(crate) fn news(&self, seat: Seat) -> String {
        let Some(round) = self.history.last() else { return String::new() };
        let [own, other] = [seat, 1 - seat].map(|seat| self.position(seat, round[seat as usize]));
        format!("You chose {}, they chose {}: {}.\n", letter(own), letter(other), self.points(seat, own, other))
    }

    /// `A or B?`
    pub(crate) fn question(&self, seat: Seat) -> String {
        let letters: Vec<String> =
            (0..self.labels[seat as usize].len()).map(|position| letter(position).to_string()).collect();
        let (last, others) = letters.split_last().expect("a game has actions");
        format!("Your choice: {} or {last}?", others.join(", "))
    }

    /// For people: the whole table and all rounds, as seen from one seat.
    pub(crate) fn table(&self, seat: Seat) -> String {
        let (own, other) = (self.labels[seat as usize].len(), self.labels[1 - seat as usize].len());
        let mut text = format!(
            "round {} of {}; seat {seat} chooses the line, points for seat {seat}/seat {}\n ",
            (self.history.len() + 1).min(self.rounds as usize),
            self.rounds,
            1 - seat
        );
        text.extend((0..other).map(|reply| format!("{:>9}", letter(reply))));
        let game = &self.games[seat as usize];
        for position in 0..own {
            text.push_str(&format!("\n{}", letter(position)));
            text.extend((0..other).map(|reply| {
                let (action, reply) = (self.labels[seat as usize][position], self.labels[1 - seat as usize][reply]);
                format!("{:>9}", format!("{}/{}", game.own(action, reply), game.other(action, reply)))
            }));
        }
        for (number, round) in (1..).zip(&self.history) {
            let [own, other] = [seat, 1 - seat].map(|seat| letter(self.position(seat, round[seat as usize])));
            text.push_str(&format!("\nround {number}: {own} against {other}"));
        }
        text
    }

    /// Where an action stands in its seat's list.
    pub(crate) fn position(&self, seat: Seat, action: usize) -> usize {
        self.labels[seat as usize].iter().position(|other| *other == action).expect("each action has a letter")
    }
}
