//! An episode that is being played, and those who are spoken with in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ludus_host::endpoint;
use ludus_host::episode::{Decision, Episode, Failed, Finished};
use ludus_host::fault::HostFailure;
use ludus_host::player::Player;
use ludus_host::reply::ReplyFormat;
use ludus_host::result::Ended;
use ludus_host::task::{Penalties, TaskSpec};

use super::trajectory::{FurtherSeat, Trajectory, Transcript};
use super::{AskedTask, Job, ReplyShape};
use crate::chat::{Chat, ChatError};
use crate::generate::{Reply, Row};

/// An episode that is being played.
pub(super) struct Playing {
    pub index: usize,
    pub job: Job,
    pub episode: Episode,
    /// With the learner, who has one conversation through all stages in its own seat.
    pub own: Conversation,
    /// With whoever else a network speaks for, the learner in further seats included: one for each stage and seat.
    pub others: BTreeMap<FurtherSeat, Conversation>,
}

/// What a network and one seat have said to each other.
#[derive(Default)]
pub(super) struct Conversation {
    /// The network that speaks, and its row in that network's session; none before its first turn.
    pub row: Option<(usize, Row)>,
    /// Whether a reply is waited for.
    pub is_asked: bool,
    pub transcript: Transcript,
    /// Whether the last reply ended its turn itself; none before the first.
    ended: Option<bool>,
    /// The next text for the network, where it was made already.
    pub next: Vec<i64>,
    /// What the next reply looks like.
    pub shape: ReplyShape,
    is_learner: bool,
    /// What was said, where an endpoint speaks.
    pub spoken: endpoint::Conversation,
}

impl Playing {
    pub fn begin(index: usize, job: Job, task: &AskedTask) -> Playing {
        let episode = Episode::new(Arc::clone(&task.task), job.seed, job.member);
        let own = Conversation { is_learner: true, ..Conversation::default() };
        Playing { index, job, episode, own, others: BTreeMap::new() }
    }

    /// The conversation that a decision belongs to; none is the learner's own.
    pub fn side_of(&self, decision: &Decision) -> Option<FurtherSeat> {
        let own = self.episode.task().learner_seat(decision.stage, self.job.seed);
        (decision.seat != own).then_some(FurtherSeat { stage: decision.stage, seat: decision.seat })
    }

    pub fn conversation(&mut self, side: Option<FurtherSeat>) -> &mut Conversation {
        match side {
            None => &mut self.own,
            Some(seat) => self.others.entry(seat).or_default(),
        }
    }

    /// Renders what a decision asks into the tokens that the network has not seen.
    pub fn prepare(&mut self, decision: &Decision, task: &AskedTask, chat: &Chat) -> Result<(), ChatError> {
        let side = self.side_of(decision);
        let conversation = self.conversation(side);
        if conversation.next.is_empty() {
            conversation.is_learner = decision.player == Player::Learner;
            conversation.shape = task.replies[decision.stage].clone();
            let prefix = &conversation.shape.prefix;
            conversation.next = match conversation.ended {
                None => chat.opening(task.system.as_deref(), &task.examples, &decision.prompt, prefix)?,
                Some(ended) => chat.next_turn(ended, &decision.prompt, prefix)?,
            };
        }
        Ok(())
    }

    /// Gives a complete reply to the game that asked for it.
    pub fn hand_in(
        &mut self,
        decision: &Decision,
        reply: &Reply,
        task: &AskedTask,
        chat: &Chat,
        notes_positions: bool,
    ) {
        let side = self.side_of(decision);
        let (stage, seat) = (decision.stage, decision.seat);
        let position = if notes_positions { self.episode.position(seat) } else { None };
        let conversation = self.conversation(side);
        conversation.is_asked = false;
        conversation.transcript.sampled(reply, stage, position);
        // Another end token ends the reply too, but not the turn: the template's own mark is then still missing.
        conversation.ended = Some(reply.tokens.last().copied() == chat.end_of_turn());
        let sampled = chat.decode(&reply.tokens);
        // Tags may begin in the prefix. A bare reply is the move alone, and the prefix only leads up to it.
        let text = match task.format {
            ReplyFormat::Tags => format!("{}{sampled}", conversation.shape.prefix),
            ReplyFormat::Bare => sampled,
        };
        let before = self.episode.failed_replies(stage, seat);
        // A game that failed while it was asked for the position is over.
        if self.episode.pending().iter().any(|pending| pending.seat == seat) {
            self.episode.answer(seat, &text);
        }
        let after = self.episode.failed_replies(stage, seat);
        let cost = cost(task.task.spec(), before, after);
        self.conversation(side).transcript.cost(reply, cost);
    }

    /// Gives the reply of an endpoint to the game that asked for it; what is empty is none.
    pub fn pass_on(&mut self, seat: FurtherSeat, text: &str) {
        let conversation = self.conversation(Some(seat));
        conversation.is_asked = false;
        conversation.spoken.reply(text);
        // The episode may have ended while this seat was asked.
        let is_pending = |decision: &Decision| (decision.stage, decision.seat) == (seat.stage, seat.seat);
        if self.episode.pending().iter().any(is_pending) {
            self.episode.answer(seat.seat, text);
        }
    }

    /// All conversations, the learner's own first.
    pub fn conversations(&mut self) -> impl Iterator<Item = (Option<FurtherSeat>, &mut Conversation)> {
        let others = self.others.iter_mut().map(|(seat, conversation)| (Some(*seat), conversation));
        std::iter::once((None, &mut self.own)).chain(others)
    }

    /// The learner's trajectories: that of its own seat, and one for each further seat in a stage that got to its end.
    pub fn finish(self) -> Result<(Trajectory, Vec<Trajectory>), HostFailure> {
        let Playing { job, episode, own, others, .. } = self;
        let task = Arc::clone(episode.task());
        let name = task.name().to_string();
        let penalties = penalties(task.spec());
        let finished = episode.finish()?;
        let mut further = Vec::new();
        for (seat, conversation) in others {
            // What was cut off or forfeited elsewhere says nothing of this seat.
            let ended_well = finished.result.stages[seat.stage].ended == Ended::Over;
            if conversation.is_learner && !conversation.transcript.truncated && ended_well {
                let result = finished.result.of_further_seat(seat.stage, seat.seat, penalties);
                let finished = Finished { result, ..finished.clone() };
                further.push(conversation.transcript.finish(job, Some(seat), name.clone(), finished));
            }
        }
        Ok((own.transcript.finish(job, None, name, finished), further))
    }
}

/// What replies that failed meanwhile cost. Of a model that does not learn nothing is known once its stage is over.
fn cost(spec: &TaskSpec, before: Failed, after: Failed) -> f64 {
    let malformed = after.malformed.saturating_sub(before.malformed);
    -penalties(spec).apply(0.0, malformed, after.illegal.saturating_sub(before.illegal))
}

fn penalties(spec: &TaskSpec) -> Penalties {
    Penalties { malformed: spec.malformed_penalty, illegal: spec.illegal_penalty }
}
