//! Plays many episodes at once and keeps exactly the tokens that were seen and sampled.
//!
//! A trajectory is the learner's side of an episode: the token ids of the whole conversation in order, which of them the
//! model sampled, and with which log-probabilities. It is written down while it happens. A conversation is never rendered
//! and tokenized a second time, so what is trained on is what was sampled.
//!
//! Every episode is a conversation of one session. When its reply is complete, its game answers at once and asks again; when
//! it is over, another episode takes its place. Members of a group come in together, so that they read their common opening
//! once.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use ludus_host::episode::{Episode, Finished};
use ludus_host::fault::HostFailure;
use ludus_host::hash::Hash;
use ludus_host::reply::ReplyFormat;
use ludus_host::stream::Stream;
use ludus_host::task::{Penalties, Task};
use serde::{Deserialize, Serialize};

use crate::chat::{Chat, ChatError};
use crate::generate::{Reply, Row, Sampling, Session};
use crate::model::llama::{Llama, Weights};
use crate::out_of_memory::OutOfMemory;
use crate::ranks::RanksError;

/// A task, and how the model is asked in it.
pub struct AskedTask {
    pub task: Arc<Task>,
    /// The system text; none leaves it to the chat template.
    pub system: Option<String>,
    /// Solved turns before the first one: prompts and replies.
    pub examples: Vec<(String, String)>,
    pub format: ReplyFormat,
    /// How a reply looks in each stage.
    pub replies: Vec<ReplyShape>,
}

/// How the model replies in one stage.
#[derive(Clone, Debug)]
pub struct ReplyShape {
    /// Text that begins the reply. Context, never trained on.
    pub prefix: String,
    /// At most this many tokens are sampled.
    pub tokens_max: usize,
}

/// One episode to be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The index of its task.
    pub task: usize,
    /// Its group within the batch.
    pub group: usize,
    /// Shared by the group: the deal.
    pub seed: u64,
    /// Its number within the group.
    pub member: u32,
}

/// The learner's side of one episode.
#[derive(Serialize, Deserialize)]
pub struct Trajectory {
    pub job: Job,
    pub task_name: String,
    /// The whole conversation.
    pub tokens: Vec<i64>,
    /// For each token: whether the model sampled it. No others are trained on.
    pub sampled: Vec<bool>,
    /// For each token: the log-probability with which it was sampled, zero where it was not.
    pub log_probabilities: Vec<f32>,
    /// For each token: the stage in which the model sampled it, zero where it did not.
    pub stages: Vec<usize>,
    /// For each token: what the reply that it belongs to cost, because it failed.
    pub penalties: Vec<f32>,
    /// The model's replies, in order.
    pub turns: Vec<Turn>,
    pub replies: u32,
    /// Replies that met the length limit before they ended.
    pub replies_cut: u32,
    /// The context ran out before the episode ended.
    pub truncated: bool,
    pub finished: Finished,
}

/// One reply of the model.
#[derive(Serialize, Deserialize)]
pub struct Turn {
    /// The places of its tokens in the conversation.
    pub tokens: Range<usize>,
    /// It met the length limit before it ended.
    pub cut: bool,
    /// The position that it was given in, where the rollout notes positions.
    pub position: Option<Hash>,
}

/// What a rollout needs to know besides its jobs.
pub struct Rollout<'a> {
    pub llama: &'a Llama,
    pub weights: &'a Weights,
    pub chat: &'a Chat,
    pub tasks: &'a [AskedTask],
    pub sampling: Sampling,
    /// Every row's sampling stream derives from it, the job's seed and the member.
    pub sampling_seed: u64,
    /// The most tokens of one conversation.
    pub context_tokens: usize,
    /// Episodes played at the same time.
    pub rows_max: usize,
    /// Whether the game is asked for the position before each reply.
    pub notes_positions: bool,
    /// Texts that end a reply.
    pub stop: &'a [String],
}

/// The episodes of a rollout while they are played.
struct Play<'r> {
    rollout: &'r Rollout<'r>,
    jobs: &'r [Job],
    session: Session<'r>,
    playing: BTreeMap<Row, Playing>,
    /// Jobs that were begun.
    begun: usize,
    /// Tasks whose common opening the session has.
    shared: Vec<bool>,
    ended: Vec<Option<Trajectory>>,
    done: &'r mut dyn FnMut(usize),
}

/// An episode that is being played.
struct Playing {
    index: usize,
    job: Job,
    episode: Episode,
    trajectory: Transcript,
    /// Whether the last reply ended its turn itself; none before the first.
    ended: Option<bool>,
    /// The next text for the model.
    next: Vec<i64>,
    shape: ReplyShape,
}

#[derive(Default)]
struct Transcript {
    tokens: Vec<i64>,
    sampled: Vec<bool>,
    log_probabilities: Vec<f32>,
    stages: Vec<usize>,
    penalties: Vec<f32>,
    turns: Vec<Turn>,
    replies: u32,
    replies_cut: u32,
    truncated: bool,
}

/// Why a batch of episodes was not played to its end.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    #[error(transparent)]
    Chat(#[from] ChatError),
    #[error(transparent)]
    Host(#[from] HostFailure),
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    #[error(transparent)]
    Ranks(#[from] RanksError),
}

impl Rollout<'_> {
    /// Plays all jobs. The trajectories come in the jobs' order. `done` is told the number of episodes that just ended.
    ///
    /// # Errors
    /// Where the model's chat template cannot render a conversation, or this machine cannot play a game to its end.
    pub fn play(&self, jobs: &[Job], done: &mut dyn FnMut(usize)) -> Result<Vec<Trajectory>, RolloutError> {
        let longest = self.stop.iter().map(String::len).max().unwrap_or(0);
        // A text of so many bytes lies within so many tokens.
        let is_complete = |tokens: &[i64]| {
            longest > 0 && {
                let text = self.chat.decode(&tokens[tokens.len().saturating_sub(longest)..]);
                self.stop.iter().any(|stop| text.contains(stop))
            }
        };
        let session = Session::new(self.llama, self.weights, self.sampling, self.chat.end_ids());
        let mut play = Play {
            rollout: self,
            jobs,
            session: session.stop_where(&is_complete),
            playing: BTreeMap::new(),
            begun: 0,
            shared: vec![false; self.tasks.len()],
            ended: jobs.iter().map(|_| None).collect(),
            done,
        };
        while play.admit()? {
            for (row, reply) in play.session.advance() {
                play.answer(row, &reply)?;
            }
        }
        Ok(play.ended.into_iter().flatten().collect())
    }

    fn begin(&self, index: usize, job: Job) -> Result<Playing, ChatError> {
        let task = &self.tasks[job.task];
        let mut playing = Playing {
            index,
            job,
            episode: Episode::new(Arc::clone(&task.task), job.seed, job.member),
            trajectory: Transcript::default(),
            ended: None,
            next: Vec::new(),
            shape: task.replies[0].clone(),
        };
        self.prepare(&mut playing)?;
        Ok(playing)
    }

    fn stream(&self, job: &Job) -> Stream {
        Stream::derive(self.sampling_seed, &["sampling".into(), job.seed.into(), job.member.into()])
    }

    fn position(&self, playing: &mut Playing) -> Option<Hash> {
        let seat = playing.episode.pending().first().filter(|_| self.notes_positions)?.seat;
        playing.episode.position(seat)
    }

    /// Renders what the episode asks next into the tokens that the model has not seen.
    fn prepare(&self, playing: &mut Playing) -> Result<(), ChatError> {
        let task = &self.tasks[playing.job.task];
        let Some(decision) = playing.episode.pending().first() else { return Ok(()) };
        playing.shape = task.replies[decision.stage].clone();
        let prefix = &playing.shape.prefix;
        playing.next = match playing.ended {
            None => self.chat.opening(task.system.as_deref(), &task.examples, &decision.prompt, prefix)?,
            Some(ended) => self.chat.next_turn(ended, &decision.prompt, prefix)?,
        };
        Ok(())
    }

    /// Gives the reply to the game and returns what it cost, where it failed.
    fn hand_in(&self, playing: &mut Playing, reply: &Reply) -> f64 {
        let Some(decision) = playing.episode.pending().first() else { return 0.0 };
        let seat = decision.seat;
        let sampled = self.chat.decode(&reply.tokens);
        let task = &self.tasks[playing.job.task];
        // Tags may begin in the prefix. A bare reply is the move alone, and the prefix only leads up to it.
        let text = match task.format {
            ReplyFormat::Tags => format!("{}{sampled}", playing.shape.prefix),
            ReplyFormat::Bare => sampled,
        };
        let before = playing.episode.failed_replies();
        playing.episode.answer(seat, &text);
        let after = playing.episode.failed_replies();
        let spec = task.task.spec();
        let penalties = Penalties { malformed: spec.malformed_penalty, illegal: spec.illegal_penalty };
        -penalties.apply(0.0, after.malformed - before.malformed, after.illegal - before.illegal)
    }
}

impl Play<'_> {
    /// Begins as many episodes as there is room for. False once none is left to play.
    fn admit(&mut self) -> Result<bool, RolloutError> {
        let coming = self.begun..self.begun + self.room();
        self.begun = coming.end;
        let mut newcomers = Vec::with_capacity(coming.len());
        for index in coming {
            newcomers.push(self.rollout.begin(index, self.jobs[index])?);
        }
        self.share_openings(&newcomers);
        for newcomer in newcomers {
            self.go_on(None, newcomer)?;
        }
        Ok(!self.playing.is_empty() || self.begun < self.jobs.len())
    }

    /// How many of the jobs that wait come in now: whole groups, but of one that is larger than all rows as many as fit.
    fn room(&self) -> usize {
        let mut coming = 0;
        loop {
            let waiting = &self.jobs[self.begun + coming..];
            let Some(first) = waiting.first() else { return coming };
            let group = waiting.iter().take_while(|job| job.group == first.group).count();
            let taken = self.playing.len() + coming;
            let free = self.rollout.rows_max.max(1).saturating_sub(taken);
            if free < group && taken > 0 {
                return coming;
            }
            coming += group.min(free);
        }
    }

    /// Has the session read once what the openings of a task's episodes have in common.
    fn share_openings(&mut self, newcomers: &[Playing]) {
        for task in 0..self.shared.len() {
            let openings: Vec<&[i64]> = newcomers
                .iter()
                .filter(|playing| playing.job.task == task)
                .map(|playing| playing.next.as_slice())
                .collect();
            if openings.len() > 1 && !std::mem::replace(&mut self.shared[task], true) {
                let common = common_beginning(&openings);
                if common > 0 {
                    self.session.share(&openings[0][..common]);
                }
            }
        }
    }

    /// Takes a complete reply to the game that asked for it.
    fn answer(&mut self, row: Row, reply: &Reply) -> Result<(), RolloutError> {
        let Some(mut playing) = self.playing.remove(&row) else { return Ok(()) };
        let stage = playing.episode.pending().first().map_or(0, |decision| decision.stage);
        let position = self.rollout.position(&mut playing);
        playing.trajectory.sampled(reply, stage, position);
        // Another end token ends the reply too, but not the turn: the template's own mark is then still missing.
        playing.ended = Some(reply.tokens.last().copied() == self.rollout.chat.end_of_turn());
        let cost = self.rollout.hand_in(&mut playing, reply);
        playing.trajectory.cost(reply, cost);
        self.rollout.prepare(&mut playing)?;
        self.go_on(Some(row), playing)
    }

    /// Asks the model on, or puts the episode away where it is over or has no room for its next turn.
    fn go_on(&mut self, row: Option<Row>, mut playing: Playing) -> Result<(), RolloutError> {
        let length = row.map_or(0, |row| self.session.length(row)) + playing.next.len();
        if !playing.episode.is_over() && length + playing.shape.tokens_max > self.rollout.context_tokens {
            playing.episode.truncate();
            playing.trajectory.truncated = true;
        }
        if playing.episode.is_over() {
            if let Some(row) = row {
                self.session.leave(row);
            }
            let task_name = playing.episode.task().name().to_string();
            let finished = playing.episode.finish()?;
            self.ended[playing.index] = Some(playing.trajectory.finish(playing.job, task_name, finished));
            (self.done)(1);
            return Ok(());
        }
        let text = std::mem::take(&mut playing.next);
        playing.trajectory.saw(&text);
        let row = match row {
            Some(row) => {
                self.session.ask(row, &text, playing.shape.tokens_max);
                row
            }
            None => {
                let row = self.session.join(&text, self.rollout.stream(&playing.job));
                self.session.ask(row, &[], playing.shape.tokens_max);
                row
            }
        };
        self.playing.insert(row, playing);
        Ok(())
    }
}

impl Transcript {
    fn saw(&mut self, tokens: &[i64]) {
        self.tokens.extend(tokens);
        self.sampled.resize(self.tokens.len(), false);
        self.log_probabilities.resize(self.tokens.len(), 0.0);
        self.stages.resize(self.tokens.len(), 0);
        self.penalties.resize(self.tokens.len(), 0.0);
    }

    fn sampled(&mut self, reply: &Reply, stage: usize, position: Option<Hash>) {
        let start = self.tokens.len();
        self.tokens.extend(&reply.tokens);
        self.turns.push(Turn { tokens: start..self.tokens.len(), cut: !reply.ended, position });
        self.sampled.resize(self.tokens.len(), true);
        self.log_probabilities.extend(&reply.log_probabilities);
        self.stages.resize(self.tokens.len(), stage);
        self.replies += 1;
        self.replies_cut += u32::from(!reply.ended);
    }

    /// Writes down what the last reply cost.
    fn cost(&mut self, reply: &Reply, cost: f64) {
        self.penalties.resize(self.tokens.len() - reply.tokens.len(), 0.0);
        self.penalties.resize(self.tokens.len(), cost as f32);
    }

    fn finish(self, job: Job, task_name: String, finished: Finished) -> Trajectory {
        Trajectory {
            job,
            task_name,
            tokens: self.tokens,
            sampled: self.sampled,
            log_probabilities: self.log_probabilities,
            stages: self.stages,
            penalties: self.penalties,
            turns: self.turns,
            replies: self.replies,
            replies_cut: self.replies_cut,
            truncated: self.truncated,
            finished,
        }
    }
}

/// How many tokens all openings begin with, at least one less than the shortest has.
fn common_beginning(openings: &[&[i64]]) -> usize {
    let shortest = openings.iter().map(|opening| opening.len()).min().unwrap_or(0);
    let is_common = |at: usize| openings.iter().all(|opening| opening[at] == openings[0][at]);
    (0..shortest.saturating_sub(1)).take_while(|&at| is_common(at)).count()
}
