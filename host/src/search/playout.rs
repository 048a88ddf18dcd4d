//! Playing a world to its end, and what is learned from it.
//!
//! ```text
//! lead a fresh copy to the present
//! while every seat that is asked has a bandit in its situation: each makes the move that its bandit chooses
//! give a bandit to those that have none, let it choose, and from there on let everybody make random legal moves
//! each bandit that chose learns its own seat's score
//! ```

use std::collections::BTreeMap;

use super::Rules;
use super::bandit::Bandit;
use super::world::{Copy, Lost, World};
use crate::fault::Fault;
use crate::hash::Hash;
use crate::stream::Stream;
use crate::turn::Move;

/// A playout that takes longer counts as a draw: it says nothing of the moves before.
const STEPS_MAX: u32 = 2_000;

/// A situation: of whom, and what that seat was told and has said.
type Situation = (u32, Hash);

pub(super) struct Tree<'a> {
    rules: &'a Rules<'a>,
    /// The searcher's own decision.
    root: Bandit,
    bandits: BTreeMap<Situation, Bandit>,
}

/// Who has chosen what on the way.
enum Choice {
    AtRoot(usize),
    At(Situation, usize),
}

impl<'a> Tree<'a> {
    pub fn new(rules: &'a Rules<'a>, moves: &[String]) -> Tree<'a> {
        Tree { rules, root: Bandit::new(moves), bandits: BTreeMap::new() }
    }

    /// The move that the playouts speak for.
    pub fn best(&self) -> Option<String> {
        self.root.best().map(str::to_string)
    }

    /// One playout of this world.
    ///
    /// # Errors
    /// Where the host has no memory for it.
    pub fn play(&mut self, world: &World, random: &mut Stream) -> Result<(), Fault> {
        match self.run(world, random) {
            Ok(()) | Err(Lost::Copy) => Ok(()),
            Err(Lost::Host(fault)) => Err(fault),
        }
    }

    fn run(&mut self, world: &World, random: &mut Stream) -> Result<(), Lost> {
        let mut copy = Copy::lead(self.rules, world)?;
        let mut choices: Vec<(u32, Choice)> = Vec::new();
        let mut in_tree = true;
        for steps in 0..STEPS_MAX {
            let seats: Vec<u32> = copy.requests().iter().map(|request| request.seat).collect();
            if seats.is_empty() {
                break;
            }
            let mut moves = Vec::new();
            let mut goes_on = true;
            for seat in seats {
                let text = if steps == 0 && seat == self.rules.seat {
                    let arm = self.root.choose(random).ok_or(Lost::Copy)?;
                    choices.push((seat, Choice::AtRoot(arm)));
                    self.root.text(arm).to_string()
                } else if in_tree {
                    let (text, was_known) = self.choose(&mut copy, seat, &mut choices, random)?;
                    goes_on &= was_known;
                    text
                } else {
                    copy.random_move(seat, random)?
                };
                moves.push(Move { seat, text });
            }
            in_tree &= goes_on;
            copy.step(&moves, random.next_u64())?;
        }
        for (seat, choice) in choices {
            let score = copy.outcome().map_or(0.5, |outcome| outcome.scores[seat as usize]);
            match choice {
                Choice::AtRoot(arm) => self.root.learn(arm, score),
                Choice::At(situation, arm) => {
                    if let Some(bandit) = self.bandits.get_mut(&situation) {
                        bandit.learn(arm, score);
                    }
                }
            }
        }
        Ok(())
    }

    /// A seat's move by its bandit, and whether that was there before. Where any text may be a move there is no bandit.
    fn choose(
        &mut self,
        copy: &mut Copy<'_>,
        seat: u32,
        choices: &mut Vec<(u32, Choice)>,
        random: &mut Stream,
    ) -> Result<(String, bool), Lost> {
        let situation = (seat, copy.situation(seat));
        let was_known = self.bandits.contains_key(&situation);
        if !was_known {
            let Some(moves) = copy.instance.legal_moves(seat)? else {
                return Ok((copy.random_move(seat, random)?, true));
            };
            let bandit = Bandit::new(&moves);
            self.rules.budget.spend_bytes(bandit.bytes());
            self.bandits.insert(situation, bandit);
        }
        let bandit = &self.bandits[&situation];
        let arm = bandit.choose(random).ok_or(Lost::Copy)?;
        choices.push((seat, Choice::At(situation, arm)));
        Ok((bandit.text(arm).to_string(), was_known))
    }
}
