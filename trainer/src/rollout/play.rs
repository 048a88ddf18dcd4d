//! Driving many episodes at once: who comes in, who is asked, and where replies go.

use std::collections::BTreeMap;

use ludus_host::endpoint::{self, Answer, Calls};
use ludus_host::episode::Decision;
use ludus_host::player::Player;
use ludus_host::stream::{Part, Stream};

use super::playing::{Conversation, Playing};
use super::trajectory::{FurtherSeat, Trajectory};
use super::{Job, Network, Rollout, RolloutError};
use crate::generate::{Reply, Row, Session};

/// The episodes of a rollout while they are played.
pub(super) struct Play<'r> {
    rollout: &'r Rollout<'r>,
    jobs: &'r [Job],
    /// One for each network; the learner's is the first.
    sessions: Vec<Session<'r>>,
    playing: BTreeMap<usize, Playing>,
    /// Whose reply a row is computing: the episode, and the seat where it is not the learner's own.
    asked: BTreeMap<(usize, Row), (usize, Option<FurtherSeat>)>,
    /// With answers of its own: what an earlier rollout gave up is not for this one.
    calls: Option<Calls>,
    /// Whose reply an open call to an endpoint will bring.
    called: BTreeMap<u64, (usize, FurtherSeat)>,
    /// Of the next call.
    call: u64,
    /// Jobs that were begun.
    begun: usize,
    /// Tasks whose common opening the learner's session has.
    shared: Vec<bool>,
    /// Tasks and networks of which a session has what all openings begin with.
    begins: Vec<(usize, usize)>,
    ended: Vec<Option<Trajectory>>,
    further: BTreeMap<usize, Vec<Trajectory>>,
    done: &'r mut dyn FnMut(usize),
}

impl<'r> Play<'r> {
    pub fn new(
        rollout: &'r Rollout<'r>,
        jobs: &'r [Job],
        sessions: Vec<Session<'r>>,
        done: &'r mut dyn FnMut(usize),
    ) -> Play<'r> {
        Play {
            rollout,
            jobs,
            sessions,
            playing: BTreeMap::new(),
            asked: BTreeMap::new(),
            calls: rollout.calls.map(Calls::another),
            called: BTreeMap::new(),
            call: 0,
            begun: 0,
            shared: vec![false; rollout.tasks.len()],
            begins: Vec::new(),
            ended: jobs.iter().map(|_| None).collect(),
            further: BTreeMap::new(),
            done,
        }
    }

    /// Plays all jobs to their ends. The trajectories of the learner's own seat come first, in the jobs' order, then those of
    /// its further seats.
    pub fn play_on(mut self) -> Result<Vec<Trajectory>, RolloutError> {
        while self.admit()? {
            for network in 0..self.sessions.len() {
                for (row, reply) in self.sessions[network].advance() {
                    self.answer(network, row, &reply)?;
                }
            }
            self.listen()?;
        }
        Ok(self.ended.into_iter().flatten().chain(self.further.into_values().flatten()).collect())
    }

    /// Begins as many episodes as there is room for. False once none is left to play.
    fn admit(&mut self) -> Result<bool, RolloutError> {
        let coming = self.begun..self.begun + self.room();
        self.begun = coming.end;
        let mut newcomers = Vec::with_capacity(coming.len());
        for index in coming {
            let job = self.jobs[index];
            let task = &self.rollout.tasks[job.task];
            let mut playing = Playing::begin(index, job, task);
            for decision in playing.episode.pending().to_vec() {
                if playing.side_of(&decision).is_none() {
                    playing.prepare(&decision, task, self.rollout.learner.chat)?;
                }
            }
            newcomers.push(playing);
        }
        self.share_openings(&newcomers);
        for newcomer in newcomers {
            self.go_on(newcomer)?;
        }
        Ok(!self.playing.is_empty() || self.begun < self.jobs.len())
    }

    /// How many of the jobs that wait come in now: whole groups, but of one that is larger than all places as many as fit.
    fn room(&self) -> usize {
        let places = (self.rollout.rows_max / self.rollout.rows_of_episode()).max(1);
        let mut coming = 0;
        loop {
            let waiting = &self.jobs[self.begun + coming..];
            let Some(first) = waiting.first() else { return coming };
            let group = waiting.iter().take_while(|job| job.group == first.group).count();
            let taken = self.playing.len() + coming;
            let free = places.saturating_sub(taken);
            if free < group && taken > 0 {
                return coming;
            }
            coming += group.min(free);
        }
    }

    /// Has the learner's session read once what the openings of a task's episodes have in common.
    fn share_openings(&mut self, newcomers: &[Playing]) {
        for task in 0..self.shared.len() {
            let openings: Vec<&[i64]> = newcomers
                .iter()
                .filter(|playing| playing.job.task == task && !playing.own.next.is_empty())
                .map(|playing| playing.own.next.as_slice())
                .collect();
            if openings.len() > 1 && !std::mem::replace(&mut self.shared[task], true) {
                let common = common_beginning(&openings);
                if common > 0 {
                    self.sessions[0].share(&openings[0][..common]);
                }
            }
        }
    }

    /// Has a session read once what stands before the first prompt of a task, for those who are not there when it begins.
    fn share_beginning(&mut self, task: usize, network: usize) -> Result<(), RolloutError> {
        if self.begins.contains(&(task, network)) {
            return Ok(());
        }
        self.begins.push((task, network));
        let asked = &self.rollout.tasks[task];
        let chat = self.network(network).chat;
        // Two prompts that have nothing in common.
        let opening = |prompt| chat.opening(asked.system.as_deref(), &asked.examples, prompt, "");
        let (one, other) = (opening("A")?, opening("1")?);
        let common = common_beginning(&[&one, &other]);
        if common > 0 {
            self.sessions[network].share(&one[..common]);
        }
        Ok(())
    }

    /// Takes a complete reply to the game that asked for it.
    fn answer(&mut self, network: usize, row: Row, reply: &Reply) -> Result<(), RolloutError> {
        let Some((index, side)) = self.asked.remove(&(network, row)) else { return Ok(()) };
        let Some(mut playing) = self.playing.remove(&index) else { return Ok(()) };
        let decision = playing.episode.pending().iter().find(|decision| playing.side_of(decision) == side).cloned();
        if let Some(decision) = decision {
            let task = &self.rollout.tasks[playing.job.task];
            let chat = self.network(network).chat;
            playing.hand_in(&decision, reply, task, chat, self.rollout.notes_positions);
        }
        self.go_on(playing)
    }

    /// Takes what endpoints have said meanwhile; where no network has anything to compute, it waits for one of them.
    fn listen(&mut self) -> Result<(), RolloutError> {
        let mut waits = self.asked.is_empty();
        loop {
            let Some(calls) = &mut self.calls else { return Ok(()) };
            let Some(Answer { id, reply }) = calls.next(waits)? else { return Ok(()) };
            let Some((index, seat)) = self.called.remove(&id) else { continue };
            let Some(mut playing) = self.playing.remove(&index) else { continue };
            let text = match reply {
                endpoint::Reply::Said(text) => text,
                // In the end the stage's fallback player moves for it.
                endpoint::Reply::TooLong(_) | endpoint::Reply::Failed(_) => String::new(),
            };
            playing.pass_on(seat, &text);
            self.go_on(playing)?;
            waits = false;
        }
    }

    /// Has an endpoint go on with its conversation.
    fn call(&mut self, playing: &mut Playing, decision: &Decision, endpoint: &str) {
        let Some(calls) = &mut self.calls else { return };
        let seat = FurtherSeat { stage: decision.stage, seat: decision.seat };
        let conversation = playing.conversation(Some(seat));
        conversation.spoken.prompt(&decision.prompt);
        conversation.is_asked = true;
        self.call += 1;
        calls.ask(self.call, endpoint, conversation.spoken.messages());
        self.called.insert(self.call, (playing.index, seat));
    }

    /// Asks whoever the episode waits for and nobody was asked for yet, or puts the episode away where it is over.
    fn go_on(&mut self, mut playing: Playing) -> Result<(), RolloutError> {
        while let Some(decision) = self.unasked(&mut playing) {
            if let Player::Endpoint(name) = &decision.player {
                self.call(&mut playing, &decision, name);
                continue;
            }
            let task = &self.rollout.tasks[playing.job.task];
            let network = self.network_of(&decision.player, &playing.job);
            let side = playing.side_of(&decision);
            playing.prepare(&decision, task, self.network(network).chat)?;
            if side.is_some() {
                self.share_beginning(playing.job.task, network)?;
            }
            let stream = self.stream(&playing.job, side);
            let conversation = playing.conversation(side);
            if !self.has_room(conversation) {
                conversation.transcript.truncated = true;
                conversation.next.clear();
                match side {
                    None => playing.episode.truncate(),
                    // The fallback player moves for it: an opponent never decides a game.
                    Some(_) => playing.episode.answer(decision.seat, ""),
                }
                continue;
            }
            let text = std::mem::take(&mut conversation.next);
            conversation.transcript.saw(&text);
            conversation.is_asked = true;
            let session = &mut self.sessions[network];
            let row = match conversation.row {
                Some((_, row)) => {
                    session.ask(row, &text, conversation.shape.tokens_max);
                    row
                }
                None => {
                    let row = session.join(&text, stream);
                    session.ask(row, &[], conversation.shape.tokens_max);
                    row
                }
            };
            conversation.row = Some((network, row));
            self.asked.insert((network, row), (playing.index, side));
        }
        self.let_go(&mut playing);
        if !playing.episode.is_over() {
            self.playing.insert(playing.index, playing);
            return Ok(());
        }
        let index = playing.index;
        let (own, further) = playing.finish()?;
        self.ended[index] = Some(own);
        if !further.is_empty() {
            self.further.insert(index, further);
        }
        (self.done)(1);
        Ok(())
    }

    /// A decision that nobody was asked for yet.
    fn unasked(&self, playing: &mut Playing) -> Option<Decision> {
        let decisions = playing.episode.pending().to_vec();
        decisions.into_iter().find(|decision| {
            let side = playing.side_of(decision);
            !playing.conversation(side).is_asked
        })
    }

    /// Whether a conversation's next turn fits into the context.
    fn has_room(&self, conversation: &Conversation) -> bool {
        let before = conversation.row.map_or(0, |(network, row)| self.sessions[network].length(row));
        before + conversation.next.len() + conversation.shape.tokens_max <= self.rollout.context_tokens
    }

    /// Removes the rows of conversations that are over.
    fn let_go(&mut self, playing: &mut Playing) {
        let is_over = playing.episode.is_over();
        let stage = playing.episode.stage_results().len();
        for (side, conversation) in playing.conversations() {
            let goes_on = !is_over && side.is_none_or(|seat| seat.stage == stage);
            if let Some((network, row)) = conversation.row.take_if(|_| !goes_on) {
                self.sessions[network].leave(row);
                self.asked.remove(&(network, row));
            }
        }
    }

    /// The network that speaks for a player.
    fn network_of(&self, player: &Player, job: &Job) -> usize {
        match player {
            Player::Model(name) => 1 + (self.rollout.model_of)(name, job),
            _ => 0,
        }
    }

    fn network(&self, index: usize) -> &'r Network<'r> {
        match index {
            0 => &self.rollout.learner,
            _ => &self.rollout.frozen[index - 1],
        }
    }

    /// What a conversation's draws come from.
    fn stream(&self, job: &Job, side: Option<FurtherSeat>) -> Stream {
        let mut path: Vec<Part<'_>> = vec!["sampling".into(), job.seed.into(), job.member.into()];
        if let Some(FurtherSeat { stage, seat }) = side {
            path.extend::<[Part<'_>; 4]>(["stage".into(), stage.into(), "seat".into(), seat.into()]);
        }
        Stream::derive(self.rollout.sampling_seed, &path)
    }
}

/// How many tokens all openings begin with, at least one less than the shortest has.
fn common_beginning(openings: &[&[i64]]) -> usize {
    let shortest = openings.iter().map(|opening| opening.len()).min().unwrap_or(0);
    let is_common = |at: usize| openings.iter().all(|opening| opening[at] == openings[0][at]);
    (0..shortest.saturating_sub(1)).take_while(|&at| is_common(at)).count()
}
