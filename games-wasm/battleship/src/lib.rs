//! Battleship on 4x4 to 10x10 cells: two seats shoot in turn at the other's hidden ships; the first to sink all of them wins.
//!
//! Both fleets are dealt, each arrangement equally likely, and so is who begins. A cell is a letter and a number, `B3`, and no
//! cell can be shot at twice. A shot is answered at once: miss, hit, or hit and sunk.
//!
//! The winner scores 1, the other 0. Where the option `shots` ends the game before, the shares of the other's ship cells that
//! were hit are compared:
//!
//! ```text
//! score = 1/2 + (own share - other's share) / 2
//! ```
//!
//! Counts: `hits` (of the shots) and `followed-up` (of the shots made while a ship was hit and not sunk, those beside a hit).
//!
//! House players: `random` and `hunt`, see [`house`].

pub mod chart;
pub mod fleet;
pub mod house;
pub mod options;
pub mod sea;
mod words;

use chart::Chart;
use fleet::Fleet;
use ludus_game::{About, Count, Game, Outcome, Random, Seat, Turn, plain};
use options::{Options, SHOTS_MAX};
use sea::{Cells, SIZE_MAX, SIZE_MIN, Sea, cell_set, column_letter};

ludus_game::export!(Battleship);

/// One episode.
pub struct Battleship {
    sea: Sea,
    options: Options,
    /// By seat.
    fleets: [Fleet; 2],
    mover: Seat,
    /// All that happened.
    shots: Vec<Shot>,
    /// How many of the shots each seat has read; none before it has read the rules.
    told: [Option<usize>; 2],
    follow_ups: [FollowUps; 2],
}

/// One shot and what it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shot {
    pub seat: Seat,
    pub cell: u32,
    pub answer: Answer,
}

/// What a shooter is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Miss,
    Hit,
    Sunk,
}

#[derive(Clone, Copy, Default)]
struct FollowUps {
    made: u32,
    chances: u32,
}

impl Game for Battleship {
    const ABOUT: About = About {
        name: "battleship",
        version: env!("CARGO_PKG_VERSION"),
        summary: "Battleship on 4x4 to 10x10 cells: find and sink the other's hidden ships first.",
        seats: (2, 2),
        // Every cell of both boards.
        steps_max: 2 * SHOTS_MAX,
        house_players: &["random", "hunt"],
        abilities: &["spatial-reasoning", "deduction", "search"],
    };
    type Options = Options;
    /// The cell, counted from 0.
    type Move = u32;

    fn start(_seats: u32, options: Options, random: &mut Random) -> Result<Self, String> {
        if !(SIZE_MIN..=SIZE_MAX).contains(&options.size) {
            return Err(format!("`size` goes from {SIZE_MIN} to {SIZE_MAX}, not {}.", options.size));
        }
        if !(1..=SHOTS_MAX).contains(&options.shots) {
            return Err(format!("`shots` goes from 1 to {SHOTS_MAX}, not {}.", options.shots));
        }
        let sea = Sea { size: options.size };
        fleet::check(sea, &options.ships)?;
        let fleets = [(); 2].map(|()| Fleet::deal(sea, &options.ships, random));
        Ok(Self::dealt(options, fleets, random.below(2)))
    }

    fn turn(&self) -> Turn {
        let shares = [0, 1].map(|seat| self.share_hit(seat));
        let sunk_all = shares.iter().position(|share| *share == 1.0);
        let used_up = [0, 1].iter().all(|&seat| self.shots_of(seat).count_ones() >= self.options.shots);
        let (scores, summary) = match sunk_all {
            Some(winner) => {
                let shots = self.shots_of(winner as Seat).count_ones();
                (
                    if winner == 0 { [1.0, 0.0] } else { [0.0, 1.0] },
                    format!("seat {winner} sinks all ships with {shots} shots"),
                )
            }
            None if used_up => {
                let ahead = (shares[0] - shares[1]) / 2.0;
                let hits = [0, 1].map(|seat| self.hits(seat));
                (
                    [0.5 + ahead, 0.5 - ahead],
                    format!("the shots are used up: {} hits of seat 0, {} of seat 1", hits[0], hits[1]),
                )
            }
            None => return Turn::Decide(vec![self.mover]),
        };
        Turn::Over(Outcome { scores: scores.to_vec(), counts: self.counts(), summary })
    }

    fn prompt(&mut self, seat: Seat) -> String {
        let told = self.told[seat as usize].replace(self.shots.len());
        let rules = if told.is_none() {
            words::rules(self.sea, &self.options, &self.fleets[seat as usize])
        } else {
            String::new()
        };
        let news = words::news(self.sea, seat, &self.shots[told.unwrap_or(0)..]);
        format!("{rules}{news}{}", self.ask_again(seat))
    }

    fn ask_again(&self, seat: Seat) -> String {
        format!("{}\nWhere do you shoot?", words::chart(&self.chart(seat), self.options.notation))
    }

    fn parse(&self, seat: Seat, text: &str) -> Result<u32, String> {
        let last = column_letter(self.sea.size - 1);
        let cell = self.sea.cell(&plain(text)).ok_or_else(|| {
            format!("A shot is a column from A to {last} and a row from 1 to {}, such as B3.", self.sea.size)
        })?;
        if self.shots_of(seat) & 1 << cell != 0 {
            return Err(format!("You have shot at {} before: take another cell.", self.sea.name(cell)));
        }
        Ok(cell)
    }

    fn play(&mut self, moves: Vec<(Seat, u32)>, _random: &mut Random) {
        for (seat, cell) in moves {
            self.note_follow_up(seat, cell);
            let answer = self.answer(seat, cell);
            self.shots.push(Shot { seat, cell, answer });
            self.mover = 1 - seat;
        }
    }

    fn legal_moves(&self, seat: Seat) -> Option<Vec<String>> {
        Some(cell_set(self.chart(seat).open()).map(|cell| self.sea.name(cell)).collect())
    }

    fn house_move(&self, seat: Seat, player: &str, random: &mut Random) -> Result<String, String> {
        Ok(self.sea.name(house::choose(&self.chart(seat), player, random)?))
    }

    fn view(&self, viewer: Option<Seat>) -> String {
        self.drawn(viewer)
    }
}

impl Battleship {
    /// An episode whose fleets are given, by seat.
    pub fn dealt(options: Options, fleets: [Fleet; 2], mover: Seat) -> Self {
        let sea = Sea { size: options.size };
        Self { sea, options, fleets, mover, shots: Vec::new(), told: [None; 2], follow_ups: Default::default() }
    }

    /// What a seat knows of the other's board.
    pub fn chart(&self, seat: Seat) -> Chart {
        Chart::new(self.sea, self.target_of(seat), self.shots_of(seat))
    }

    /// Where a seat has shot.
    fn shots_of(&self, seat: Seat) -> Cells {
        self.shots.iter().filter(|shot| shot.seat == seat).fold(0, |cells, shot| cells | 1 << shot.cell)
    }

    /// The fleet that a seat shoots at.
    fn target_of(&self, seat: Seat) -> &Fleet {
        &self.fleets[1 - seat as usize]
    }

    fn answer(&self, seat: Seat, cell: u32) -> Answer {
        let shots = self.shots_of(seat) | 1 << cell;
        match self.target_of(seat).ships.iter().find(|&ship| ship & 1 << cell != 0) {
            None => Answer::Miss,
            Some(ship) if ship & !shots == 0 => Answer::Sunk,
            Some(_) => Answer::Hit,
        }
    }

    fn hits(&self, seat: Seat) -> u32 {
        (self.shots_of(seat) & self.target_of(seat).cells()).count_ones()
    }

    /// The share of the other's ship cells that a seat has hit.
    fn share_hit(&self, seat: Seat) -> f64 {
        f64::from(self.hits(seat)) / f64::from(self.target_of(seat).cells().count_ones())
    }

    /// Notes whether a seat follows up a hit with this shot; before it is made.
    fn note_follow_up(&mut self, seat: Seat, cell: u32) {
        let chart = self.chart(seat);
        let follow_ups = &mut self.follow_ups[seat as usize];
        follow_ups.chances += u32::from(chart.hit != 0);
        follow_ups.made += u32::from(house::beside(self.sea, chart.hit) & 1 << cell != 0);
    }

    fn counts(&self) -> Vec<Count> {
        let of_seat = |seat: Seat| {
            let follow_ups = self.follow_ups[seat as usize];
            [
                ("hits", self.hits(seat), self.shots_of(seat).count_ones()),
                ("followed-up", follow_ups.made, follow_ups.chances),
            ]
            .map(|(name, times, chances)| Count { seat, name: name.to_owned(), times, chances })
        };
        [0, 1].into_iter().flat_map(of_seat).collect()
    }
}
