//! A line of play, and an instance that follows it.

use crate::fault::{Fault, FaultKind};
use crate::hash::Hash;
use crate::instance::Instance;
use crate::player::random_move;
use crate::search::Rules;
use crate::stream::Stream;
use crate::turn::{Move, Outcome, Request, Turn};

/// A line of play: the luck of each call, and the moves of each step. Neither is that of the episode.
#[derive(Clone, Default)]
pub(super) struct World {
    /// The seed of each call's stream; `start` is the first.
    pub luck: Vec<u64>,
    /// One a step, each with a move of every seat that is asked.
    pub moves: Vec<Vec<Move>>,
}

/// A fresh instance of the game in some position.
pub(super) struct Copy<'a> {
    rules: &'a Rules<'a>,
    pub instance: Instance,
    pub turn: Turn,
    /// For each seat, what it was told and has said so far.
    situations: Vec<blake3::Hasher>,
}

/// What a copy cannot go on for.
pub(super) enum Lost {
    /// The game misbehaves in it, or does not take a move, or has taken too much.
    Copy,
    /// The host has no memory for it.
    Host(Fault),
}

impl From<Fault> for Lost {
    fn from(fault: Fault) -> Lost {
        if fault.kind == FaultKind::HostFailed { Lost::Host(fault) } else { Lost::Copy }
    }
}

impl<'a> Copy<'a> {
    /// Deals the game.
    pub fn deal(rules: &'a Rules<'a>, luck: u64) -> Result<Copy<'a>, Lost> {
        let started = Instance::start(rules.component, rules.setup, stream(luck));
        let (instance, turn) = started.inspect_err(|_| {
            // Whatever it has spent is gone with it.
            rules.budget.spend_fuel(rules.component.limits().fuel_per_call);
        })?;
        let situations = vec![blake3::Hasher::new(); rules.setup.seats as usize];
        let mut copy = Copy { rules, instance, turn, situations };
        copy.note_prompts();
        Ok(copy)
    }

    /// Deals the game and leads it along a world.
    pub fn lead(rules: &'a Rules<'a>, world: &World) -> Result<Copy<'a>, Lost> {
        let mut luck = world.luck.iter();
        let mut copy = Copy::deal(rules, *luck.next().ok_or(Lost::Copy)?)?;
        for (moves, luck) in world.moves.iter().zip(luck) {
            copy.step(moves, *luck)?;
        }
        Ok(copy)
    }

    /// Who is asked what; nobody where the game is over.
    pub fn requests(&self) -> &[Request] {
        match &self.turn {
            Turn::Decide(requests) => requests,
            Turn::Over(_) => &[],
        }
    }

    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.turn {
            Turn::Over(outcome) => Some(outcome),
            Turn::Decide(_) => None,
        }
    }

    /// One move of each seat that is asked. A refused one ends the copy: nobody here plays on purpose what is not legal.
    pub fn step(&mut self, moves: &[Move], luck: u64) -> Result<(), Lost> {
        if self.rules.budget.is_spent_with(self.instance.fuel_spent()) {
            return Err(Lost::Copy);
        }
        let progress = self.instance.step(moves, stream(luck))?;
        if !progress.rejections.is_empty() {
            return Err(Lost::Copy);
        }
        for made in moves {
            note(&mut self.situations[made.seat as usize], &made.text);
        }
        self.turn = progress.turn;
        self.note_prompts();
        Ok(())
    }

    /// A random legal move of a seat that is asked.
    pub fn random_move(&mut self, seat: u32, luck: &mut Stream) -> Result<String, Lost> {
        let house_players = &self.rules.component.manifest.house_players;
        Ok(random_move(&mut self.instance, house_players, seat, stream(luck.next_u64()))?)
    }

    /// What tells the situation of a seat apart from others of its own.
    pub fn situation(&self, seat: u32) -> Hash {
        Hash::from_bytes(*self.situations[seat as usize].finalize().as_bytes())
    }

    fn note_prompts(&mut self) {
        let Turn::Decide(requests) = &self.turn else { return };
        for request in requests {
            note(&mut self.situations[request.seat as usize], &request.prompt);
        }
    }
}

impl Drop for Copy<'_> {
    fn drop(&mut self) {
        self.rules.budget.spend_fuel(self.instance.fuel_spent());
    }
}

fn note(situation: &mut blake3::Hasher, text: &str) {
    situation.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
}

fn stream(luck: u64) -> Stream {
    Stream::derive(luck, &["search".into()])
}
