//! Many episodes at once whose external seats are endpoints.
//!
//! ```text
//! begin episodes until enough are going on ──> ask for every seat that an episode waits for
//!         ^                                              │
//!         └── an episode that is over makes room <── an answer, whichever comes first, goes to its episode
//! ```
//!
//! No episode waits for another one: each goes on with the answer that it needs. An episode without endpoints is over as
//! soon as it is begun, so this drives sandboxed players as well.
//!
//! A failed call is an empty reply of its seat. In the end the stage's fallback player moves there, so the call decides
//! nothing. In the learner's own seats a failed call would be its loss: it is made again a few times, and then the run stops.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::endpoint::{Answer, Calls, Conversation, EndpointConfigs, EndpointError, Reply, Stopped};
use crate::episode::{Decision, Episode, Finished};
use crate::fault::HostFailure;
use crate::player::Player;
use crate::task::Task;

/// How often the learner is asked the same where every call fails, with all its tries.
const LEARNER_CALLS_MAX: u32 = 3;

/// Plays the episodes of `seeds`, as many at once as `at_once` says, and hands each to `done` when it is over, in no order.
/// Where `done` says false, nothing more is begun.
///
/// # Errors
/// Where an endpoint refuses for good or is gone. Episodes that were going on are lost.
///
/// # Panics
/// Where the task seats an external player that is no endpoint of `calls`.
pub fn play(
    task: &Arc<Task>,
    calls: Calls,
    at_once: usize,
    mut seeds: impl Iterator<Item = u64>,
    mut done: impl FnMut(u64, Result<Finished, HostFailure>) -> bool,
) -> Result<(), Stopped> {
    let mut table = Driven { calls, going_on: BTreeMap::new(), asked: BTreeMap::new(), number: 0 };
    let mut goes_on = true;
    loop {
        while goes_on && table.going_on.len() < at_once {
            let Some(seed) = seeds.next() else {
                goes_on = false;
                break;
            };
            if let Some(finished) = table.begin(task, seed) {
                goes_on = done(seed, finished);
            }
        }
        let Some(answer) = table.calls.next(true)? else { return Ok(()) };
        if let Some((seed, finished)) = table.take(answer)? {
            goes_on &= done(seed, finished);
        }
    }
}

/// The names of all endpoints that a task seats.
pub fn endpoints_of(task: &Task) -> BTreeSet<String> {
    let others = task.stages().iter().flat_map(|stage| &stage.others);
    let name = |player: &Player| match player {
        Player::Endpoint(name) => Some(name.clone()),
        _ => None,
    };
    others.chain([task.learner()]).filter_map(name).collect()
}

/// Opens the endpoints that a task seats, and those alone: keys of others are not looked for.
///
/// # Errors
/// Where one is not configured, or its configuration is not in order.
pub fn open_calls(task: &Task, configs: &EndpointConfigs) -> Result<Calls, EndpointError> {
    let mut wanted = EndpointConfigs::new();
    for name in endpoints_of(task) {
        let config = configs.get(&name).ok_or_else(|| EndpointError::Unknown(name.clone()))?;
        wanted.insert(name, config.clone());
    }
    Calls::open(&wanted)
}

/// An episode that is over: its seed, and what is left of it.
type Over = (u64, Result<Finished, HostFailure>);

struct Driven {
    calls: Calls,
    /// By seed.
    going_on: BTreeMap<u64, Going>,
    /// Whose answer a call is waited for.
    asked: BTreeMap<u64, Question>,
    /// Of the next call.
    number: u64,
}

/// An episode that waits for answers.
struct Going {
    episode: Episode,
    /// By stage and seat. The learner's own conversation goes through all stages, and stands under the first.
    conversations: BTreeMap<(usize, Option<u32>), Conversation>,
}

struct Question {
    seed: u64,
    decision: Decision,
    /// Calls for it that failed before this one.
    failed: u32,
}

impl Driven {
    /// Begins an episode. `Some`: it is over already.
    fn begin(&mut self, task: &Arc<Task>, seed: u64) -> Option<Result<Finished, HostFailure>> {
        let episode = Episode::new(Arc::clone(task), seed, 0);
        if episode.is_over() {
            return Some(episode.finish());
        }
        self.going_on.insert(seed, Going { episode, conversations: BTreeMap::new() });
        self.ask_all(seed);
        None
    }

    /// Hands an answer to its episode, and asks on. `Some`: the episode is over.
    fn take(&mut self, answer: Answer) -> Result<Option<Over>, Stopped> {
        let Some(question) = self.asked.remove(&answer.id) else { return Ok(None) };
        let Question { seed, ref decision, failed } = question;
        // An episode may have ended while this seat was asked.
        let Some(going) = self.going_on.get_mut(&seed) else { return Ok(None) };
        let is_learner = going.episode.task().is_learners_seat(decision.stage, decision.seat, seed);
        let text = match answer.reply {
            Reply::Said(text) => text,
            Reply::TooLong(_) if is_learner => {
                going.episode.truncate();
                return Ok(self.finish_if_over(seed));
            }
            Reply::Failed(reason) if is_learner => {
                let failures = failed + 1;
                if failures == LEARNER_CALLS_MAX {
                    return Err(Stopped::Gone { name: decision.player.to_string(), failures, reason });
                }
                self.ask(Question { failed: failures, ..question });
                return Ok(None);
            }
            Reply::TooLong(_) | Reply::Failed(_) => String::new(),
        };
        going.conversation(decision).reply(&text);
        // Seats that move at the same time were all asked together; the last answer of them leads to new questions.
        let is_last = going.episode.pending().len() == 1;
        going.episode.answer(decision.seat, &text);
        if is_last && !going.episode.is_over() {
            self.ask_all(seed);
        }
        Ok(self.finish_if_over(seed))
    }

    fn finish_if_over(&mut self, seed: u64) -> Option<Over> {
        if !self.going_on.get(&seed)?.episode.is_over() {
            return None;
        }
        self.going_on.remove(&seed).map(|going| (seed, going.episode.finish()))
    }

    /// Asks for every seat that the episode waits for.
    fn ask_all(&mut self, seed: u64) {
        let Some(going) = self.going_on.get_mut(&seed) else { return };
        let decisions = going.episode.pending().to_vec();
        for decision in &decisions {
            going.conversation(decision).prompt(&decision.prompt);
        }
        for decision in decisions {
            self.ask(Question { seed, decision, failed: 0 });
        }
    }

    /// Asks with the conversation as it stands.
    fn ask(&mut self, question: Question) {
        let Some(going) = self.going_on.get_mut(&question.seed) else { return };
        let Player::Endpoint(name) = &question.decision.player else {
            panic!("`{}` is no endpoint, and only endpoints can be asked here", question.decision.player);
        };
        self.number += 1;
        self.calls.ask(self.number, name, going.conversation(&question.decision).messages());
        self.asked.insert(self.number, question);
    }
}

impl Going {
    fn conversation(&mut self, decision: &Decision) -> &mut Conversation {
        let own_seat = self.episode.task().learner_seat(decision.stage, self.episode.seed());
        let key = if decision.seat == own_seat { (0, None) } else { (decision.stage, Some(decision.seat)) };
        self.conversations.entry(key).or_default()
    }
}
