//! An iterated prisoner's dilemma with talk: before each round both seats send each other one line, then both choose.
//!
//! Messages are sent at the same time, and so are choices, so that nobody answers what it cannot know yet. A message binds nobody.
//! What is in one is a stranger's text in another's prompt: [`message`] says how it is made safe to show.
//!
//! ```text
//! score = (points a round - sucker) / (temptation - sucker)
//! ```
//!
//! which is 0 for the worst average that the payoffs allow and 1 for the best; with the usual payoffs 0.6 where all cooperate.
//!
//! Where the last round is hidden, the number of rounds is dealt: after each round the game ends with probability 1 / `rounds`.
//!
//! Counts: `cooperations` (of the rounds) and `promises-kept` (of the rounds in which the seat said the word `promise`, those in
//! which it cooperated).
//!
//! House players: see [`house`].

pub mod house;
pub mod message;
pub mod options;
mod words;

use house::Seen;
use ludus_game::{About, Count, Game, Outcome, Random, Seat, Turn, plain};
use options::{Ending, HIDDEN_FACTOR_MAX, Options, ROUNDS_MAX};

ludus_game::export!(DilemmaTalk);

/// One episode.
pub struct DilemmaTalk {
    options: Options,
    /// How many rounds there will be.
    length: u32,
    /// Those that were played.
    rounds: Vec<Round>,
    phase: Phase,
    /// How many rounds each seat has read of; none before it has read the rules.
    told: [Option<usize>; 2],
}

/// A round that was played; by seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    pub messages: [String; 2],
    pub choices: [Choice; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Cooperate,
    Defect,
}

/// What both seats do now.
#[derive(Clone, Debug)]
enum Phase {
    Talk,
    Choose {
        /// By seat; empty ones where nothing was said.
        messages: [String; 2],
    },
}

/// What a seat does, as the rules know it.
#[derive(Debug, PartialEq, Eq)]
pub enum Move {
    Say(String),
    Choose(Choice),
}

impl Choice {
    /// The points for this choice against the other's.
    pub fn points(self, others: Choice, options: &Options) -> i32 {
        match (self, others) {
            (Choice::Cooperate, Choice::Cooperate) => options.reward,
            (Choice::Cooperate, Choice::Defect) => options.sucker,
            (Choice::Defect, Choice::Cooperate) => options.temptation,
            (Choice::Defect, Choice::Defect) => options.punishment,
        }
    }
}

impl Game for DilemmaTalk {
    const ABOUT: About = About {
        name: "dilemma-talk",
        version: env!("CARGO_PKG_VERSION"),
        summary: "A repeated prisoner's dilemma with a message before each round: cooperate or defect, promise and keep it or not.",
        seats: (2, 2),
        // A message and a choice in each round.
        steps_max: ROUNDS_MAX * HIDDEN_FACTOR_MAX * 2,
        house_players: &["random", "tit-for-tat", "grim", "liar", "believer"],
        abilities: &["social-reasoning", "negotiation", "language"],
    };
    type Options = Options;
    type Move = Move;

    fn start(_seats: u32, options: Options, random: &mut Random) -> Result<Self, String> {
        options.check()?;
        let length = match options.ending {
            Ending::Known => options.rounds,
            Ending::Hidden => hidden_length(options.rounds, random),
        };
        Ok(Self::dealt(options, length))
    }

    fn turn(&self) -> Turn {
        if !self.is_over() {
            return Turn::Decide(vec![0, 1]);
        }
        let [first, second] = [0, 1].map(|seat| self.points(seat));
        Turn::Over(Outcome {
            scores: [0, 1].map(|seat| self.score(seat)).to_vec(),
            counts: self.counts(),
            summary: format!("after {} rounds seat 0 has {first} points and seat 1 has {second}", self.rounds.len()),
        })
    }

    fn prompt(&mut self, seat: Seat) -> String {
        let seat = seat as usize;
        let told = self.told[seat].replace(self.rounds.len());
        let mut prompt = if told.is_none() { words::rules(&self.options) } else { String::new() };
        for index in told.unwrap_or(0)..self.rounds.len() {
            prompt += &words::result(index + 1, &self.rounds[index], &self.options, seat);
        }
        if let Phase::Choose { messages } = &self.phase
            && self.options.talk
        {
            prompt += &words::others_message(&messages[1 - seat]);
        }
        prompt + &self.question()
    }

    fn ask_again(&self, _seat: Seat) -> String {
        self.question()
    }

    fn parse(&self, _seat: Seat, text: &str) -> Result<Move, String> {
        match self.phase {
            Phase::Talk => message::parse(text).map(Move::Say),
            Phase::Choose { .. } => match plain(text).as_str() {
                "cooperate" => Ok(Move::Choose(Choice::Cooperate)),
                "defect" => Ok(Move::Choose(Choice::Defect)),
                _ => Err("A choice is cooperate or defect.".to_owned()),
            },
        }
    }

    fn play(&mut self, moves: Vec<(Seat, Move)>, _random: &mut Random) {
        let mut said = [const { String::new() }; 2];
        let mut choices = [Choice::Defect; 2];
        for (seat, made) in moves {
            match made {
                Move::Say(message) => said[seat as usize] = message,
                Move::Choose(choice) => choices[seat as usize] = choice,
            }
        }
        match std::mem::replace(&mut self.phase, Phase::Choose { messages: said }) {
            Phase::Talk => {}
            Phase::Choose { messages } => {
                self.rounds.push(Round { messages, choices });
                self.phase = first_phase(&self.options);
            }
        }
    }

    fn legal_moves(&self, _seat: Seat) -> Option<Vec<String>> {
        match self.phase {
            Phase::Talk => None,
            Phase::Choose { .. } => Some(["cooperate", "defect"].map(str::to_owned).to_vec()),
        }
    }

    fn house_move(&self, seat: Seat, player: &str, random: &mut Random) -> Result<String, String> {
        let seen = Seen { own: seat as usize, rounds: &self.rounds };
        match &self.phase {
            Phase::Talk => house::message(player, &seen, random).map(str::to_owned),
            Phase::Choose { messages } => house::choice(player, &seen, &messages[1 - seen.own], random).map(|choice| {
                match choice {
                    Choice::Cooperate => "cooperate",
                    Choice::Defect => "defect",
                }
                .to_owned()
            }),
        }
    }

    fn view(&self, viewer: Option<Seat>) -> String {
        self.told(viewer)
    }
}

/// The number of rounds where each is the last with probability 1 / `mean`, cut where it gets too long.
fn hidden_length(mean: u32, random: &mut Random) -> u32 {
    let longest = mean * HIDDEN_FACTOR_MAX;
    (1..longest).find(|_| random.chance(1, mean)).unwrap_or(longest)
}

fn first_phase(options: &Options) -> Phase {
    if options.talk { Phase::Talk } else { Phase::Choose { messages: Default::default() } }
}

impl DilemmaTalk {
    /// An episode of so many rounds.
    pub fn dealt(options: Options, length: u32) -> Self {
        let phase = first_phase(&options);
        Self { options, length, rounds: Vec::new(), phase, told: [None; 2] }
    }

    fn is_over(&self) -> bool {
        self.rounds.len() as u32 == self.length
    }

    /// All points of a seat.
    fn points(&self, seat: usize) -> i32 {
        self.rounds.iter().map(|round| round.choices[seat].points(round.choices[1 - seat], &self.options)).sum()
    }

    /// A seat's average, scaled between the worst and the best that the payoffs allow.
    fn score(&self, seat: usize) -> f64 {
        let average = f64::from(self.points(seat)) / self.rounds.len() as f64;
        let [worst, best] = [self.options.sucker, self.options.temptation].map(f64::from);
        // Rounding must not leave 0 to 1.
        ((average - worst) / (best - worst)).clamp(0.0, 1.0)
    }

    fn counts(&self) -> Vec<Count> {
        let of_seat = |seat: usize| {
            let cooperated = |round: &&Round| round.choices[seat] == Choice::Cooperate;
            let promised = |round: &&Round| message::is_promise(&round.messages[seat]);
            let rounds = || self.rounds.iter();
            let count = |name: &str, times: usize, chances: usize| Count {
                seat: seat as Seat,
                name: name.to_owned(),
                times: times as u32,
                chances: chances as u32,
            };
            [
                count("cooperations", rounds().filter(cooperated).count(), self.rounds.len()),
                count(
                    "promises-kept",
                    rounds().filter(promised).filter(cooperated).count(),
                    rounds().filter(promised).count(),
                ),
            ]
        };
        [0, 1].into_iter().flat_map(of_seat).collect()
    }
}
