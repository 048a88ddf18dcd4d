//! Asking a game, before anything is played, whether it takes what a task asks of it.
//!
//! A schema cannot say everything: that 3.0 is no number of rows, or that `fallible:7` is no probability, only the game
//! knows. So each stage is dealt once, and each house player is asked for one move. What a game *refuses* is refused here,
//! in its own words. What else it does wrong is no business of a rehearsal: that is a fault, and belongs into a record.

use crate::fault::{Fault, FaultKind};
use crate::instance::Instance;
use crate::player::Player;
use crate::stream::Stream;
use crate::task::Task;
use crate::turn::{Setup, Turn};

/// The deal of a rehearsal.
const SEED: u64 = 0;

/// Rehearses one stage.
///
/// # Errors
/// A sentence with the game's own words where it refuses the options or a house player.
pub(crate) fn rehearse(task: &Task, stage: usize) -> Result<(), String> {
    let mut players = task.players(stage, SEED);
    players.push(task.stages()[stage].fallback.clone());
    let mut heard: Vec<&str> = Vec::new();
    start(task, stage)?;
    for (seat, player) in players.iter().enumerate() {
        let Player::House(name) = player else { continue };
        if heard.contains(&name.as_str()) {
            continue;
        }
        heard.push(name);
        // A refusal ends an instance, so each player gets one of its own.
        let Some((mut instance, asked)) = start(task, stage)? else { continue };
        // Where its own seat does not move first, it is asked as if it sat where somebody does.
        let seat = if asked.contains(&(seat as u32)) { Some(seat as u32) } else { asked.first().copied() };
        let Some(seat) = seat else { continue };
        refusal(instance.house_move(seat, name, random("player")), FaultKind::BadHousePlayer)?;
    }
    Ok(())
}

/// Deals the stage; nothing where the game misbehaves. With the instance come the seats that move first.
fn start(task: &Task, stage: usize) -> Result<Option<(Instance, Vec<u32>)>, String> {
    let stage = &task.stages()[stage];
    let setup = Setup { seats: stage.seats, options: stage.options.clone() };
    let begun = refusal(Instance::start(&stage.component, &setup, random("game")), FaultKind::SetupRefused)?;
    Ok(begun.map(|(instance, turn)| match turn {
        Turn::Decide(requests) => (instance, requests.iter().map(|request| request.seat).collect()),
        Turn::Over(_) => (instance, Vec::new()),
    }))
}

/// An error where the game said no in this way; nothing for every other fault.
fn refusal<T>(outcome: Result<T, Fault>, kind: FaultKind) -> Result<Option<T>, String> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(fault) if fault.kind == kind => Err(format!("the game refuses it: {}", fault.detail)),
        Err(_) => Ok(None),
    }
}

fn random(purpose: &'static str) -> Stream {
    Stream::derive(SEED, &["rehearsal".into(), purpose.into()])
}
