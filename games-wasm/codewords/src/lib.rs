//! Codewords, for two seats that score together: one sees which words of a board are targets and gives clues, the other guesses.
//!
//! A clue is one word and a number: how many targets it fits. Seat 0 gives it; seat 1 then guesses up to so many words, one at a
//! time, at least one. A word that is no target ends the guesses, a trap the game. The game is over as well when all targets are
//! found or the last clue is used up.
//!
//! ```text
//! score of both = targets found / targets, and 0 where a trap was guessed
//! ```
//!
//! Counts: `clues-understood` of the giver (of the clues, those for which as many targets were found as they said) and
//! `guesses-right` of the guesser (of the guesses, those that found a target).
//!
//! House players: `themes` and `random`, for either seat, see [`house`].

pub mod clue;
pub mod house;
pub mod lexicon;
pub mod options;
mod telling;

use clue::Clue;
use lexicon::Word;
use ludus_game::{About, Count, Game, Outcome, Random, Seat, Turn, plain};
use options::{CLUES_MAX, Options, TARGETS_MAX};

ludus_game::export!(Codewords);

/// The seat that gives clues.
pub const GIVER: Seat = 0;
/// The seat that guesses.
pub const GUESSER: Seat = 1;

/// What the guesser says to end its turn.
const STOP: &str = "stop";

/// One episode.
pub struct Codewords {
    options: Options,
    board: Board,
    phase: Phase,
    events: Vec<Event>,
    /// How many events each seat has read; none before it has read the rules.
    told: [Option<usize>; 2],
}

/// The words that are in play, in the order in which they are shown.
#[derive(Clone, Debug)]
pub struct Board {
    pub cards: Vec<Card>,
}

#[derive(Clone, Debug)]
pub struct Card {
    pub word: Word,
    pub role: Role,
    pub guessed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Target,
    Trap,
    Other,
}

#[derive(Clone, Debug)]
enum Phase {
    Clue,
    Guess {
        clue: Clue,
        /// How many guesses were made for it.
        made: u32,
    },
    Over,
}

/// What both seats see happen.
#[derive(Clone, Debug)]
enum Event {
    Clue(Clue),
    Guess { word: &'static str, role: Role },
    Stop,
}

/// What a seat does, as the rules know it.
#[derive(Debug, PartialEq, Eq)]
pub enum Move {
    Clue(Clue),
    /// A card, counted from 0.
    Guess(usize),
    Stop,
}

impl Board {
    /// Draws words, and which of them are what.
    pub fn deal(options: &Options, random: &mut Random) -> Self {
        let mut words = lexicon::words();
        random.shuffle(&mut words);
        let (targets, traps) = (options.targets as usize, options.traps as usize);
        let mut roles = vec![Role::Other; options.words as usize];
        roles[..targets].fill(Role::Target);
        roles[targets..targets + traps].fill(Role::Trap);
        // Shuffled on their own, so that a word's place tells nothing of its role.
        random.shuffle(&mut roles);
        let cards = words.into_iter().zip(roles).map(|(word, role)| Card { word, role, guessed: false });
        Self { cards: cards.collect() }
    }

    /// The cards that were not guessed.
    pub fn hidden(&self) -> impl Iterator<Item = &Card> {
        self.cards.iter().filter(|card| !card.guessed)
    }

    pub fn targets_left(&self) -> u32 {
        self.hidden().filter(|card| card.role == Role::Target).count() as u32
    }

    fn trap_is_guessed(&self) -> bool {
        self.cards.iter().any(|card| card.guessed && card.role == Role::Trap)
    }
}

impl Game for Codewords {
    const ABOUT: About = About {
        name: "codewords",
        version: env!("CARGO_PKG_VERSION"),
        summary: "Codewords: one gives one-word clues to hidden target words, the other guesses; both win together.",
        seats: (2, 2),
        // A clue and at most as many guesses as targets.
        steps_max: CLUES_MAX * (1 + TARGETS_MAX),
        house_players: &["themes", "random"],
        abilities: &["cooperation", "language", "association"],
    };
    type Options = Options;
    type Move = Move;

    fn start(_seats: u32, options: Options, random: &mut Random) -> Result<Self, String> {
        options.check()?;
        let board = Board::deal(&options, random);
        Ok(Self::dealt(options, board))
    }

    fn turn(&self) -> Turn {
        match self.phase {
            Phase::Clue => Turn::Decide(vec![GIVER]),
            Phase::Guess { .. } => Turn::Decide(vec![GUESSER]),
            Phase::Over => Turn::Over(self.outcome()),
        }
    }

    fn prompt(&mut self, seat: Seat) -> String {
        let told = self.told[seat as usize].replace(self.events.len());
        let rules = if told.is_none() { telling::rules(&self.options, seat) } else { String::new() };
        // The guesser reads the clue in the question, and the giver knows its own.
        let is_new = |event: &&Event| !matches!(event, Event::Clue(_));
        let news: Vec<Event> = self.events[told.unwrap_or(0)..].iter().filter(is_new).cloned().collect();
        format!("{rules}{}{}", telling::news(&news), self.question())
    }

    fn ask_again(&self, _seat: Seat) -> String {
        self.question()
    }

    fn parse(&self, _seat: Seat, text: &str) -> Result<Move, String> {
        match self.phase {
            Phase::Guess { made, .. } => self.parse_guess(text, made),
            _ => {
                let board = self.board.cards.iter().map(|card| card.word.text);
                clue::parse(text, self.board.targets_left(), board).map(Move::Clue)
            }
        }
    }

    fn play(&mut self, moves: Vec<(Seat, Move)>, _random: &mut Random) {
        for (_, made) in moves {
            match made {
                Move::Clue(clue) => {
                    self.events.push(Event::Clue(clue.clone()));
                    self.phase = Phase::Guess { clue, made: 0 };
                }
                Move::Guess(card) => self.guess(card),
                Move::Stop => {
                    self.events.push(Event::Stop);
                    self.end_guesses();
                }
            }
        }
    }

    fn legal_moves(&self, _seat: Seat) -> Option<Vec<String>> {
        let Phase::Guess { made, .. } = self.phase else { return None };
        let words = self.board.hidden().map(|card| card.word.text);
        Some(words.chain((made > 0).then_some(STOP)).map(str::to_owned).collect())
    }

    fn house_move(&self, _seat: Seat, player: &str, random: &mut Random) -> Result<String, String> {
        let written = |clue: Clue| format!("{} {}", clue.word, clue.number);
        let hidden: Vec<&Word> = self.board.hidden().map(|card| &card.word).collect();
        match (player, &self.phase) {
            ("themes", Phase::Guess { clue, made }) => {
                Ok(house::guess(&hidden, clue, *made > 0, random).unwrap_or(STOP).to_owned())
            }
            ("themes", _) => Ok(written(house::clue(&self.board, random))),
            ("random", Phase::Guess { .. }) => Ok(random.pick(&hidden).text.to_owned()),
            ("random", _) => Ok(written(house::random_clue(&self.board, random))),
            _ => Err(house::unknown(player)),
        }
    }

    fn view(&self, viewer: Option<Seat>) -> String {
        self.told(viewer)
    }
}

impl Codewords {
    /// An episode whose board is given.
    pub fn dealt(options: Options, board: Board) -> Self {
        Self { options, board, phase: Phase::Clue, events: Vec::new(), told: [None; 2] }
    }

    fn parse_guess(&self, text: &str, made: u32) -> Result<Move, String> {
        let text = plain(text);
        if text == STOP {
            return if made > 0 { Ok(Move::Stop) } else { Err("Guess at least one word before you stop.".to_owned()) };
        }
        match self.board.cards.iter().position(|card| card.word.text == text) {
            Some(card) if self.board.cards[card].guessed => {
                Err(format!("{text} was guessed before: take another word."))
            }
            Some(card) => Ok(Move::Guess(card)),
            None => Err("A guess is one of the words on the board.".to_owned()),
        }
    }

    fn guess(&mut self, card: usize) {
        let card = &mut self.board.cards[card];
        card.guessed = true;
        let role = card.role;
        self.events.push(Event::Guess { word: card.word.text, role });
        let Phase::Guess { clue, made } = &mut self.phase else { return };
        *made += 1;
        if role != Role::Target || *made == clue.number {
            self.end_guesses();
        }
    }

    fn end_guesses(&mut self) {
        let over = self.board.targets_left() == 0 || self.board.trap_is_guessed() || self.clues_left() == 0;
        self.phase = if over { Phase::Over } else { Phase::Clue };
    }

    fn clues_left(&self) -> u32 {
        let given = self.events.iter().filter(|event| matches!(event, Event::Clue(_))).count();
        self.options.clues - given as u32
    }

    fn outcome(&self) -> Outcome {
        let targets = self.options.targets;
        let found = targets - self.board.targets_left();
        let (score, ending) = if self.board.trap_is_guessed() {
            (0.0, "a trap is guessed")
        } else if found == targets {
            (1.0, "all targets are found")
        } else {
            (f64::from(found) / f64::from(targets), "the clues are used up")
        };
        let given = self.options.clues - self.clues_left();
        let summary = format!("{ending}: {found} of {targets} targets with {given} clues");
        Outcome { scores: vec![score; 2], counts: self.counts(), summary }
    }

    fn counts(&self) -> Vec<Count> {
        let (mut clues, mut understood, mut guesses, mut right) = (0, 0, 0, 0);
        let mut missing = 0;
        for event in &self.events {
            match event {
                Event::Clue(clue) => {
                    clues += 1;
                    missing = clue.number;
                }
                Event::Guess { role: Role::Target, .. } => {
                    guesses += 1;
                    right += 1;
                    missing -= 1;
                    understood += u32::from(missing == 0);
                }
                Event::Guess { .. } => guesses += 1,
                Event::Stop => {}
            }
        }
        let count = |seat, name: &str, times, chances| Count { seat, name: name.to_owned(), times, chances };
        vec![count(GIVER, "clues-understood", understood, clues), count(GUESSER, "guesses-right", right, guesses)]
    }
}
