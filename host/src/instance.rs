//! One game being played: one wasmtime store, made for one stage of one episode and dropped with it.
//!
//! Whatever a game does in a call, the call comes back: with a checked answer, or with a `Fault`. After a fault the store is
//! gone, and every later call answers `Dead`. Each call has its own budget of fuel, set when the call begins, and its own
//! randomness, so a call is a function of the calls before it and of what is handed in, and of nothing else.
//!
//! What an instance does not do: it knows no players, no tries, no scores of tasks.

use std::sync::Arc;

use wasmtime::Store;

use crate::bindings::PlayerGame;
use crate::bindings::exports::ludus::game::game as raw;
use crate::check::{Broken, Table};
use crate::component::Component;
use crate::fault::{Call, Fault, FaultKind};
use crate::limits::Limits;
use crate::state::State;
use crate::stream::Stream;
use crate::trap;
use crate::turn::{Move, Progress, Seat, Setup, Turn};

/// A game in progress.
pub struct Instance {
    component: Arc<Component>,
    /// None once the game has misbehaved.
    live: Option<Live>,
    seats: u32,
    /// The seats that are asked to move now, sorted. Empty once the game is over.
    asked: Vec<Seat>,
    steps: u32,
    rejections: u32,
    fuel_spent: u64,
}

/// The two halves of a living guest.
struct Live {
    store: Store<State>,
    game: PlayerGame,
}

impl Instance {
    /// Makes a fresh instance and deals the game. `random` serves all draws of `start`.
    ///
    /// # Errors
    /// Every misdeed of the game. `SetupRefused` where it says no to this setup; `Misuse` where the seats are not what its
    /// manifest allows.
    pub fn start(component: &Arc<Component>, setup: &Setup, random: Stream) -> Result<(Instance, Turn), Fault> {
        let manifest = &component.manifest;
        if setup.seats < manifest.seats_min || setup.seats > manifest.seats_max {
            let (seats, min, max) = (setup.seats, manifest.seats_min, manifest.seats_max);
            let sentence = format!("{seats} seats were asked of a game for {min} to {max}");
            return Err(Fault::new(FaultKind::Misuse, Call::Start, sentence));
        }
        let mut instance = Instance {
            component: Arc::clone(component),
            live: Some(instantiate(component, random.sibling())?),
            seats: setup.seats,
            asked: Vec::new(),
            steps: 0,
            rejections: 0,
            fuel_spent: 0,
        };
        let raw_setup = raw::Setup { seats: setup.seats, options: setup.options.clone() };
        let turn = instance.call(
            Call::Start,
            Some(random),
            |store, game| game.ludus_game_game().call_start(store, &raw_setup),
            |table, answer| match answer {
                Ok(turn) => table.turn(turn),
                Err(mut reason) => {
                    trap::truncate(&mut reason, 2_000);
                    Err((FaultKind::SetupRefused, reason))
                }
            },
        )?;
        instance.remember(&turn);
        Ok((instance, turn))
    }

    /// Hands in one move of each seat that is asked, in any order. `random` serves all draws of the step.
    ///
    /// # Errors
    /// Every misdeed of the game. `Misuse` where the moves are not those of the seats that are asked, or one is longer
    /// than `Limits::text_bytes_max`; the game lives on then.
    pub fn step(&mut self, moves: &[Move], random: Stream) -> Result<Progress, Fault> {
        self.check_moves(moves)?;
        if self.steps >= self.component.manifest.steps_max {
            let steps_max = self.component.manifest.steps_max;
            return Err(
                self.kill(Call::Step, (FaultKind::TooManySteps, format!("it is not over after {steps_max} steps")))
            );
        }
        let mut raw_moves: Vec<raw::Move> =
            moves.iter().map(|made| raw::Move { seat: made.seat, text: made.text.clone() }).collect();
        raw_moves.sort_by_key(|made| made.seat);

        let asked = std::mem::take(&mut self.asked);
        let progress = self.call(
            Call::Step,
            Some(random),
            |store, game| game.ludus_game_game().call_step(store, &raw_moves),
            |table, answer| table.progress(answer, &asked),
        )?;
        // Players may blunder as often as their host lets them: only steps that reject nothing count as the game's own.
        if progress.rejections.is_empty() {
            self.steps += 1;
        } else {
            self.rejections += 1;
            let rejections_max = self.limits().rejections_max;
            if self.rejections > rejections_max {
                let sentence = format!("it rejected moves in more than {rejections_max} steps");
                return Err(self.kill(Call::Step, (FaultKind::TooManySteps, sentence)));
            }
        }
        self.remember(&progress.turn);
        Ok(progress)
    }

    /// The legal moves of a seat that is asked now, never an empty list; none where any text may be a move.
    ///
    /// # Errors
    /// Every misdeed of the game, a draw among them. `Misuse` where the seat is not asked.
    pub fn legal_moves(&mut self, seat: Seat) -> Result<Option<Vec<String>>, Fault> {
        self.check_asked(Call::LegalMoves, seat)?;
        self.call(
            Call::LegalMoves,
            None,
            |store, game| game.ludus_game_game().call_legal_moves(store, seat),
            |table, answer| answer.map(|moves| table.legal_moves(moves)).transpose(),
        )
    }

    /// The move that one of the game's own players would make for a seat that is asked now. `random` serves its draws.
    ///
    /// # Errors
    /// Every misdeed of the game; `BadHousePlayer` where it has no move from this player. `Misuse` where the seat is not
    /// asked.
    pub fn house_move(&mut self, seat: Seat, player: &str, random: Stream) -> Result<String, Fault> {
        self.check_asked(Call::HouseMove, seat)?;
        self.call(
            Call::HouseMove,
            Some(random),
            |store, game| game.ludus_game_game().call_house_move(store, seat, player),
            |table, answer| match answer {
                Ok(text) => table.text("a house player's move", text),
                Err(mut reason) => {
                    trap::truncate(&mut reason, 2_000);
                    Err((FaultKind::BadHousePlayer, format!("`{player}` has no move: {reason}")))
                }
            },
        )
    }

    /// The position as a seat sees it, or as an onlooker who sees all. May be empty.
    ///
    /// # Errors
    /// Every misdeed of the game, a draw among them. `Misuse` where there is no such seat.
    pub fn view(&mut self, viewer: Option<Seat>) -> Result<String, Fault> {
        if let Some(seat) = viewer.filter(|&seat| seat >= self.seats) {
            return Err(Fault::new(FaultKind::Misuse, Call::View, format!("there is no seat {seat}")));
        }
        self.call(
            Call::View,
            None,
            |store, game| game.ludus_game_game().call_view(store, viewer),
            |table, answer| table.text_or_none("the view", answer),
        )
    }

    /// The seats that are asked to move now, sorted. Empty once the game is over.
    pub fn asked(&self) -> &[Seat] {
        &self.asked
    }

    /// What all calls together have computed, in units of fuel. A measure for bounds, never for results.
    pub fn fuel_spent(&self) -> u64 {
        self.fuel_spent
    }

    /// The bounds that it lives under.
    pub fn limits(&self) -> &Limits {
        self.component.limits()
    }

    /// Runs one call of the guest and checks what it answers. Any fault ends the instance.
    fn call<Raw, Checked>(
        &mut self,
        call: Call,
        random: Option<Stream>,
        run: impl FnOnce(&mut Store<State>, &PlayerGame) -> wasmtime::Result<Raw>,
        check: impl FnOnce(Table<'_>, Raw) -> Result<Checked, Broken>,
    ) -> Result<Checked, Fault> {
        let fuel = self.limits().fuel_per_call;
        let Some(Live { store, game }) = &mut self.live else {
            return Err(Fault::new(FaultKind::Dead, call, "the game was stopped by an earlier fault"));
        };
        store.data_mut().random = random;
        let began_ns = store.data().wasi.now_ns();
        let answer = self.component.engine().allow(store, fuel).and_then(|()| run(store, game));
        store.data_mut().random = None;
        if !matches!(call, Call::Start | Call::Step) {
            // A replay does not make these calls, so nothing of them may be seen later.
            store.data_mut().wasi.set_now_ns(began_ns);
        }
        self.fuel_spent += fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        let checked = match answer {
            Ok(raw) => check(Table { seats: self.seats, limits: self.component.limits() }, raw),
            Err(error) => {
                let fault = trap::fault(call, &error).with_printed(&store.data().wasi.printed());
                self.live = None;
                return Err(fault);
            }
        };
        checked.map_err(|broken| self.kill(call, broken))
    }

    fn kill(&mut self, call: Call, (kind, detail): Broken) -> Fault {
        self.live = None;
        self.asked.clear();
        Fault::new(kind, call, detail)
    }

    fn remember(&mut self, turn: &Turn) {
        self.asked = match turn {
            Turn::Decide(requests) => requests.iter().map(|request| request.seat).collect(),
            Turn::Over(_) => Vec::new(),
        };
    }

    fn check_asked(&self, call: Call, seat: Seat) -> Result<(), Fault> {
        if self.live.is_none() || self.asked.contains(&seat) {
            return Ok(());
        }
        Err(Fault::new(FaultKind::Misuse, call, format!("seat {seat} is not asked to move")))
    }

    fn check_moves(&self, moves: &[Move]) -> Result<(), Fault> {
        if self.live.is_none() {
            return Ok(());
        }
        // Where each seat that is asked has a move, and there are no more, none has two.
        let are_theirs = self.asked.iter().all(|seat| moves.iter().any(|made| made.seat == *seat));
        if !are_theirs || moves.len() != self.asked.len() || moves.is_empty() {
            let mut seats: Vec<Seat> = moves.iter().map(|made| made.seat).collect();
            seats.sort_unstable();
            let sentence = format!("moves of seats {seats:?} were handed in where {:?} are asked", self.asked);
            return Err(Fault::new(FaultKind::Misuse, Call::Step, sentence));
        }
        let bytes_max = self.limits().text_bytes_max;
        if let Some(long) = moves.iter().find(|made| made.text.len() > bytes_max) {
            let sentence = format!("the move of seat {} is longer than {bytes_max} bytes", long.seat);
            return Err(Fault::new(FaultKind::Misuse, Call::Step, sentence));
        }
        Ok(())
    }
}

/// `random` serves what a language's own run time draws while it sets itself up.
fn instantiate(component: &Component, random: Stream) -> Result<Live, Fault> {
    let mut store = component.engine().store().map_err(|error| trap::fault_of_known_component(&error))?;
    store.data_mut().setup_random = Some(random);
    match component.linked().instantiate(&mut store) {
        Ok(game) => {
            store.data_mut().setup_random = None;
            Ok(Live { store, game })
        }
        Err(error) => Err(trap::fault_of_known_component(&error).with_printed(&store.data().wasi.printed())),
    }
}
