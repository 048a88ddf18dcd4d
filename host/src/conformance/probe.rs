//! Plays one episode call by call and writes down all that was seen, then plays it again in other ways.
//!
//! Every step that the game takes draws from a stream of its own number, steps that it refuses from others, so an episode
//! with refused moves can be compared with one without.

use std::sync::Arc;

use super::Promise;
use super::adversary;
use super::variants::Variant;
use crate::component::Component;
use crate::fault::{Call, Fault, FaultKind, HostFailure};
use crate::hash::Hash;
use crate::instance::Instance;
use crate::stream::{Part, Stream};
use crate::turn::{Move, Outcome, Progress, Request, Seat, Setup, Turn};

/// What somebody says in a game in which any text may be a move.
const FREE_TEXTS: [&str; 6] = ["yes", "no", "3", "something round", "I do not know.", "42"];

/// In a game in which any text may be a move, so many refusals in one episode mean that none is.
const REFUSALS_MAX: u32 = 100;

/// What a record writes about each question besides texts, at least.
const QUESTION_BYTES: usize = 200;

/// Enough of a text to read.
const BEGINNING_CHARACTERS: usize = 200;

/// The game on two hosts.
pub(super) struct Probe {
    pub component: Arc<Component>,
    pub elsewhere: Arc<Component>,
}

/// Whether the calls are made that must change nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Queries {
    All,
    None,
}

/// An episode as it went.
pub(super) struct Course {
    /// What each step handed in.
    pub moves: Vec<Vec<Move>>,
    /// What was asked before each step.
    asked: Vec<Vec<Request>>,
    outcome: Outcome,
    /// What was answered to queries.
    answers: Vec<Hash>,
    pub glimpses: Vec<Glimpse>,
    pub prompt_bytes_longest: usize,
    pub fuel: u64,
    /// Steps in which the game did not take a move.
    pub refusals: u32,
}

/// What a seat was shown when it was asked.
pub(super) struct Glimpse {
    pub seat: Seat,
    /// The hash of all that it was told and has said so far.
    pub told: Hash,
    pub shown: Noted,
    /// What an onlooker sees who sees all.
    pub all: Hash,
}

/// What is kept of a text: enough to compare it, and to show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Noted {
    hash: Hash,
    pub beginning: String,
}

impl Noted {
    fn of(text: &str) -> Noted {
        Noted { hash: Hash::of(text.as_bytes()), beginning: short(text) }
    }
}

/// A promise that was broken.
pub(super) struct BrokenPromise {
    pub promise: Promise,
    pub what: String,
    fault: Option<Fault>,
}

impl BrokenPromise {
    /// Whether the game just says no to these options.
    pub fn is_refusal(&self) -> bool {
        self.fault.as_ref().is_some_and(|fault| fault.kind == FaultKind::SetupRefused)
    }

    /// Whether the episode went on past the bounds of one. Playing the next would take as long.
    pub fn is_endless(&self) -> bool {
        let kind = self.fault.as_ref().map(|fault| fault.kind);
        matches!(kind, Some(FaultKind::EpisodeOutOfFuel | FaultKind::EpisodeTooLarge))
    }

    /// The same, where the game broke it.
    ///
    /// # Errors
    /// Where it was this machine that could not give the game what it may have.
    pub fn by_the_game(self) -> Result<BrokenPromise, HostFailure> {
        match &self.fault {
            Some(fault) if fault.kind == FaultKind::HostFailed => Err(HostFailure::from(fault)),
            _ => Ok(self),
        }
    }
}

/// What came of bad moves.
#[derive(Default)]
pub(super) struct Disturbed {
    pub taken: u64,
    pub refused: u64,
    pub fault: Option<Fault>,
}

impl Probe {
    /// Plays an episode. A seat without a player plays random legal moves.
    pub fn play(
        &self,
        variant: &Variant,
        seed: u64,
        players: &[Option<String>],
        queries: Queries,
    ) -> Result<Course, BrokenPromise> {
        play_on(
            &self.component,
            variant,
            seed,
            &mut Choosing { house: &self.component.manifest.house_players, players, seed },
            queries,
        )
    }

    /// Plays it again on the other host, with every query.
    pub fn repeat(&self, variant: &Variant, seed: u64, course: &Course) -> Result<(), BrokenPromise> {
        let again = play_on(&self.elsewhere, variant, seed, &mut Following { course }, Queries::All)?;
        same(course, &again, Promise::Repeats, "on another host")?;
        if course.answers != again.answers {
            return Err(broken(Promise::Repeats, "a query is answered otherwise on another host".to_string()));
        }
        Ok(())
    }

    /// Plays it again without any query.
    pub fn follow(&self, variant: &Variant, seed: u64, course: &Course) -> Result<(), BrokenPromise> {
        let again = play_on(&self.component, variant, seed, &mut Following { course }, Queries::None)?;
        same(course, &again, Promise::QueriesChangeNothing, "where nobody asks for moves or views")
    }

    /// Plays it again with a bad move before each good one.
    pub fn disturb(&self, variant: &Variant, seed: u64, course: &Course) -> Result<Disturbed, BrokenPromise> {
        let mut disturbed = Disturbed::default();
        let (mut instance, turn) = begin(&self.component, variant, seed).map_err(ended)?;
        let mut asked = requests(&turn).to_vec();
        for (number, moves) in course.moves.iter().enumerate() {
            if asked != course.asked[number] {
                let what = format!("after bad moves, step {number} asks otherwise: {}", prompts(&asked));
                return Err(broken(Promise::RefusedMovesChangeNothing, what));
            }
            let bad = adversary::text((seed as usize).wrapping_mul(7).wrapping_add(number));
            // One seat errs, the others move as they did.
            let victim = moves[number % moves.len()].seat;
            check_fuel(&instance)?;
            let before = shown(&mut instance, variant.seats, victim)?;
            if before.1.iter().flatten().any(|legal| legal.trim() == bad.trim()) {
                // It is a move here.
                disturbed.taken += 1;
                return Ok(disturbed);
            }
            let with_bad: Vec<Move> = moves
                .iter()
                .map(|made| if made.seat == victim { Move { seat: victim, text: bad.clone() } } else { made.clone() })
                .collect();
            let refusal = match instance.step(&with_bad, stream(seed, "refused", number as u64)) {
                Ok(progress) => progress,
                Err(fault) if fault.kind == FaultKind::HostFailed => return Err(ended(fault)),
                Err(fault) => {
                    disturbed.fault = Some(fault);
                    return Ok(disturbed);
                }
            };
            if refusal.rejections.iter().all(|rejection| rejection.seat != victim) {
                // The game reads it as a move: from here on this is another episode.
                disturbed.taken += 1;
                return Ok(disturbed);
            }
            disturbed.refused += 1;
            let after = shown(&mut instance, variant.seats, victim)?;
            if moves.len() == 1 && after != before {
                let what = format!(
                    "step {number}: the move {:?} of seat {victim} is refused, yet changes what is shown",
                    short(&bad)
                );
                return Err(broken(Promise::RefusedMovesChangeNothing, what));
            }
            // Now that seat moves as it did; whoever else was refused, too.
            let owed: Vec<Move> = moves.iter().filter(|made| instance.asked().contains(&made.seat)).cloned().collect();
            let progress = instance.step(&owed, stream(seed, "step", number as u64)).map_err(ended)?;
            if !progress.rejections.is_empty() {
                let what =
                    format!("step {number}: after a refused move the good one is refused: {}", reasons(&progress));
                return Err(broken(Promise::RefusedMovesChangeNothing, what));
            }
            if let Turn::Over(outcome) = &progress.turn
                && (*outcome != course.outcome || number + 1 != course.moves.len())
            {
                let what = format!("with refused moves in between it ends otherwise: {}", outcome.summary);
                return Err(broken(Promise::RefusedMovesChangeNothing, what));
            }
            asked = requests(&progress.turn).to_vec();
        }
        Ok(disturbed)
    }
}

/// Where moves come from.
trait Mover {
    fn choose(&mut self, instance: &mut Instance, step: usize, seat: Seat) -> Result<String, BrokenPromise>;

    /// The house player that moves for a seat, where it is known to be one.
    fn house_player(&self, _seat: Seat) -> Option<&str> {
        None
    }
}

/// House players and random legal moves.
struct Choosing<'a> {
    house: &'a [String],
    players: &'a [Option<String>],
    seed: u64,
}

impl Mover for Choosing<'_> {
    fn choose(&mut self, instance: &mut Instance, step: usize, seat: Seat) -> Result<String, BrokenPromise> {
        let mut random = Stream::derive(self.seed, &["check".into(), step.into(), seat.into()]);
        if let Some(name) = &self.players[seat as usize] {
            return house_move(instance, seat, name, random);
        }
        match instance.legal_moves(seat).map_err(in_query)? {
            Some(mut moves) => Ok(moves.swap_remove(random.below(moves.len() as u32) as usize)),
            // Where any text may be a move the game's own `random` knows best what to say.
            None if self.house.iter().any(|name| name == "random") => house_move(instance, seat, "random", random),
            None => Ok(FREE_TEXTS[random.below(FREE_TEXTS.len() as u32) as usize].to_string()),
        }
    }

    fn house_player(&self, seat: Seat) -> Option<&str> {
        self.players[seat as usize].as_deref()
    }
}

fn house_move(instance: &mut Instance, seat: Seat, name: &str, random: Stream) -> Result<String, BrokenPromise> {
    let made = instance.house_move(seat, name, random);
    made.map_err(|fault| {
        let what = format!("house player `{name}`: {fault}");
        BrokenPromise { promise: Promise::HousePlayersAreLegal, what, fault: Some(fault) }
    })
}

/// The moves of an episode that was played.
struct Following<'a> {
    course: &'a Course,
}

impl Mover for Following<'_> {
    fn choose(&mut self, _: &mut Instance, step: usize, seat: Seat) -> Result<String, BrokenPromise> {
        let moves = self.course.moves.get(step).into_iter().flatten();
        let made = moves.into_iter().find(|made| made.seat == seat);
        made.map(|made| made.text.clone())
            .ok_or_else(|| broken(Promise::Repeats, format!("step {step} asks seat {seat}, which it did not before")))
    }
}

fn play_on(
    component: &Arc<Component>,
    variant: &Variant,
    seed: u64,
    mover: &mut dyn Mover,
    queries: Queries,
) -> Result<Course, BrokenPromise> {
    let (mut instance, mut turn) = begin(component, variant, seed).map_err(ended)?;
    let mut course = Course {
        moves: Vec::new(),
        asked: Vec::new(),
        outcome: Outcome { scores: Vec::new(), counts: Vec::new(), summary: String::new() },
        answers: Vec::new(),
        glimpses: Vec::new(),
        prompt_bytes_longest: 0,
        fuel: 0,
        refusals: 0,
    };
    let mut told: Vec<blake3::Hasher> = (0..variant.seats).map(|_| blake3::Hasher::new()).collect();
    let mut bytes = 0;
    loop {
        let asked = match turn {
            Turn::Over(outcome) => {
                course.outcome = outcome;
                course.fuel = instance.fuel_spent();
                return Ok(course);
            }
            Turn::Decide(asked) => asked,
        };
        for request in &asked {
            course.prompt_bytes_longest = course.prompt_bytes_longest.max(request.prompt.len());
            told[request.seat as usize].update(&[0]).update(request.prompt.as_bytes());
            bytes += request.prompt.len() + QUESTION_BYTES;
        }
        if queries == Queries::All {
            let all = Hash::of(instance.view(None).map_err(in_query)?.as_bytes());
            for request in &asked {
                let (view, legal) = shown(&mut instance, variant.seats, request.seat)?;
                let own = view.into_iter().nth(request.seat as usize).unwrap_or_default();
                let shown = Noted::of(&format!("{own}\n{}", legal.unwrap_or_default().join(" | ")));
                let told = Hash::from_bytes(*told[request.seat as usize].finalize().as_bytes());
                course.answers.push(shown.hash);
                course.glimpses.push(Glimpse { seat: request.seat, told, shown, all });
            }
            course.answers.push(all);
        }
        let step = course.moves.len();
        let mut moves = Vec::new();
        for request in &asked {
            let text = mover.choose(&mut instance, step, request.seat)?;
            told[request.seat as usize].update(&[1]).update(text.as_bytes());
            bytes += text.len();
            moves.push(Move { seat: request.seat, text });
        }
        check_fuel(&instance)?;
        check_bytes(&instance, bytes)?;
        let progress = instance.step(&moves, stream(seed, "step", step as u64)).map_err(ended)?;
        turn = progress.turn.clone();
        if !progress.rejections.is_empty() {
            let illegal = progress.rejections.iter().find_map(|rejection| {
                let player = mover.house_player(rejection.seat)?;
                let made = moves.iter().find(|made| made.seat == rejection.seat)?;
                let (text, reason) = (short(&made.text), &rejection.reason);
                Some(format!("step {step}: house player `{player}` plays {text:?}, which is refused: {reason}"))
            });
            if let Some(what) = illegal {
                return Err(broken(Promise::HousePlayersAreLegal, what));
            }
            // Where any text may be a move, some are not taken; a list of legal moves is a promise.
            for rejection in &progress.rejections {
                let made = moves.iter().find(|made| made.seat == rejection.seat);
                let legal = instance.legal_moves(rejection.seat).map_err(in_query)?.unwrap_or_default();
                if let Some(made) = made.filter(|made| legal.contains(&made.text)) {
                    let what = format!("step {step}: {:?} is refused: {}", made.text, rejection.reason);
                    return Err(broken(Promise::LegalMovesAreTaken, what));
                }
            }
            course.refusals += 1;
            if course.refusals > REFUSALS_MAX {
                let what = format!("step {step}: no move is taken: {}", reasons(&progress));
                return Err(broken(Promise::EndsWell, what));
            }
        }
        course.asked.push(asked);
        course.moves.push(moves);
    }
}

fn begin(component: &Arc<Component>, variant: &Variant, seed: u64) -> Result<(Instance, Turn), Fault> {
    let setup = Setup { seats: variant.seats, options: variant.options.clone() };
    Instance::start(component, &setup, stream(seed, "start", 0))
}

/// The views of all seats, and the legal moves of one.
type Shown = (Vec<String>, Option<Vec<String>>);

fn shown(instance: &mut Instance, seats: u32, seat: Seat) -> Result<Shown, BrokenPromise> {
    let views: Result<Vec<String>, Fault> = (0..seats).map(|viewer| instance.view(Some(viewer))).collect();
    let shown = (views.map_err(in_query)?, instance.legal_moves(seat).map_err(in_query)?);
    check_fuel(instance)?;
    Ok(shown)
}

/// Each call has bounds of its own. An episode has these, so that one that stays below them for ever ends here too.
fn check_fuel(instance: &Instance) -> Result<(), BrokenPromise> {
    let fuel_max = instance.limits().fuel_per_episode;
    if instance.fuel_spent() <= fuel_max {
        return Ok(());
    }
    let detail = format!("all calls of the episode together used more than {fuel_max} units of fuel");
    Err(ended(Fault::new(FaultKind::EpisodeOutOfFuel, Call::Step, detail)))
}

fn check_bytes(instance: &Instance, bytes: usize) -> Result<(), BrokenPromise> {
    let bytes_max = instance.limits().episode_bytes_max;
    if bytes <= bytes_max {
        return Ok(());
    }
    let detail = format!("its episode has more than {bytes_max} bytes of record and prompts");
    Err(ended(Fault::new(FaultKind::EpisodeTooLarge, Call::Step, detail)))
}

fn same(one: &Course, other: &Course, promise: Promise, circumstance: &str) -> Result<(), BrokenPromise> {
    let parted = one.asked.iter().zip(&other.asked).position(|(one, other)| one != other);
    if let Some(step) = parted {
        let what = format!(
            "step {step} asks {} and, {circumstance}, {}",
            prompts(&one.asked[step]),
            prompts(&other.asked[step])
        );
        return Err(broken(promise, what));
    }
    if one.outcome != other.outcome || one.asked.len() != other.asked.len() {
        let (one, other) = (&one.outcome, &other.outcome);
        let what = format!(
            "it ends with {:?} {:?} and, {circumstance}, with {:?} {:?}",
            one.scores, one.summary, other.scores, other.summary
        );
        return Err(broken(promise, what));
    }
    Ok(())
}

fn requests(turn: &Turn) -> &[Request] {
    match turn {
        Turn::Decide(requests) => requests,
        Turn::Over(_) => &[],
    }
}

fn prompts(requests: &[Request]) -> String {
    let shown = requests.iter().map(|request| format!("seat {} {:?}", request.seat, short(&request.prompt)));
    shown.collect::<Vec<_>>().join(", ")
}

fn reasons(progress: &Progress) -> String {
    progress.rejections.iter().map(|rejection| short(&rejection.reason)).collect::<Vec<_>>().join("; ")
}

fn short(text: &str) -> String {
    text.chars().take(BEGINNING_CHARACTERS).collect()
}

fn broken(promise: Promise, what: String) -> BrokenPromise {
    BrokenPromise { promise, what, fault: None }
}

fn ended(fault: Fault) -> BrokenPromise {
    BrokenPromise { promise: Promise::EndsWell, what: fault.to_string(), fault: Some(fault) }
}

fn in_query(fault: Fault) -> BrokenPromise {
    debug_assert!(matches!(fault.call, Call::View | Call::LegalMoves));
    ended(fault)
}

fn stream(seed: u64, purpose: &'static str, number: u64) -> Stream {
    Stream::derive(seed, &["check".into(), Part::Word(purpose), number.into()])
}
