//! Matrix games: two seats choose an action at the same time, one to many times, and a table says what each gets.
//!
//! Nine games of the literature ([`catalogue`]). Each seat sees the game as its own: its actions are the lines, the other's the cases.
//! A move is a letter; unless told otherwise each episode gives the letters to other actions, so that reading the table is the
//! only way to know what a letter means.
//!
//! The score is the mean over the rounds of what the option `scoring` says; [`scoring`] has the formulas.
//! Two counts show what was understood, apart from luck: `dominated-avoided` (of the rounds in which some action was dominated,
//! those that chose one that is not) and `best-responses` (rounds in which no other action would have paid more against the other's).
//! House players: see [`house`].

pub mod bimatrix;
pub mod catalogue;
pub mod equilibria;
pub mod gift;
pub mod house;
pub mod options;
pub mod scoring;
mod words;

use std::cell::OnceCell;

use bimatrix::Bimatrix;
use equilibria::{Equilibrium, Mix, support_enumeration};
use ludus_game::{About, Game, Outcome, Random, Seat, Turn, plain};
use options::{GameName, Options, Payoffs, RowSeat, Scoring};
use words::letter;

ludus_game::export!(MatrixGame);

/// One episode.
pub struct MatrixGame {
    /// The game as each seat sees it: itself as first player.
    games: [Bimatrix; 2],
    /// The seat that plays the rows of the matrix as it is printed.
    row_seat: usize,
    /// The action behind each letter, for each seat.
    labels: [Vec<usize>; 2],
    rounds: u32,
    scoring: Scoring,
    payoffs: Payoffs,
    /// What each seat did, round by round.
    history: Vec<[usize; 2]>,
    /// Which seats have read the rules.
    introduced: [bool; 2],
    /// Found when first needed: a big game takes millions of instructions. Row seat's mix first.
    equilibria: OnceCell<Vec<Equilibrium>>,
}

impl Game for MatrixGame {
    const ABOUT: About = About {
        name: "matrix",
        version: env!("CARGO_PKG_VERSION"),
        summary: "Nine games in normal form: two seats choose at the same time, a table gives the points.",
        seats: (2, 2),
        // 100 rounds.
        steps_max: 100,
        house_players: &house::NAMES,
        abilities: &["strategic-reasoning", "cooperation"],
    };
    type Options = Options;
    /// The action: a row or column of the matrix.
    type Move = usize;

    fn start(_seats: u32, options: Options, random: &mut Random) -> Result<Self, String> {
        if !(1..=100).contains(&options.rounds) {
            return Err(format!("`rounds` goes from 1 to 100, not {}.", options.rounds));
        }
        let gift = options.scoring == Scoring::Gift;
        if gift && options.rounds > 1 {
            return Err("`scoring = \"gift\"` is for one round: set `rounds = 1`.".to_owned());
        }
        let name = if options.game == GameName::Random { *random.pick(&catalogue::NAMES) } else { options.game };
        let game = if gift { gift::vary(name, random) } else { catalogue::bimatrix(name) };
        let row_seat = match options.row_seat {
            RowSeat::Random => random.below(2) as usize,
            RowSeat::Seat0 => 0,
            RowSeat::Seat1 => 1,
        };
        let mut games = [game.mirrored(), game.mirrored()];
        games[row_seat] = game;
        let mut labels = [0, 1].map(|seat: usize| (0..games[seat].actions()).collect::<Vec<_>>());
        if options.shuffle_labels.unwrap_or(!gift) {
            labels.iter_mut().for_each(|labels| random.shuffle(labels));
        }
        let Options { rounds, scoring, payoffs, .. } = options;
        let (history, equilibria) = (Vec::new(), OnceCell::new());
        Ok(Self { games, row_seat, labels, rounds, scoring, payoffs, history, introduced: [false; 2], equilibria })
    }

    fn turn(&self) -> Turn {
        if self.history.len() < self.rounds as usize {
            return Turn::Decide(vec![0, 1]);
        }
        let rounds = |seat: usize| self.history.iter().map(move |round| (round[seat], round[1 - seat]));
        let score = |seat: usize| match self.scoring {
            Scoring::Payoff => scoring::payoff(&self.games[seat], rounds(seat)),
            Scoring::Regret => scoring::regret(&self.games[seat], rounds(seat)),
            Scoring::Gift => gift::score(self.equilibria().last().map(|last| self.mix(last, seat)), rounds(seat)),
        };
        let points = |seat: usize| rounds(seat).map(|(action, reply)| self.games[seat].own(action, reply)).sum::<i64>();
        Turn::Over(Outcome {
            scores: [0, 1].map(score).to_vec(),
            counts: [0, 1]
                .into_iter()
                .flat_map(|seat: usize| scoring::counts(&self.games[seat], seat as Seat, rounds(seat)))
                .collect(),
            summary: format!("points {} to {}", points(0), points(1)),
        })
    }

    fn prompt(&mut self, seat: Seat) -> String {
        let rules =
            if std::mem::replace(&mut self.introduced[seat as usize], true) { String::new() } else { self.rules(seat) };
        format!("{rules}{}{}", self.news(seat), self.question(seat))
    }

    fn ask_again(&self, seat: Seat) -> String {
        self.question(seat)
    }

    fn parse(&self, seat: Seat, text: &str) -> Result<usize, String> {
        let labels = &self.labels[seat as usize];
        let position =
            (0..labels.len()).find(|position| plain(text) == letter(*position).to_ascii_lowercase().to_string());
        let position =
            position.ok_or_else(|| format!("A move is one letter from A to {}.", letter(labels.len() - 1)))?;
        Ok(labels[position])
    }

    fn play(&mut self, moves: Vec<(Seat, usize)>, _random: &mut Random) {
        self.history.push([moves[0].1, moves[1].1]);
    }

    fn legal_moves(&self, seat: Seat) -> Option<Vec<String>> {
        Some((0..self.labels[seat as usize].len()).map(|position| letter(position).to_string()).collect())
    }

    fn house_move(&self, seat: Seat, player: &str, random: &mut Random) -> Result<String, String> {
        let own = seat as usize;
        let last = self.history.last().map(|round| round[1 - own]);
        let action = house::choose(&self.games[own], || self.house_mix(own), last, player, random);
        let action = action
            .ok_or_else(|| format!("There is no house player `{player}`; take one of {}.", house::NAMES.join(", ")))?;
        Ok(letter(self.position(seat, action)).to_string())
    }

    fn view(&self, viewer: Option<Seat>) -> String {
        self.table(viewer.unwrap_or(0))
    }
}

impl MatrixGame {
    fn equilibria(&self) -> &[Equilibrium] {
        self.equilibria.get_or_init(|| support_enumeration(&self.games[self.row_seat]))
    }

    /// A seat's part of an equilibrium.
    fn mix<'all>(&self, equilibrium: &'all Equilibrium, seat: usize) -> &'all Mix {
        if seat == self.row_seat { &equilibrium.first } else { &equilibrium.second }
    }

    /// What the house player `equilibrium` plays in a seat.
    fn house_mix(&self, seat: usize) -> Mix {
        let best = house::best_equilibrium(&self.games[self.row_seat], self.equilibria());
        self.mix(best.expect("every game of the catalogue has an equilibrium"), seat).clone()
    }
}
