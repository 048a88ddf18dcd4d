//! Math: one seat, one problem, one reply. 1 where the reply has the value of the answer, 0 where not.
//!
//! Problems are generated in five levels ([`kinds`]) or drawn from items that the options hold. Answers are compared as values,
//! not as text, and a calculation that is not carried out is no answer ([`answer`]).
//!
//! Counts, `1 of 1` or `0 of 1` for the episode's own: `solved-level-1` to `solved-level-5`, `solved-KIND` and `solved-items`.
//!
//! House players: `solver` knows the answer; `random` replies with some whole number.

pub mod answer;
pub mod kinds;
pub mod options;

use kinds::{Kind, LEVELS, Problem};
use ludus_game::{About, Count, Game, Outcome, Random, Seat, Turn};
use options::{Options, Origin};

ludus_game::export!(Math);

const REPLY_LETTERS_MAX: usize = 200;

/// One episode.
pub struct Math {
    problem: Problem,
    origin: Origin,
    reply: Option<String>,
}

impl Game for Math {
    const ABOUT: About = About {
        name: "math",
        version: env!("CARGO_PKG_VERSION"),
        summary: "Math problems of five levels, or your own: one reply, right or wrong.",
        seats: (1, 1),
        steps_max: 1,
        house_players: &["solver", "random"],
        abilities: &["arithmetic", "formal-reasoning"],
    };
    type Options = Options;
    type Move = String;

    fn start(_seats: u32, options: Options, random: &mut Random) -> Result<Self, String> {
        let (problem, origin) = options.draw(random)?;
        Ok(Self { problem, origin, reply: None })
    }

    fn turn(&self) -> Turn {
        match &self.reply {
            None => Turn::Decide(vec![0]),
            Some(reply) => Turn::Over(self.outcome(reply)),
        }
    }

    fn prompt(&mut self, _seat: Seat) -> String {
        format!("{}\nReply with the answer only.", self.problem.text)
    }

    fn ask_again(&self, _seat: Seat) -> String {
        "Reply with the answer only.".to_owned()
    }

    fn parse(&self, _seat: Seat, text: &str) -> Result<String, String> {
        match text.trim() {
            "" => Err("Reply with an answer.".to_owned()),
            reply if reply.chars().count() > REPLY_LETTERS_MAX => {
                Err(format!("Too long: at most {REPLY_LETTERS_MAX} characters."))
            }
            reply => Ok(reply.to_owned()),
        }
    }

    fn play(&mut self, moves: Vec<(Seat, String)>, _random: &mut Random) {
        self.reply = moves.into_iter().next().map(|(_, reply)| reply);
    }

    fn legal_moves(&self, _seat: Seat) -> Option<Vec<String>> {
        None
    }

    fn house_move(&self, _seat: Seat, player: &str, random: &mut Random) -> Result<String, String> {
        match player {
            "solver" => Ok(self.problem.answer.clone()),
            "random" => Ok(random.below(100).to_string()),
            _ => Err(format!("There is no house player {player}: there are solver and random.")),
        }
    }

    fn view(&self, viewer: Option<Seat>) -> String {
        let mut lines = vec![self.problem.text.clone()];
        lines.extend(self.reply.as_ref().map(|reply| format!("Reply: {}", one_line(reply))));
        // The answer is for onlookers, and for all once it is over.
        lines.extend((viewer.is_none() || self.reply.is_some()).then(|| format!("Answer: {}", self.problem.answer)));
        lines.join("\n")
    }
}

impl Math {
    fn outcome(&self, reply: &str) -> Outcome {
        let right = answer::is_right(reply, &self.problem.answer);
        let verdict = if right { "is right" } else { "is wrong" };
        Outcome {
            scores: vec![f64::from(u8::from(right))],
            counts: self.counts(right),
            summary: format!("{} {verdict}, the answer is {}", one_line(reply), one_line(&self.problem.answer)),
        }
    }

    fn counts(&self, right: bool) -> Vec<Count> {
        let count = |name: String, mine: bool| Count {
            seat: 0,
            name,
            times: u32::from(mine && right),
            chances: u32::from(mine),
        };
        let level = |wanted| matches!(self.origin, Origin::Generated { level, .. } if level == wanted);
        let kind = |wanted| matches!(self.origin, Origin::Generated { kind, .. } if kind == wanted);
        let levels = LEVELS.map(|wanted| count(format!("solved-level-{wanted}"), level(wanted)));
        let kinds = Kind::ALL.into_iter().map(|wanted| count(format!("solved-{}", wanted.name()), kind(wanted)));
        levels.chain(kinds).chain([count("solved-items".to_owned(), self.origin == Origin::Item)]).collect()
    }
}

/// Text for a line: white space and control characters become spaces.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_whitespace() || letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests;
