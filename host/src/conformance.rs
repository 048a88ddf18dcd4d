//! What every game promises, checked by playing it: what `ludus check` runs for authors, and a hub before it takes a game in.
//!
//! ```text
//! probe      plays one episode call by call, straight on instances, and writes down all that was seen
//! adversary  texts that no player should send
//! variants   the options to play with, from the game's own schema
//! hidden     does a seat's view show more than the seat was told?
//! ```
//!
//! Each episode is played several times with the same seed and the same moves: plainly, without the queries that must change
//! nothing, with bad moves put in between, and on another host that gets its memory in another way. All must be the same
//! episode. A promise that was broken keeps the first case in which it was.

mod adversary;
mod hidden;
mod probe;
mod variants;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::component::ComponentError;
use crate::engine::Allocation;
use crate::fault::{Fault, HostFailure};
use crate::library::{Library, LibraryOptions};
use crate::manifest::Manifest;
use hidden::Hidden;
use probe::{BrokenPromise, Probe, Queries};
use variants::Variant;

/// How much is played.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Episodes with the options left alone; each other variant of the options gets a twentieth of it, at least one.
    pub episodes: u64,
    /// The seed of the first episode.
    pub seed: u64,
}

/// What every game promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promise {
    /// Every episode ends, within `steps-max`, without a fault.
    EndsWell,
    /// The same seed and moves give the same episode, also on a host that allocates memory in another way.
    Repeats,
    /// `legal-moves`, `house-move` and `view` change nothing.
    QueriesChangeNothing,
    /// A refused move changes nothing.
    RefusedMovesChangeNothing,
    /// Whatever a seat sends, the game takes it or says why not.
    SurvivesBadMoves,
    /// Every legal move is taken.
    LegalMovesAreTaken,
    /// House players play legal moves.
    HousePlayersAreLegal,
    /// A seat's view and legal moves show nothing that the seat was not told.
    ViewsHideSecrets,
}

impl Promise {
    pub const ALL: [Promise; 8] = [
        Promise::EndsWell,
        Promise::Repeats,
        Promise::QueriesChangeNothing,
        Promise::RefusedMovesChangeNothing,
        Promise::SurvivesBadMoves,
        Promise::LegalMovesAreTaken,
        Promise::HousePlayersAreLegal,
        Promise::ViewsHideSecrets,
    ];

    /// For people.
    pub fn sentence(self) -> &'static str {
        match self {
            Promise::EndsWell => "every episode ends within steps-max, without a fault",
            Promise::Repeats => "the same seed and moves give the same episode, on any host",
            Promise::QueriesChangeNothing => "legal-moves, house-move and view change nothing",
            Promise::RefusedMovesChangeNothing => "a refused move changes nothing",
            Promise::SurvivesBadMoves => "bad moves are refused or taken, never a fault",
            Promise::LegalMovesAreTaken => "every legal move is taken",
            Promise::HousePlayersAreLegal => "house players play legal moves",
            Promise::ViewsHideSecrets => "a seat's view shows nothing that the seat was not told",
        }
    }
}

/// What became of one promise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// How often it was looked at.
    pub times: u64,
    /// The first case in which it was broken.
    pub broken: Option<String>,
}

/// What was seen of a game.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub promises: BTreeMap<Promise, Kept>,
    pub facts: Facts,
}

/// Figures that an author may want to know.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Facts {
    /// Different episodes; each is played four times and more.
    pub episodes: u64,
    /// Options and numbers of seats that were played.
    pub variants: u64,
    /// Of those, what the game refused to start.
    pub variants_refused: u64,
    pub steps_longest: u64,
    /// The longest prompt, in bytes.
    pub prompt_bytes_longest: usize,
    /// What the most expensive episode computed, in units of fuel. A measure, which differs between versions of wasmtime.
    pub fuel_most: u64,
    /// Pairs of moments at which a seat had been told the same, while something else was hidden from it.
    pub hidden_pairs: u64,
    /// Bad moves that the game took as if they were none.
    pub bad_moves_taken: u64,
    pub bad_moves_refused: u64,
}

impl Report {
    pub fn is_good(&self) -> bool {
        self.promises.values().all(|kept| kept.broken.is_none())
    }

    fn look(&mut self, promise: Promise, found: Result<(), String>) {
        let kept = self.promises.entry(promise).or_default();
        kept.times += 1;
        if let Err(case) = found {
            kept.broken.get_or_insert(case);
        }
    }
}

/// Why a game could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error(transparent)]
    Component(#[from] ComponentError),
    #[error(transparent)]
    Host(#[from] HostFailure),
}

/// A game on two hosts.
pub struct Bench {
    host: Library,
    elsewhere: Library,
}

impl Bench {
    /// Two hosts that give instances their memory in two ways, where this machine has addresses enough for that.
    ///
    /// # Errors
    /// Where WebAssembly cannot run on this machine.
    pub fn open(options: &LibraryOptions) -> Result<Bench, ComponentError> {
        Ok(Bench::of(Library::open(options.clone())?, Library::open_with(options.clone(), Allocation::OnDemand)?))
    }

    /// `host` plays, and what it played is repeated `elsewhere`.
    pub fn of(host: Library, elsewhere: Library) -> Bench {
        Bench { host, elsewhere }
    }

    /// Checks the game of that name, or in that file. `progress` is told how many episodes of how many are done.
    ///
    /// # Errors
    /// Where the game may not be played at all: its imports, its manifest or its schema are not in order. Also where this
    /// machine has no room for it, which says nothing of the game.
    pub fn check(
        &self,
        game: &str,
        settings: Settings,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(Manifest, Report), CheckError> {
        let probe = Probe { component: self.host.game(game)?, elsewhere: self.elsewhere.game(game)? };
        let manifest = probe.component.manifest.clone();
        let variants = variants::of(&probe.component);
        let share =
            |variant: &Variant| if variant.is_plain { settings.episodes } else { settings.episodes.div_ceil(20) };
        let total: u64 = variants.iter().map(share).sum();
        let promises = Promise::ALL.into_iter().map(|promise| (promise, Kept::default())).collect();
        let mut report = Report { promises, facts: Facts::default() };
        let mut done = 0;
        'all: for variant in &variants {
            report.facts.variants += 1;
            let mut hidden = Hidden::default();
            for index in 0..share(variant) {
                let seed = settings.seed.wrapping_add(index);
                let then = check_episode(&probe, variant, seed, &mut hidden, &mut report)?;
                if then == Then::NextVariant {
                    report.facts.variants_refused += 1;
                    done += share(variant) - index;
                    break;
                }
                report.facts.episodes += 1;
                done += 1;
                progress(done, total);
                if then == Then::NoMore {
                    break 'all;
                }
            }
            report.facts.hidden_pairs += hidden.pairs;
        }
        Ok((manifest, report))
    }
}

/// What comes after an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    NextEpisode,
    /// The game refuses this one.
    NextVariant,
    /// An episode went past its bounds, which takes long each time.
    NoMore,
}

/// Plays one seed in all ways.
fn check_episode(
    probe: &Probe,
    variant: &Variant,
    seed: u64,
    hidden: &mut Hidden,
    report: &mut Report,
) -> Result<Then, HostFailure> {
    let case = |what: String| format!("{}, seed {seed}: {what}", variant.name);
    let fault = |fault: &Fault| case(format!("{fault}"));
    let players = variant.players(&probe.component.manifest, seed);
    let plain = match probe.play(variant, seed, &players, Queries::All) {
        Ok(plain) => plain,
        Err(refused) if refused.is_refusal() => {
            // Options may be refused, but not those that every game has: none.
            if variant.is_plain {
                report.look(Promise::EndsWell, Err(case(refused.what)));
            }
            return Ok(Then::NextVariant);
        }
        Err(broken) => {
            let broken = broken.by_the_game()?;
            let then = after(&broken);
            report.look(broken.promise, Err(case(broken.what)));
            return Ok(then);
        }
    };
    report.look(Promise::EndsWell, Ok(()));
    report.look(Promise::LegalMovesAreTaken, Ok(()));
    if players.iter().any(Option::is_some) {
        report.look(Promise::HousePlayersAreLegal, Ok(()));
    }
    let facts = &mut report.facts;
    facts.steps_longest = facts.steps_longest.max(plain.moves.len() as u64);
    facts.prompt_bytes_longest = facts.prompt_bytes_longest.max(plain.prompt_bytes_longest);
    facts.fuel_most = facts.fuel_most.max(plain.fuel);
    report.look(Promise::ViewsHideSecrets, hidden.compare(seed, &plain).map_err(case));

    for (promise, found) in [
        (Promise::Repeats, probe.repeat(variant, seed, &plain)),
        (Promise::QueriesChangeNothing, probe.follow(variant, seed, &plain)),
    ] {
        let broken = found.err().map(BrokenPromise::by_the_game).transpose()?;
        let then = broken.as_ref().map_or(Then::NextEpisode, after);
        report.look(promise, broken.map_or(Ok(()), |broken| Err(case(broken.what))));
        if then == Then::NoMore {
            return Ok(then);
        }
    }
    if plain.refusals > 0 {
        // Which of its refusals would come from the bad moves could not be told.
        return Ok(Then::NextEpisode);
    }
    match probe.disturb(variant, seed, &plain) {
        Ok(disturbed) => {
            report.facts.bad_moves_taken += disturbed.taken;
            report.facts.bad_moves_refused += disturbed.refused;
            report.look(Promise::SurvivesBadMoves, disturbed.fault.as_ref().map_or(Ok(()), |found| Err(fault(found))));
            if disturbed.refused > 0 {
                report.look(Promise::RefusedMovesChangeNothing, Ok(()));
            }
        }
        Err(broken) => {
            let broken = broken.by_the_game()?;
            let then = after(&broken);
            report.look(broken.promise, Err(case(broken.what)));
            return Ok(then);
        }
    }
    Ok(Then::NextEpisode)
}

fn after(broken: &BrokenPromise) -> Then {
    if broken.is_endless() { Then::NoMore } else { Then::NextEpisode }
}
