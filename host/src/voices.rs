//! Where replies come from.
//!
//! A sandboxed player is asked here and now, with a random stream of its own. An external player is waited for. In a
//! replay everybody speaks from the record instead; also the calls that misbehaved are made again, since they were made
//! for a player and would not come by themselves.

use crate::fault::{Call, Fault};
use crate::player::{Player, random_move};
use crate::search::{self, Budget, Rules};
use crate::seat::SeatState;
use crate::stream::{Part, Stream};
use crate::table::{Context, End, Table, faulty};
use crate::task::{OpponentStream, Stage};
use crate::turn::Setup;

/// What came from outside in a recorded episode, in its order.
#[derive(Clone, Debug)]
pub(crate) enum Recorded {
    Reply {
        seat: u32,
        text: String,
    },
    /// A call that changes nothing, and during which the game misbehaved.
    Fault {
        call: Call,
        seat: Option<u32>,
        player: Option<String>,
    },
    Truncated,
    /// The calls of the episode had computed too much by then.
    OutOfFuel,
}

impl Table {
    /// Gets the replies that are still missing. `Ok(false)`: not all are there.
    pub fn collect(&mut self, context: &mut Context<'_>) -> Result<bool, End> {
        let mut all_there = true;
        for seat in self.seats_where(SeatState::is_unanswered) {
            let substituted = self.is_substituted(context.task, &self.seats[seat as usize]);
            let reply = if context.recorded.is_some() {
                match self.recorded_reply(context, seat)? {
                    Some(reply) => reply,
                    None => return Ok(false),
                }
            } else if substituted || !self.seats[seat as usize].player.is_external() {
                self.sandboxed_reply(context, seat, substituted)?
            } else {
                all_there = false;
                continue;
            };
            self.seats[seat as usize].reply = Some(reply);
        }
        Ok(all_there)
    }

    fn sandboxed_reply(&mut self, context: &mut Context<'_>, seat: u32, substituted: bool) -> Result<String, End> {
        let stage = &context.task.stages()[self.stage];
        let house_players = &stage.component.manifest.house_players;
        let state = &self.seats[seat as usize];
        let asked_before = state.times_asked - 1;
        let player = match &stage.fallback {
            _ if !substituted => state.player.clone(),
            fallback if state.failed == stage.attempts => fallback.clone(),
            _ => Player::Random,
        };
        let purpose = if substituted { "substitute" } else { kind(&player) };
        let random = player_stream(context, self.stage, seat, asked_before, purpose);
        let reply = match player {
            Player::Search(playouts) => self.searched_move(stage, seat, playouts, random),
            _ => player.sandboxed_move(&mut self.instance, house_players, seat, asked_before, random),
        };
        reply.map_err(|fault| {
            let house_player = match (&player, fault.call) {
                (Player::House(name), Call::HouseMove) => Some(name.clone()),
                (_, Call::HouseMove) => Some("random".to_string()),
                _ => None,
            };
            faulty(context, fault, Some(seat), house_player)
        })
    }

    /// The move of a player that searches. Of the game at this table it is told no more than its own legal moves.
    fn searched_move(&mut self, stage: &Stage, seat: u32, playouts: u32, random: Stream) -> Result<String, Fault> {
        let moves = self.instance.legal_moves(seat)?;
        let (Some(moves), Some(memory)) = (moves, &mut self.seats[seat as usize].memory) else {
            return random_move(&mut self.instance, &stage.component.manifest.house_players, seat, random);
        };
        let setup = Setup { seats: stage.seats, options: stage.options.clone() };
        let budget = Budget::new(stage.component.limits());
        let rules = Rules { component: &stage.component, setup: &setup, seat, budget };
        search::best_move(&rules, memory, moves, playouts, random)
    }

    /// What the record holds for this seat, if that is what it holds next.
    fn recorded_reply(&mut self, context: &mut Context<'_>, seat: u32) -> Result<Option<String>, End> {
        let Some(queue) = context.recorded.as_deref_mut() else { return Ok(None) };
        match queue.front() {
            Some(Recorded::Reply { seat: recorded, .. }) if *recorded == seat => {
                let Some(Recorded::Reply { text, .. }) = queue.pop_front() else { return Ok(None) };
                Ok(Some(text))
            }
            Some(Recorded::Truncated) => {
                queue.pop_front();
                Err(self.truncate(context))
            }
            Some(Recorded::OutOfFuel) => {
                queue.pop_front();
                Err(self.out_of_fuel(context))
            }
            Some(Recorded::Fault { .. }) => {
                let Some(Recorded::Fault { call, seat, player }) = queue.pop_front() else { return Ok(None) };
                self.repeat_faulty_call(context, call, seat, player)?;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Makes the call again during which the game misbehaved. Where it does not do so now, the replay differs.
    fn repeat_faulty_call(
        &mut self,
        context: &mut Context<'_>,
        call: Call,
        seat: Option<u32>,
        player: Option<String>,
    ) -> Result<(), End> {
        let at_the_table = seat.is_none_or(|seat| (seat as usize) < self.seats.len());
        let outcome = match (call, seat) {
            (_, _) if !at_the_table => Ok(()),
            (Call::View, viewer) => self.instance.view(viewer).map(drop),
            (Call::LegalMoves, Some(seat)) => self.instance.legal_moves(seat).map(drop),
            (Call::HouseMove, Some(seat)) => {
                let name = player.clone().unwrap_or_default();
                let state = &self.seats[seat as usize];
                let purpose = match &state.player {
                    _ if self.is_substituted(context.task, state) => "substitute",
                    player => kind(player),
                };
                let random = player_stream(context, self.stage, seat, state.times_asked.saturating_sub(1), purpose);
                self.instance.house_move(seat, &name, random).map(drop)
            }
            _ => Ok(()),
        };
        outcome.map_err(|fault| faulty(context, fault, seat, player))
    }
}

/// The word for a player in `reply` lines and in the paths of random streams.
pub(crate) fn kind(player: &Player) -> &'static str {
    match player {
        Player::Learner => "learner",
        Player::Person => "person",
        Player::Endpoint(_) => "endpoint",
        Player::Model(_) => "model",
        Player::Random => "random",
        Player::House(_) => "house",
        Player::Script(_) => "script",
        Player::Search(_) => "search",
    }
}

/// What a sandboxed player draws from. The same history gives the same reply, in every member of a group or, where the
/// task says so, in each for itself.
fn player_stream(context: &Context<'_>, stage: usize, seat: u32, asked_before: u32, purpose: &'static str) -> Stream {
    let mut path: Vec<Part<'_>> =
        vec!["stage".into(), stage.into(), "seat".into(), seat.into(), asked_before.into(), purpose.into()];
    if context.task.spec().opponent_stream == OpponentStream::Episode {
        path.extend([Part::Word("member"), Part::Number(u64::from(context.member))]);
    }
    Stream::derive(context.seed, &path)
}
