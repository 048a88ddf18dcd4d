//! Finding worlds in which a seat would have been told what it was told.
//!
//! ```text
//! deal with luck of its own                                     until the seat is told the first thing as it was
//! for each decision of the seat that is past:
//!     let the seat say what it said, and try the moves of others    until it is told the next thing as it was
//! ```
//!
//! All moves of others since the last decision are tried, in all combinations. Where one alone leads to what the seat was told
//! it is known from then on, as in a game in which all moves are made in public; else one of those that do is drawn. Luck is
//! drawn again where nothing fits, and after a few times the world is given up for a new deal.
//!
//! Later luck and moves do not weigh earlier ones, so a world that is found is possible, but not always as likely as it seems.

use super::world::{Copy, Lost, World};
use super::{Memory, Rules};
use crate::fault::Fault;
use crate::stream::Stream;
use crate::turn::Move;

/// So many instances may be begun for one decision before its playouts.
const TRIES_MAX: u32 = 2_000;

/// So many combinations of moves are tried with the same luck.
const COMBINATIONS_MAX: u32 = 500;

/// How often luck is drawn again between two decisions.
const DRAWS_MAX: u32 = 16;

/// So many texts are taken out of a prompt where any text may be a move.
const TEXTS_MAX: usize = 40;

pub(super) struct Guesser<'a> {
    rules: &'a Rules<'a>,
    memory: &'a mut Memory,
    random: &'a mut Stream,
    tries: u32,
}

/// A world up to some decision, and the moves of others since the one before.
struct Longer {
    world: World,
    others: Vec<String>,
}

impl<'a> Guesser<'a> {
    pub fn new(rules: &'a Rules<'a>, memory: &'a mut Memory, random: &'a mut Stream) -> Guesser<'a> {
        Guesser { rules, memory, random, tries: 0 }
    }

    /// Up to so many worlds that lead to the present decision.
    ///
    /// # Errors
    /// Where the host has no memory for them.
    pub fn worlds(mut self, wanted: usize) -> Result<Vec<World>, Fault> {
        let mut worlds = Vec::new();
        while worlds.len() < wanted && !self.is_enough() {
            worlds.extend(self.world()?);
        }
        Ok(worlds)
    }

    /// Whether no more is tried.
    fn is_enough(&self) -> bool {
        self.tries >= TRIES_MAX || self.rules.budget.is_spent()
    }

    fn world(&mut self) -> Result<Option<World>, Fault> {
        let mut world = World::default();
        for part in 0..self.memory.told.len() {
            // A deal of its own, or else the same one with other luck after it.
            let draws = if part == 0 { 1 } else { DRAWS_MAX };
            let mut longer = None;
            for _ in 0..draws {
                longer = self.go_on(&world, part)?;
                if longer.is_some() || self.is_enough() {
                    break;
                }
            }
            match longer {
                Some(longer) => world = longer,
                None => return Ok(None),
            }
        }
        Ok(Some(world))
    }

    /// Leads a world on to decision `part`, with new luck.
    fn go_on(&mut self, world: &World, part: usize) -> Result<Option<World>, Fault> {
        let luck = self.random.next_u64();
        if let Some(Some(known)) = self.memory.worked_out.get(part).cloned() {
            let mut choices = Choices { given: Some(known), ..Choices::default() };
            return Ok(self.follow(world, part, luck, &mut choices)?.map(|longer| longer.world));
        }
        let mut fitting = Vec::new();
        let mut choices = Choices::default();
        let mut all_were_tried = false;
        for _ in 0..COMBINATIONS_MAX {
            fitting.extend(self.follow(world, part, luck, &mut choices)?);
            all_were_tried = !choices.advance();
            if all_were_tried || self.is_enough() {
                break;
            }
        }
        if self.memory.worked_out.len() == part && !fitting.is_empty() {
            let alone = (all_were_tried && fitting.len() == 1).then(|| fitting[0].others.clone());
            self.memory.worked_out.push(alone);
        }
        if fitting.is_empty() {
            return Ok(None);
        }
        let drawn = self.random.below(fitting.len() as u32) as usize;
        Ok(Some(fitting.swap_remove(drawn).world))
    }

    /// Plays from decision `part - 1` to decision `part`. `None` where the seat is told something else there.
    fn follow(
        &mut self,
        world: &World,
        part: usize,
        luck: u64,
        choices: &mut Choices,
    ) -> Result<Option<Longer>, Fault> {
        self.tries += 1;
        match self.run(world, part, luck, choices) {
            Ok(longer) => Ok(longer),
            Err(Lost::Copy) => Ok(None),
            Err(Lost::Host(fault)) => Err(fault),
        }
    }

    fn run(&self, world: &World, part: usize, luck: u64, choices: &mut Choices) -> Result<Option<Longer>, Lost> {
        let own_seat = self.rules.seat;
        let mut luck = Stream::derive(luck, &["guess".into()]);
        let mut longer = Longer { world: world.clone(), others: Vec::new() };
        let budget = &self.rules.budget;
        budget.spend_bytes(longer.world.moves.iter().map(|moves| bytes_of(moves)).sum());
        let mut own_move = None;
        if part == 0 {
            longer.world.luck.push(luck.next_u64());
        } else {
            own_move = Some(self.memory.said[part - 1].clone());
        }
        let mut copy = Copy::lead(self.rules, &longer.world)?;
        choices.begin();
        loop {
            if own_move.is_none()
                && let Some(request) = copy.requests().iter().find(|request| request.seat == own_seat)
            {
                let is_the_same = request.prompt == self.memory.told[part];
                return Ok(is_the_same.then_some(longer));
            }
            let seats: Vec<u32> = copy.requests().iter().map(|request| request.seat).collect();
            let mut moves = Vec::new();
            for seat in seats {
                let text = if seat == own_seat {
                    own_move.take().ok_or(Lost::Copy)?
                } else {
                    let listed = || -> Result<Vec<String>, Lost> {
                        Ok(copy.instance.legal_moves(seat)?.unwrap_or_else(|| texts_in(&self.memory.told[part])))
                    };
                    let text = choices.next(listed)?.ok_or(Lost::Copy)?;
                    longer.others.push(text.clone());
                    text
                };
                moves.push(Move { seat, text });
            }
            // Nobody is asked any more.
            if moves.is_empty() {
                return Ok(None);
            }
            let luck = luck.next_u64();
            copy.step(&moves, luck)?;
            longer.world.luck.push(luck);
            budget.spend_bytes(bytes_of(&moves));
            longer.world.moves.push(moves);
        }
    }
}

/// About what the moves of one step take in memory.
fn bytes_of(moves: &[Move]) -> usize {
    moves.iter().map(|made| made.text.len() + size_of::<Move>()).sum()
}

/// The moves of others on one way, and the way to the next combination of them.
#[derive(Default)]
struct Choices {
    /// Where they are known: these, in this order.
    given: Option<Vec<String>>,
    /// The number of each move among its alternatives, and how many there are.
    path: Vec<(usize, usize)>,
    /// How many of them were made on the present way.
    made: usize,
}

impl Choices {
    fn begin(&mut self) {
        self.made = 0;
    }

    /// The next move; nothing where there are no moves, or no more were given.
    fn next(&mut self, listed: impl FnOnce() -> Result<Vec<String>, Lost>) -> Result<Option<String>, Lost> {
        self.made += 1;
        if let Some(given) = &self.given {
            return Ok(given.get(self.made - 1).cloned());
        }
        let mut moves = listed()?;
        if self.path.len() < self.made {
            self.path.push((0, moves.len()));
        }
        let (chosen, _) = self.path[self.made - 1];
        Ok((chosen < moves.len()).then(|| moves.swap_remove(chosen)))
    }

    /// Goes to the next combination. False where all were tried.
    fn advance(&mut self) -> bool {
        self.path.truncate(self.made);
        while let Some((chosen, of)) = self.path.last_mut() {
            if *chosen + 1 < *of {
                *chosen += 1;
                return true;
            }
            self.path.pop();
        }
        false
    }
}

/// What somebody may have said, going by what the seat was told: its lines, and what stands in them behind a colon or in
/// quotation marks.
fn texts_in(prompt: &str) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for line in prompt.lines().map(str::trim) {
        let behind_colon = line.split_once(": ").map(|(_, text)| text.trim());
        let quoted = line.split_once('"').and_then(|(_, rest)| rest.rsplit_once('"')).map(|(text, _)| text);
        for text in [quoted, behind_colon, Some(line)].into_iter().flatten() {
            if !text.is_empty() && texts.len() < TEXTS_MAX && texts.iter().all(|other| other != text) {
                texts.push(text.to_string());
            }
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_comes_once_where_later_moves_depend_on_earlier_ones() {
        let mut choices = Choices::default();
        let mut ways = Vec::new();
        loop {
            choices.begin();
            let mut pick = |moves: &[&str]| {
                let listed = || Ok(moves.iter().map(ToString::to_string).collect());
                choices.next(listed).unwrap_or_default().unwrap_or_default()
            };
            let first = pick(&["a", "b", "c"]);
            let second = match first.as_str() {
                "a" => pick(&["x", "y"]),
                "b" => pick(&[]),
                _ => String::new(),
            };
            ways.push(first + &second);
            if !choices.advance() {
                break;
            }
        }
        assert_eq!(ways, ["ax", "ay", "b", "c"]);
    }

    #[test]
    fn texts_are_found_behind_colons_and_in_quotation_marks() {
        let texts = texts_in("Player 2: It is round.\nShe says \"two \"big\" ones\"\n\nYour move?");
        assert_eq!(
            texts,
            [
                "It is round.",
                "Player 2: It is round.",
                "two \"big\" ones",
                "She says \"two \"big\" ones\"",
                "Your move?"
            ]
        );
    }
}
