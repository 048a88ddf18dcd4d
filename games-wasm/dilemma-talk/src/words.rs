//! What players read. A message of the other is always shown in quotes, on a line that says whose it is.

use ludus_game::Seat;

use crate::message::{LENGTH_MAX, PROMISE};
use crate::options::{Ending, HIDDEN_FACTOR_MAX, Options};
use crate::{Choice, DilemmaTalk, Phase, Round};

/// The rules, for a seat that reads them for the first time.
pub fn rules(options: &Options) -> String {
    let talk = if options.talk {
        format!(
            "Before each choice you send each other a message. Saying the word {PROMISE} means that you will cooperate in this \
             round; you need not keep it.\n"
        )
    } else {
        String::new()
    };
    format!(
        "Two players choose at the same time, cooperate or defect. {ending}\n\
         Both cooperate: {reward} points each. Both defect: {punishment} each. One defects and one cooperates: {temptation} for who \
         defects, {sucker} for who cooperates. Get many points yourself.\n{talk}",
        ending = ending(options),
        reward = options.reward,
        punishment = options.punishment,
        temptation = options.temptation,
        sucker = options.sucker,
    )
}

fn ending(options: &Options) -> String {
    match (options.rounds, options.ending) {
        (1, _) => "There is one round.".to_owned(),
        (rounds, Ending::Known) => format!("There are {rounds} rounds."),
        (rounds, Ending::Hidden) => format!(
            "After each round the game ends with a chance of 1 in {rounds}, at the latest after round {}.",
            rounds * HIDDEN_FACTOR_MAX
        ),
    }
}

/// How a round went, for one seat.
pub fn result(number: usize, round: &Round, options: &Options, seat: usize) -> String {
    let [own, other] = [round.choices[seat], round.choices[1 - seat]];
    format!(
        "Round {number}: you {}, the other {}. Points: you {}, the other {}.\n",
        own.verb(),
        other.third_person(),
        own.points(other, options),
        other.points(own, options),
    )
}

/// The message that the other has sent for this round.
pub fn others_message(message: &str) -> String {
    match message {
        "" => "The other player sends no message.\n".to_owned(),
        message => format!("Message of the other player: \"{message}\"\n"),
    }
}

impl Choice {
    fn verb(self) -> &'static str {
        match self {
            Choice::Cooperate => "cooperate",
            Choice::Defect => "defect",
        }
    }

    fn third_person(self) -> &'static str {
        match self {
            Choice::Cooperate => "cooperates",
            Choice::Defect => "defects",
        }
    }
}

impl DilemmaTalk {
    /// What is asked now.
    pub(crate) fn question(&self) -> String {
        let round = self.rounds.len() + 1;
        let of = match self.options.ending {
            Ending::Known => format!(" of {}", self.options.rounds),
            Ending::Hidden => String::new(),
        };
        match self.phase {
            Phase::Talk => {
                format!(
                    "Round {round}{of}. Write one short message to the other player, at most {LENGTH_MAX} characters."
                )
            }
            Phase::Choose { .. } => format!("Round {round}{of}. What do you choose? Answer with cooperate or defect."),
        }
    }

    /// All that has happened, for people. A seat sees what it has read, an onlooker the same: nothing is hidden but the end.
    pub(crate) fn told(&self, viewer: Option<Seat>) -> String {
        let mut lines = Vec::new();
        if let Some(seat) = viewer {
            lines.push(format!("You are seat {seat}."));
        }
        let said = |messages: &[String; 2], lines: &mut Vec<String>| {
            if self.options.talk {
                lines.extend([0, 1].map(|seat| format!("Seat {seat} says: \"{}\"", messages[seat])));
            }
        };
        for (round, number) in self.rounds.iter().zip(1..) {
            said(&round.messages, &mut lines);
            let choices = [0, 1].map(|seat| format!("seat {seat} {}", round.choices[seat].third_person()));
            lines.push(format!("Round {number}: {}.", choices.join(", ")));
        }
        if let Phase::Choose { messages } = &self.phase
            && !self.is_over()
        {
            said(messages, &mut lines);
        }
        let points = [0, 1].map(|seat| format!("seat {seat} has {}", self.points(seat)));
        lines.push(format!("Points after {} rounds: {}.", self.rounds.len(), points.join(", ")));
        lines.join("\n")
    }
}
