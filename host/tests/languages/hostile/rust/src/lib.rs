//! Matching pennies, twice, and the misdeed that the option `deed` names: see `hostile.rs`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "some of them are misdeeds")]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use ludus_game::bindings::ludus::game::random;
use ludus_game::{About, Game, Outcome, Random, Seat, Turn};
use schemars::JsonSchema;
use serde::Deserialize;

ludus_game::export!(Pennies);

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// What it does.
    pub deed: Deed,
}

#[derive(Clone, Copy, PartialEq, Default, Deserialize, JsonSchema)]
#[schemars(inline)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    #[default]
    None,
    Loops,
    LoopsInItsPanic,
    Panics,
    Recurses,
    GrowsAList,
    ReservesTooMuch,
    WritesToNowhere,
    WritesToNull,
    CallsANumber,
    Exits,
    ReadsTheClock,
    StartsAThread,
    ScoresNan,
    ScoresOneSeat,
    CountsNonsense,
    #[serde(rename = "asks-seat-99")]
    AsksSeat99,
    AsksBackwards,
    NeverEnds,
    #[serde(rename = "breaks-utf-8")]
    BreaksUtf8,
    #[serde(rename = "talks-10-mb")]
    Talks10Mb,
    ListsTwice,
    ListsTooMany,
    DrawsInLegalMoves,
    DrawsInAView,
    DrawsBelowNothing,
    HashesInAnyOrder,
    CountsEpisodes,
    LooksAround,
}

pub struct Pennies {
    deed: Deed,
    rounds: u32,
    matches: u32,
}

static PLAYED_BEFORE: AtomicU32 = AtomicU32::new(0);

/// Each level has numbers of its own in memory.
fn deep(above: &[u32; 8]) -> u32 {
    let here = black_box(above.map(|number| number ^ 1));
    if here[0] == 7 { 0 } else { deep(&here) + here[1] }
}

/// In the order of a hash map, whose keys no seed of ours chose.
fn hashed() -> Vec<u32> {
    (0..12).map(|number| (number, ())).collect::<HashMap<u32, ()>>().into_keys().collect()
}

fn around() -> [bool; 4] {
    [
        std::fs::read("/etc/passwd").is_ok(),
        std::fs::write("moves.txt", "").is_ok(),
        std::env::var("HOME").is_ok(),
        std::net::TcpStream::connect("1.1.1.1:80").is_ok(),
    ]
}

impl Game for Pennies {
    const ABOUT: About = About {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        summary: "Matching pennies, or worse.",
        seats: (2, 2),
        steps_max: 20,
        house_players: &["random"],
        abilities: &["mind-reading"],
    };
    type Options = Options;
    type Move = bool;

    fn start(_: u32, options: Options, _: &mut Random) -> Result<Self, String> {
        Ok(Self { deed: options.deed, rounds: 0, matches: 0 })
    }

    fn turn(&self) -> Turn {
        let score = f64::from(self.matches) / 2.0;
        let summary = format!("{} matches", self.matches);
        let mut outcome = Outcome { scores: vec![score, 1.0 - score], counts: vec![], summary };
        match self.deed {
            Deed::AsksSeat99 => return Turn::Decide(vec![0, 99]),
            Deed::AsksBackwards => return Turn::Decide(vec![1, 0]),
            Deed::NeverEnds => return Turn::Decide(vec![0, 1]),
            Deed::ScoresNan => outcome.scores[0] = f64::NAN,
            Deed::ScoresOneSeat => outcome.scores.truncate(1),
            Deed::CountsNonsense => {
                outcome.counts = vec![ludus_game::Count { seat: 0, name: "wins".into(), times: 3, chances: 2 }];
            }
            _ => {}
        }
        if self.rounds < 2 { Turn::Decide(vec![0, 1]) } else { Turn::Over(outcome) }
    }

    fn prompt(&mut self, _: Seat) -> String {
        let question = format!("Round {}: heads or tails?", self.rounds);
        match self.deed {
            // SAFETY: none, that is the deed.
            Deed::BreaksUtf8 => unsafe { String::from_utf8_unchecked(vec![0xff]) },
            Deed::Talks10Mb => "x".repeat(10_000_000),
            Deed::HashesInAnyOrder => format!("{question} {:?} {:?}", hashed(), hashed()),
            Deed::CountsEpisodes => {
                format!("{question} {} played before", PLAYED_BEFORE.fetch_add(1, Ordering::Relaxed))
            }
            Deed::LooksAround => format!("{question} {:?}", around()),
            _ => question,
        }
    }

    fn parse(&self, _: Seat, text: &str) -> Result<bool, String> {
        match text {
            "heads" => Ok(true),
            "tails" => Ok(false),
            _ => Err("Heads or tails?".into()),
        }
    }

    fn play(&mut self, moves: Vec<(Seat, bool)>, random: &mut Random) {
        self.rounds += 1;
        self.matches += u32::from(moves[0].1 == moves[1].1);
        match self.deed {
            Deed::Loops => loop {},
            Deed::LoopsInItsPanic => {
                std::panic::set_hook(Box::new(|_| loop {}));
                panic!("{}", self.rounds);
            }
            Deed::Panics => panic!("{}", self.rounds),
            Deed::Recurses => self.matches = deep(&[1000; 8]),
            Deed::GrowsAList => (0..).map(|number: u64| vec![number; 1000]).for_each(std::mem::forget),
            Deed::ReservesTooMuch => self.matches = black_box(Vec::<u64>::with_capacity(200_000_000)).len() as u32,
            // SAFETY: none, those are the deeds.
            Deed::WritesToNowhere => unsafe { black_box(usize::MAX as *mut u8).write_volatile(1) },
            Deed::WritesToNull => unsafe { black_box(std::ptr::null_mut::<u8>()).write_volatile(1) },
            Deed::CallsANumber => unsafe { black_box(std::mem::transmute::<usize, fn()>(12_345))() },
            Deed::Exits => std::process::exit(0),
            Deed::ReadsTheClock => self.matches = black_box(Instant::now()).elapsed().as_secs() as u32,
            Deed::StartsAThread => drop(std::thread::spawn(|| loop {}).join()),
            Deed::DrawsBelowNothing => self.matches = random::below(0),
            _ => drop(random.below(2)),
        }
    }

    fn legal_moves(&self, _: Seat) -> Option<Vec<String>> {
        let moves = match self.deed {
            Deed::ListsTwice => vec!["heads", "heads", "tails"],
            Deed::ListsTooMany => vec!["heads"; 5000],
            Deed::DrawsInLegalMoves => vec![["heads", "tails"][random::below(2) as usize]],
            _ => vec!["heads", "tails"],
        };
        Some(moves.into_iter().map(String::from).collect())
    }

    fn house_move(&self, _: Seat, _: &str, random: &mut Random) -> Result<String, String> {
        Ok(random.pick(&["heads", "tails"]).to_string())
    }

    fn view(&self, _: Option<Seat>) -> String {
        if self.deed == Deed::DrawsInAView {
            random::below(2);
        }
        format!("{} of {}", self.matches, self.rounds)
    }
}
