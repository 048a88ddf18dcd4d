//! Who's the Spy, for 3 to 8 seats: all but one share a secret word, the spy has a similar one, and nobody knows which it is.
//!
//! Rounds of descriptions in seat order, then one simultaneous vote of all who are left; ties are broken at random. The seats of
//! the winning side score 1, the others 0, those voted out along the way included. Who is the spy, the pair and which of its
//! words is the spy's are drawn.
//!
//! A description is one line that does not say the own word ([`leak`]). Counts: `word-leaked` (of the descriptions tried, those
//! refused for that) and `spy-found` (of the votes of a seat that is not the spy, those for the spy).
//!
//! House players: `clues` and `random`, see [`house`].

pub mod house;
pub mod leak;
pub mod options;
mod telling;
pub mod vote;
pub mod words;

use std::cell::Cell;

use ludus_game::{About, Count, Game, Outcome, Random, Seat, Turn};
use options::{Options, ROUNDS_MAX, Until};
use words::Word;

ludus_game::export!(Spy);

const DESCRIPTION_LETTERS_MAX: usize = 200;

/// One episode.
pub struct Spy {
    options: Options,
    deal: Deal,
    living: Vec<Seat>,
    phase: Phase,
    events: Vec<Event>,
    players: Vec<Player>,
}

/// Who has which word.
pub struct Deal {
    pub spy: Seat,
    pub spy_word: Word,
    pub common_word: Word,
}

/// What all players see happen.
pub enum Event {
    Said(Seat, String),
    Voted { votes: Vec<(Seat, Seat)>, out: Seat },
}

enum Phase {
    /// `speaker` is a place among the living, `round` counts from 1.
    Describe {
        round: u32,
        speaker: usize,
    },
    Vote,
    Over {
        out: Seat,
    },
}

/// What the game keeps of a seat.
#[derive(Default)]
struct Player {
    introduced: bool,
    /// How many events it has read.
    events_told: usize,
    descriptions: u32,
    /// A refusal must not change the game, and this is none of it: a `Cell`, so that `parse` can count.
    leaks: Cell<u32>,
    votes: u32,
    votes_for_spy: u32,
}

/// What a seat does, as the rules know it.
#[derive(Debug, PartialEq, Eq)]
pub enum Move {
    Describe(String),
    Vote(Seat),
}

impl Deal {
    fn word(&self, seat: Seat) -> &Word {
        if seat == self.spy { &self.spy_word } else { &self.common_word }
    }
}

impl Game for Spy {
    const ABOUT: About = About {
        name: "spy",
        version: env!("CARGO_PKG_VERSION"),
        summary: "Who's the Spy: describe a secret word, and find the one whose word is another.",
        seats: (3, 8),
        // With `decided`, 8 + 7 + .. + 3 = 33 players describe in each of 4 rounds and 6 votes follow.
        steps_max: 33 * ROUNDS_MAX + 6,
        house_players: &["clues", "random"],
        abilities: &["social-reasoning", "deduction", "language"],
    };
    type Options = Options;
    type Move = Move;

    fn start(seats: u32, options: Options, random: &mut Random) -> Result<Self, String> {
        if !(1..=ROUNDS_MAX).contains(&options.rounds) {
            return Err(format!("`rounds` is from 1 to {ROUNDS_MAX}, not {}.", options.rounds));
        }
        let mut pair = words::draw(random);
        random.shuffle(&mut pair);
        let [spy_word, common_word] = pair;
        Ok(Self::dealt(seats, options, Deal { spy: random.below(seats), spy_word, common_word }))
    }

    fn turn(&self) -> Turn {
        match self.phase {
            Phase::Describe { speaker, .. } => Turn::Decide(vec![self.living[speaker]]),
            Phase::Vote => Turn::Decide(self.living.clone()),
            Phase::Over { out } => Turn::Over(self.outcome(out)),
        }
    }

    fn prompt(&mut self, seat: Seat) -> String {
        let seats = self.seats();
        let player = &mut self.players[seat as usize];
        let mut prompt = String::new();
        if !std::mem::replace(&mut player.introduced, true) {
            prompt += &telling::rules(seat, seats, &self.options, self.deal.word(seat).text);
        }
        let told = std::mem::replace(&mut player.events_told, self.events.len());
        let own = |event: &Event| matches!(event, Event::Said(speaker, _) if *speaker == seat);
        prompt.extend(self.events[told..].iter().filter(|event| !own(event)).map(telling::event));
        prompt + &self.ask_again(seat)
    }

    fn ask_again(&self, seat: Seat) -> String {
        match self.phase {
            Phase::Describe { round, .. } => telling::describe_question(round, self.options.rounds),
            _ => telling::vote_question(&vote::choices(seat, &self.living)),
        }
    }

    fn parse(&self, seat: Seat, text: &str) -> Result<Move, String> {
        match self.phase {
            Phase::Describe { .. } => self.parse_description(seat, text).map(Move::Describe),
            _ => vote::parse(text, seat, &self.living).map(Move::Vote),
        }
    }

    fn play(&mut self, moves: Vec<(Seat, Move)>, random: &mut Random) {
        let mut votes = Vec::new();
        for (seat, made) in moves {
            match made {
                Move::Describe(description) => self.describe(seat, description),
                Move::Vote(voted) => votes.push((seat, voted)),
            }
        }
        if !votes.is_empty() {
            self.vote(votes, random);
        }
    }

    fn legal_moves(&self, seat: Seat) -> Option<Vec<String>> {
        matches!(self.phase, Phase::Vote)
            .then(|| vote::choices(seat, &self.living).iter().map(|seat| (seat + 1).to_string()).collect())
    }

    fn house_move(&self, seat: Seat, player: &str, random: &mut Random) -> Result<String, String> {
        let word = self.deal.word(seat);
        let choices = vote::choices(seat, &self.living);
        let number = |seat: Seat| (seat + 1).to_string();
        match (player, &self.phase) {
            ("clues", Phase::Describe { .. }) => Ok(house::describe(word, &self.said(|_| true), random)),
            ("clues", _) => {
                let descriptions: Vec<_> =
                    choices.iter().map(|&choice| (choice, self.said(|speaker| speaker == choice))).collect();
                Ok(number(house::suspect(word, &descriptions, random)))
            }
            ("random", Phase::Describe { .. }) => Ok((*random.pick(&word.clues)).to_owned()),
            ("random", _) => Ok(number(*random.pick(&choices))),
            _ => Err(format!("There is no house player {player}: there are clues and random.")),
        }
    }

    fn view(&self, viewer: Option<Seat>) -> String {
        let ending = match self.phase {
            Phase::Over { out } => Some(self.outcome(out)),
            _ => None,
        };
        telling::view(&self.deal, self.seats(), viewer, &self.events, ending.as_ref())
    }
}

impl Spy {
    /// An episode whose roles are given.
    fn dealt(seats: u32, options: Options, deal: Deal) -> Self {
        let players = (0..seats).map(|_| Player::default()).collect();
        Self {
            options,
            deal,
            living: (0..seats).collect(),
            phase: Phase::Describe { round: 1, speaker: 0 },
            events: Vec::new(),
            players,
        }
    }

    fn seats(&self) -> u32 {
        self.players.len() as u32
    }

    fn parse_description(&self, seat: Seat, text: &str) -> Result<String, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("Say something about your word.".to_owned());
        }
        if text.chars().count() > DESCRIPTION_LETTERS_MAX {
            return Err(format!("Too long: at most {DESCRIPTION_LETTERS_MAX} characters."));
        }
        if text.chars().any(char::is_control) {
            return Err("One line only.".to_owned());
        }
        if leak::says(text, self.deal.word(seat).text) {
            self.players[seat as usize].leaks.update(|leaks| leaks + 1);
            return Err("You must not say your word.".to_owned());
        }
        Ok(text.to_owned())
    }

    fn describe(&mut self, seat: Seat, description: String) {
        self.players[seat as usize].descriptions += 1;
        self.events.push(Event::Said(seat, description));
        let Phase::Describe { round, speaker } = self.phase else { return };
        self.phase = if speaker + 1 < self.living.len() {
            Phase::Describe { round, speaker: speaker + 1 }
        } else if round < self.options.rounds {
            Phase::Describe { round: round + 1, speaker: 0 }
        } else {
            Phase::Vote
        };
    }

    fn vote(&mut self, votes: Vec<(Seat, Seat)>, random: &mut Random) {
        for (voter, voted) in &votes {
            let player = &mut self.players[*voter as usize];
            player.votes += 1;
            player.votes_for_spy += u32::from(*voted == self.deal.spy);
        }
        let out = *random.pick(&vote::most_voted(&votes));
        self.living.retain(|&seat| seat != out);
        self.events.push(Event::Voted { votes, out });
        let decided = self.options.until == Until::Vote || out == self.deal.spy || self.living.len() == 2;
        self.phase = if decided { Phase::Over { out } } else { Phase::Describe { round: 1, speaker: 0 } };
    }

    /// The descriptions of some speakers, in order.
    fn said(&self, of: impl Fn(Seat) -> bool) -> Vec<&str> {
        let said = |event| match event {
            &Event::Said(speaker, ref description) if of(speaker) => Some(description.as_str()),
            _ => None,
        };
        self.events.iter().filter_map(said).collect()
    }

    fn outcome(&self, out: Seat) -> Outcome {
        let spy_wins = out != self.deal.spy;
        let scores = (0..self.seats()).map(|seat| f64::from(u8::from((seat == self.deal.spy) == spy_wins))).collect();
        let mut counts = Vec::new();
        for (seat, player) in (0..).zip(&self.players) {
            let leaks = player.leaks.get();
            let (found, votes) = if seat == self.deal.spy { (0, 0) } else { (player.votes_for_spy, player.votes) };
            counts.push(Count {
                seat,
                name: "word-leaked".to_owned(),
                times: leaks,
                chances: player.descriptions + leaks,
            });
            counts.push(Count { seat, name: "spy-found".to_owned(), times: found, chances: votes });
        }
        Outcome { scores, counts, summary: telling::summary(&self.deal, out, spy_wins) }
    }
}

#[cfg(test)]
mod tests;
