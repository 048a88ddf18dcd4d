//! One stage being played: who was asked, what they said, and what the game made of it.
//!
//! A stage goes in rounds. In each, every seat that the game waits for gives one reply; all of them are there before any
//! is looked at, and then they are written down in seat order, so that a record does not depend on who was faster:
//!
//! ```text
//! ask ──> collect (sandboxed players answer, external ones are waited for)
//!  ^         │ all replies are there
//!  │         v
//!  ├── judge: a move is taken from each reply; without one the seat is asked again
//!  │         │ all moves are there
//!  │         v
//!  └── step: the game takes or rejects them, and says who moves next, or that it is over
//! ```
//!
//! The table knows nothing of other stages. When it is done it says how (`End`); the episode draws the conclusions.

use std::collections::VecDeque;

use crate::fault::{Call, Fault, FaultKind, HostFailure};
use crate::instance::Instance;
use crate::journal::Journal;
use crate::notices;
use crate::player::Player;
use crate::record::{Line, Ruling};
use crate::reply::ReplyFormat;
use crate::result::SeatResult;
use crate::seat::SeatState;
use crate::stream::Stream;
use crate::task::{OnIllegal, Stage, Task};
use crate::turn::{Move, Outcome, Setup, Turn};
use crate::voices::{Recorded, kind};

/// How a stage came to its end.
pub(crate) enum End {
    Over(Outcome),
    Forfeited,
    Truncated,
    Fault(Fault),
    /// Says nothing of the game: the episode is given up.
    HostFailed(HostFailure),
}

/// What a table is waiting for.
pub(crate) enum Status {
    /// External players have to answer; in a replay, the record holds no answer.
    Waiting,
    Ended(End),
}

/// What a table gets from its episode.
pub(crate) struct Context<'a> {
    pub task: &'a Task,
    pub seed: u64,
    pub member: u32,
    /// What the stages before this one have computed.
    pub fuel_before: u64,
    pub journal: &'a mut Journal,
    /// In a replay, every player speaks from the record.
    pub recorded: Option<&'a mut VecDeque<Recorded>>,
}

pub(crate) struct Table {
    pub stage: usize,
    pub learner_seat: u32,
    pub seats: Vec<SeatState>,
    pub instance: Instance,
    /// What the game wants next, until it was acted on.
    turn: Option<Turn>,
    steps: u64,
}

impl Table {
    /// Deals a stage. The learner's first prompt will begin with what was carried over from the stage before.
    pub fn deal(context: &mut Context<'_>, stage: usize, carried: Vec<String>) -> Result<Table, End> {
        let written = &context.task.stages()[stage];
        let learner_seat = context.task.learner_seat(stage, context.seed);
        let players = context.task.players(stage, context.seed);
        context.journal.line(Line::Stage {
            stage: stage as u32,
            game: written.component.manifest.name.clone(),
            component: written.component_hash,
            options: context.task.spec().stages[stage].options.clone(),
            seats: written.seats,
            learner_seat,
            players: players.iter().map(Player::to_string).collect(),
        });
        let setup = Setup { seats: written.seats, options: written.options.clone() };
        let random = game_stream(context.seed, stage, 0);
        let (instance, turn) =
            Instance::start(&written.component, &setup, random).map_err(|fault| faulty(context, fault, None, None))?;
        let mut seats: Vec<SeatState> = players.into_iter().map(SeatState::new).collect();
        seats[learner_seat as usize].news = carried;
        let mut table = Table { stage, learner_seat, seats, instance, turn: Some(turn), steps: 0 };
        table.show_view(context)?;
        Ok(table)
    }

    /// Plays until somebody outside has to answer or the stage is over.
    pub fn advance(&mut self, context: &mut Context<'_>) -> Status {
        loop {
            match self.round(context) {
                Ok(true) => {}
                Ok(false) => return Status::Waiting,
                Err(end) => return Status::Ended(end),
            }
        }
    }

    /// The seats that an external player has to answer for now.
    pub fn open_seats(&self, task: &Task) -> Vec<u32> {
        let open = |state: &SeatState| state.player.is_external() && !self.is_substituted(task, state);
        self.seats_where(|state| state.is_unanswered() && open(state))
    }

    /// Takes the reply of an external player.
    pub fn answer(&mut self, seat: u32, reply: &str) {
        self.seats[seat as usize].reply = Some(reply.to_string());
    }

    /// Writes down that the learner ran out of context or tokens.
    pub fn truncate(&mut self, context: &mut Context<'_>) -> End {
        context.journal.line(Line::Truncated);
        End::Truncated
    }

    /// Calls `legal-moves`. A fault in it ends the stage.
    pub fn legal_moves(&mut self, context: &mut Context<'_>, seat: u32) -> Result<Option<Vec<String>>, End> {
        self.instance.legal_moves(seat).map_err(|fault| faulty(context, fault, Some(seat), None))
    }

    /// Calls `view`. A fault in it ends the stage.
    pub fn view(&mut self, context: &mut Context<'_>, viewer: Option<u32>) -> Result<String, End> {
        self.instance.view(viewer).map_err(|fault| faulty(context, fault, viewer, None))
    }

    /// The position of a stage that is over. Nothing that goes wrong here can reach the record any more.
    pub fn last_view(&mut self, viewer: Option<u32>) -> Option<String> {
        self.instance.view(viewer).ok()
    }

    /// What the learner was not told yet.
    pub fn undelivered(&mut self) -> Vec<String> {
        std::mem::take(&mut self.seats[self.learner_seat as usize].news)
    }

    /// Questions that a fallback player answered for others than the learner's own seat.
    pub fn substituted_in_other_seats(&self) -> u32 {
        let others = self.seats.iter().enumerate().filter(|(seat, _)| *seat != self.learner_seat as usize);
        others.map(|(_, state)| state.tally.substituted).sum()
    }

    /// What whoever plays the learner's seat did in others, before scores are known.
    pub fn further_seats(&self, learner: &Player) -> Vec<SeatResult> {
        let is_further = |seat: usize| *learner == Player::Learner && seat != self.learner_seat as usize;
        let seats = self.seats.iter().enumerate().filter(|(seat, state)| is_further(*seat) && state.player == *learner);
        seats
            .map(|(seat, SeatState { tally, .. })| SeatResult {
                seat: seat as u32,
                score: 0.0,
                decisions: tally.decisions,
                moves: tally.moves,
                illegal: tally.illegal,
                malformed: tally.malformed,
                counts: Vec::new(),
            })
            .collect()
    }

    /// One round. `Ok(false)`: somebody has to answer first.
    fn round(&mut self, context: &mut Context<'_>) -> Result<bool, End> {
        match self.turn.take() {
            Some(Turn::Over(outcome)) => return Err(End::Over(outcome)),
            Some(Turn::Decide(requests)) => {
                for request in &requests {
                    self.check_attempts(context, request.seat)?;
                }
                for request in requests {
                    self.ask(context, request.seat, &request.prompt);
                }
            }
            None => {}
        }
        self.check_budgets(context)?;
        if !self.collect(context)? {
            return Ok(false);
        }
        self.judge(context)?;
        if self.seats.iter().all(|state| !state.is_unanswered()) {
            self.step(context)?;
        }
        Ok(true)
    }

    /// Puts a question to a seat, with all that it has to be told before.
    fn ask(&mut self, context: &mut Context<'_>, seat: u32, question: &str) {
        let substituted = self.is_substituted(context.task, &self.seats[seat as usize]);
        let state = &mut self.seats[seat as usize];
        state.asked = true;
        state.times_asked += 1;
        state.tally.decisions += u32::from(state.failed == 0);
        state.tally.substituted += u32::from(substituted);
        // A repeated question says nothing new of the game.
        if let Some(memory) = state.memory.as_mut().filter(|_| state.failed == 0) {
            memory.is_told(question);
        }
        let mut texts: Vec<&str> = state.news.iter().map(String::as_str).collect();
        texts.push(question);
        texts.retain(|text| !text.is_empty());
        let prompt = texts.join("\n");
        context.journal.ask(seat, &prompt);
        if substituted {
            // The seat itself never sees this question, so its next one has to say what happened.
            state.news.push(notices::substituted(&stage(context.task, self.stage).fallback).to_string());
        } else {
            state.news.clear();
        }
        state.prompt = prompt;
    }

    /// Takes the move out of each new reply; a seat whose reply holds none is asked again.
    fn judge(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        let mut malformed = Vec::new();
        for seat in self.seats_where(|state| state.reply.is_some()) {
            let substituted = self.is_substituted(context.task, &self.seats[seat as usize]);
            let state = &mut self.seats[seat as usize];
            let Some(reply) = state.reply.take() else { continue };
            let (by, read) = match &state.player {
                _ if substituted => ("substitute", Ok(reply.clone())),
                player if player.is_model() => (kind(player), context.task.spec().reply.extract(&reply)),
                Player::Person => ("person", ReplyFormat::Bare.extract(&reply)),
                // These give moves, not prose with a move in it.
                player => (kind(player), Ok(reply.clone())),
            };
            context.journal.line(Line::Reply { seat, by: by.to_string(), text: reply });
            match read {
                Ok(choice) => state.choice = Some(choice),
                Err(reason) => {
                    let reason = reason.to_string();
                    context.journal.line(Line::Verdict { seat, verdict: Ruling::Malformed, reason: reason.clone() });
                    state.tally.malformed += 1;
                    state.fail(reason);
                    malformed.push(seat);
                }
            }
        }
        for seat in &malformed {
            self.check_attempts(context, *seat)?;
        }
        for seat in malformed {
            self.ask(context, seat, "");
        }
        Ok(())
    }

    /// Hands all moves to the game at once.
    fn step(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        let mut moves = Vec::new();
        for (seat, state) in self.seats.iter_mut().enumerate() {
            if let Some(text) = state.choice.take() {
                state.asked = false;
                moves.push(Move { seat: seat as u32, text });
            }
        }
        self.steps += 1;
        let random = game_stream(context.seed, self.stage, self.steps);
        let progress = self.instance.step(&moves, random).map_err(|fault| faulty(context, fault, None, None))?;
        for Move { seat, text } in moves {
            let state = &mut self.seats[seat as usize];
            let rejection = progress.rejections.iter().find(|rejection| rejection.seat == seat);
            let (verdict, reason) = match rejection {
                Some(rejection) => {
                    state.tally.illegal += 1;
                    state.fail(rejection.reason.clone());
                    (Ruling::Illegal, rejection.reason.clone())
                }
                None => {
                    state.tally.moves += 1;
                    state.failed = 0;
                    if let Some(memory) = &mut state.memory {
                        memory.has_said(&text);
                    }
                    (Ruling::Taken, String::new())
                }
            };
            context.journal.line(Line::Verdict { seat, verdict, reason });
        }
        self.turn = Some(progress.turn);
        self.show_view(context)
    }

    /// Whether the host moves in this seat's place: its attempts are used up, and yet the game goes on.
    pub fn is_substituted(&self, task: &Task, state: &SeatState) -> bool {
        state.player != Player::Person && state.failed >= stage(task, self.stage).attempts
    }

    /// Ends the stage where a seat has used up its attempts and no substitute can help.
    ///
    /// Only the learner can lose a game in this way, and only in its own seat. An opponent that fails is replaced for that move:
    /// its failure must never decide a game. Where even a random legal move is refused, the game contradicts itself.
    fn check_attempts(&self, context: &mut Context<'_>, seat: u32) -> Result<(), End> {
        let state = &self.seats[seat as usize];
        if !self.is_substituted(context.task, state) {
            return Ok(());
        }
        let written = stage(context.task, self.stage);
        // A house player that fails as a substitute is replaced in its turn.
        let substitutes = if written.fallback == Player::Random { 1 } else { 2 };
        let substitute_failed = state.failed >= written.attempts + substitutes;
        if seat == self.learner_seat {
            let forfeits = written.on_illegal == OnIllegal::Forfeit || substitute_failed;
            return if forfeits { Err(End::Forfeited) } else { Ok(()) };
        }
        if substitute_failed {
            let detail = format!("it took no move of seat {seat}, not even one drawn from its own list");
            let fault = Fault::new(FaultKind::BadLegalMoves, Call::LegalMoves, detail);
            return Err(faulty(context, fault, Some(seat), None));
        }
        Ok(())
    }

    /// Ends the stage where the episode has become too large, or has taken too long. Each call has bounds of its own; these
    /// are for a game that stays below them for ever.
    fn check_budgets(&self, context: &mut Context<'_>) -> Result<(), End> {
        let limits = self.instance.limits();
        if context.journal.bytes() > limits.episode_bytes_max {
            let detail = format!("its episode has more than {} bytes of record and prompts", limits.episode_bytes_max);
            return Err(faulty(context, Fault::new(FaultKind::EpisodeTooLarge, Call::Step, detail), None, None));
        }
        // A replay makes fewer calls, since nobody has to be asked: there the record says when the fuel was spent.
        let is_replay = context.recorded.is_some();
        if !is_replay && context.fuel_before.saturating_add(self.instance.fuel_spent()) > limits.fuel_per_episode {
            return Err(self.out_of_fuel(context));
        }
        Ok(())
    }

    /// Writes down that the calls of this episode have computed too much.
    pub fn out_of_fuel(&self, context: &mut Context<'_>) -> End {
        let fuel = self.instance.limits().fuel_per_episode;
        let detail = format!("all calls of the episode together used more than {fuel} units of fuel");
        faulty(context, Fault::new(FaultKind::EpisodeOutOfFuel, Call::Step, detail), None, None)
    }

    fn show_view(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        if !context.journal.wants_views(self.instance.limits().fuel_per_episode) {
            return Ok(());
        }
        let fuel_before = self.instance.fuel_spent();
        match self.instance.view(None) {
            Ok(view) => context.journal.view(view, self.instance.fuel_spent() - fuel_before),
            Err(fault) if fault.kind == FaultKind::HostFailed => {
                return Err(End::HostFailed(HostFailure::from(&fault)));
            }
            // What a record does not hold, a transcript does not either.
            Err(_) => {}
        }
        Ok(())
    }

    pub fn seats_where(&self, holds: impl Fn(&SeatState) -> bool) -> Vec<u32> {
        let seats = self.seats.iter().enumerate().filter(|(_, state)| holds(state));
        seats.map(|(seat, _)| seat as u32).collect()
    }
}

fn stage(task: &Task, stage: usize) -> &Stage {
    &task.stages()[stage]
}

/// What the game draws from in its call number `call`; `start` is number 0.
fn game_stream(seed: u64, stage: usize, call: u64) -> Stream {
    Stream::derive(seed, &["stage".into(), stage.into(), "game".into(), call.into()])
}

/// Writes a fault down; it is how the stage ends. What is none of the game's doing is not written.
pub(crate) fn faulty(context: &mut Context<'_>, fault: Fault, seat: Option<u32>, player: Option<String>) -> End {
    if fault.kind == FaultKind::HostFailed {
        return End::HostFailed(HostFailure::from(&fault));
    }
    context.journal.line(Line::Fault { kind: fault.kind, call: fault.call, seat, player });
    End::Fault(fault)
}
