//! Plays a game natively, through the same protocol as the host: for the tests of games.
//!
//! [`Session`] plays one episode by hand; [`check_game`] plays many at random and checks what every game promises.

use std::collections::BTreeMap;

use crate::bindings::exports::ludus::game::game::{Move, Rejection, Setup, Turn};
use crate::component::manifest;
use crate::table::Table;
use crate::{Game, Outcome, Random, Seat};

/// An episode that a test plays.
pub struct Session<G: Game> {
    table: Table<G>,
    random: Random,
    prompts: BTreeMap<Seat, String>,
    outcome: Option<Outcome>,
    steps: u32,
}

impl<G: Game> Session<G> {
    /// Deals an episode. `options` is a JSON object, `"{}"` for the defaults.
    ///
    /// # Errors
    /// What [`Game::start`] refuses, and options that are not understood.
    pub fn start(seats: u32, options: &str, seed: u64) -> Result<Self, String> {
        let mut random = Random::seeded(seed);
        let (table, turn) = Table::start(&Setup { seats, options: options.to_owned() }, &mut random)?;
        let mut session = Self { table, random, prompts: BTreeMap::new(), outcome: None, steps: 0 };
        session.turn(turn);
        Ok(session)
    }

    /// The seats that are asked to move now.
    pub fn asked(&self) -> Vec<Seat> {
        self.prompts.keys().copied().collect()
    }

    /// What a seat was asked last.
    ///
    /// # Panics
    /// Where it is not asked now.
    pub fn prompt(&self, seat: Seat) -> &str {
        &self.prompts[&seat]
    }

    /// One step: the moves of all seats that are asked, in seat order. Gives the refused ones.
    pub fn step(&mut self, texts: &[&str]) -> Vec<Rejection> {
        let moves: Vec<Move> =
            self.asked().into_iter().zip(texts).map(|(seat, text)| Move { seat, text: (*text).to_owned() }).collect();
        let progress = self.table.step(&moves, &mut self.random);
        self.steps += 1;
        self.turn(progress.turn);
        progress.rejections
    }

    /// One step whose moves must all be legal.
    pub fn play(&mut self, texts: &[&str]) {
        let rejections = self.step(texts);
        assert!(rejections.is_empty(), "refused: {rejections:?}");
    }

    /// The game itself, to look at.
    pub fn game(&self) -> &G {
        self.table.game()
    }

    /// The position as an onlooker sees it.
    pub fn game_view(&self) -> String {
        self.game().view(None)
    }

    /// How it ended, if it has.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// How many steps were made.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// A house player's move in this seat now.
    pub fn house(&mut self, seat: Seat, player: &str) -> String {
        self.table.game().house_move(seat, player, &mut self.random).expect("a house player moves")
    }

    /// A legal move at random.
    pub fn random_move(&mut self, seat: Seat) -> String {
        let legal = self.table.game().legal_moves(seat).expect("a game whose legal moves are known");
        self.random.pick(&legal).clone()
    }

    /// A draw for the test's own choices.
    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// Plays to the end: `choose` gives each asked seat's move, which must be legal.
    pub fn play_out(mut self, mut choose: impl FnMut(&mut Self, Seat) -> String) -> Outcome {
        while self.outcome.is_none() {
            let texts: Vec<String> = self.asked().into_iter().map(|seat| choose(&mut self, seat)).collect();
            self.play(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        }
        self.outcome.expect("the loop ends with an outcome")
    }

    fn turn(&mut self, turn: Turn) {
        self.prompts.clear();
        match turn {
            Turn::Decide(requests) => {
                self.prompts.extend(requests.into_iter().map(|request| (request.seat, request.prompt)))
            }
            Turn::Over(outcome) => self.outcome = Some(outcome),
        }
    }
}

/// Checks what every game promises: a manifest that the host takes, and, in `episodes` random episodes, house players and listed
/// moves that are legal, refusals that change nothing, an end in time, scores in 0 to 1 and counts that add up.
///
/// A seat's move is a listed legal one, or a house player's, at random; where any text is legal it is a house player's.
///
/// # Panics
/// With the broken promise.
pub fn check_game<G: Game>(seats: u32, options: &str, episodes: u64) {
    check_manifest::<G>();
    for seed in 0..episodes {
        let mut session = Session::<G>::start(seats, options, seed).expect("the options can be served");
        while session.outcome.is_none() {
            check_rejection(&mut session);
            let texts: Vec<String> = session.asked().into_iter().map(|seat| any_move(&mut session, seat)).collect();
            session.play(&texts.iter().map(String::as_str).collect::<Vec<_>>());
            assert!(session.steps <= G::ABOUT.steps_max, "an episode of {} steps", session.steps);
        }
        check_outcome(session.outcome().expect("it is over"), seats);
    }
}

fn check_manifest<G: Game>() {
    let manifest = manifest::<G>();
    let kebab = |name: &str| {
        name.split('-')
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
    };
    assert!(kebab(&manifest.name), "a kebab-case name: {}", manifest.name);
    assert!(manifest.house_players.iter().chain(&manifest.abilities).all(|name| kebab(name)), "kebab-case names");
    assert!(
        0 < manifest.seats_min && manifest.seats_min <= manifest.seats_max && manifest.steps_max > 0,
        "limits that make sense"
    );
    assert_eq!(manifest.version.split('.').count(), 3, "a semantic version: {}", manifest.version);

    let schema: serde_json::Value = serde_json::from_str(&manifest.options_schema).expect("the schema is JSON");
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["additionalProperties"], false, "unknown options are refused");
    for (name, option) in schema["properties"].as_object().into_iter().flatten() {
        assert!(option.get("default").is_some(), "the option {name} shows no default");
        assert!(option["description"].is_string(), "the option {name} is not described");
    }
    serde_json::from_str::<G::Options>("{}").map(drop).expect("every option has a default");
}

fn any_move<G: Game>(session: &mut Session<G>, seat: Seat) -> String {
    let players = G::ABOUT.house_players.len() as u32;
    let legal = session.game().legal_moves(seat);
    let choice = session.random.below(players + u32::from(legal.is_some())) as usize;
    match G::ABOUT.house_players.get(choice) {
        Some(player) => session.house(seat, player),
        None => session.random_move(seat),
    }
}

/// Where no text is legal but the listed ones, an empty move is refused, with a reason, and changes nothing that can be seen.
/// Tried at every third step: often enough, and the steps between are as a good player has them.
fn check_rejection<G: Game>(session: &mut Session<G>) {
    let asked = session.asked();
    let everything = |session: &Session<G>| {
        let game = session.game();
        let views: Vec<String> =
            asked.iter().map(|&seat| Some(seat)).chain([None]).map(|viewer| game.view(viewer)).collect();
        let legal: Vec<_> = asked.iter().map(|&seat| game.legal_moves(seat)).collect();
        (views, legal)
    };
    if asked.iter().any(|&seat| session.game().legal_moves(seat).is_none()) || !session.steps.is_multiple_of(3) {
        return;
    }
    let before = everything(session);
    let rejections = session.step(&vec![""; asked.len()]);
    session.steps -= 1;
    assert_eq!(
        rejections.iter().map(|rejection| rejection.seat).collect::<Vec<_>>(),
        asked,
        "an empty move is refused"
    );
    assert!(rejections.iter().all(|rejection| !rejection.reason.is_empty()), "a refusal has a reason");
    assert_eq!(session.asked(), asked, "the same seats are asked again");
    assert!(before == everything(session), "a refusal changes nothing");
}

fn check_outcome(outcome: &Outcome, seats: u32) {
    assert_eq!(outcome.scores.len(), seats as usize, "one score a seat");
    assert!(outcome.scores.iter().all(|score| (0.0..=1.0).contains(score)), "scores from 0 to 1: {:?}", outcome.scores);
    assert!(
        outcome.counts.iter().all(|count| count.seat < seats && count.times <= count.chances),
        "counts that add up: {:?}",
        outcome.counts
    );
    assert!(
        !outcome.summary.is_empty() && !outcome.summary.contains('\n'),
        "a summary of one line: {:?}",
        outcome.summary
    );
}
