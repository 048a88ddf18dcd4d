//! Plays many episodes at once, one batch of decisions at a time, and keeps exactly the tokens that were seen and sampled.
//!
//! A trajectory is the learner's side of an episode: the token ids of the whole conversation in order, which of them the
//! model sampled, and with which log-probabilities. It is written down while it happens. A conversation is never rendered
//! and tokenized a second time, so what is trained on is what was sampled.
//!
//! Each round, every unfinished episode says what it asks of the learner; one batch answers all of them. Episodes that end
//! leave the batch.

use std::sync::Arc;

use ludus_host::episode::{Episode, Finished};
use ludus_host::fault::HostFailure;
use ludus_host::reply::ReplyFormat;
use ludus_host::stream::Stream;
use ludus_host::task::{Penalties, Task};

use crate::chat::{Chat, ChatError};
use crate::generate::{Ask, Reply, Sampling, Session};
use crate::model::llama::{Llama, Weights};
use crate::out_of_memory::OutOfMemory;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
pub struct Trajectory {
    pub job: Job,
    pub task_name: String,
    /// The whole conversation.
    pub tokens: Vec<i64>,
    /// For each token: whether the model sampled it. Exactly these are trained on.
    pub sampled: Vec<bool>,
    /// For each token: the log-probability with which it was sampled, zero where it was not.
    pub log_probabilities: Vec<f32>,
    /// For each token: the stage in which the model sampled it, zero where it did not.
    pub stages: Vec<usize>,
    /// For each token: what the reply that it belongs to cost, because it failed.
    pub penalties: Vec<f32>,
    pub replies: u32,
    /// Replies that met the length limit before they ended.
    pub replies_cut: u32,
    /// The context ran out before the episode ended.
    pub truncated: bool,
    pub finished: Finished,
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
}

/// An episode that is being played in a row of the session.
struct Row {
    index: usize,
    episode: Episode,
    stream: Stream,
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
}

impl Rollout<'_> {
    /// Plays all jobs. The trajectories come in the jobs' order. `done` is told the number of episodes that just ended.
    ///
    /// # Errors
    /// Where the model's chat template cannot render a conversation, or this machine cannot play a game to its end.
    pub fn play(&self, jobs: &[Job], done: &mut dyn FnMut(usize)) -> Result<Vec<Trajectory>, RolloutError> {
        let mut trajectories = Vec::with_capacity(jobs.len());
        for batch in jobs.chunks(self.rows_max.max(1)) {
            trajectories.extend(self.play_batch(batch, done)?);
        }
        Ok(trajectories)
    }

    fn play_batch(&self, jobs: &[Job], done: &mut dyn FnMut(usize)) -> Result<Vec<Trajectory>, RolloutError> {
        let mut ended: Vec<Option<Trajectory>> = jobs.iter().map(|_| None).collect();
        let mut rows = Vec::new();
        for (index, job) in jobs.iter().enumerate() {
            let mut row = self.seat(index, job);
            self.prepare(&mut row, job)?;
            rows.push(row);
        }
        let shared = shared_prefix(&rows);
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let prefix = first.next[..shared].to_vec();
        let ends = self.chat.end_ids();
        let mut session = Session::new(self.llama, self.weights, self.sampling, ends, &prefix, rows.len());
        for row in &mut rows {
            row.trajectory.saw(&prefix);
            row.next.drain(..shared);
        }
        loop {
            // What is over, or has no room for its next turn, leaves the batch.
            let mut kept = Vec::new();
            let mut playing = Vec::new();
            for (place, mut row) in rows.into_iter().enumerate() {
                let needed = session.length(place) + row.next.len() + row.shape.tokens_max;
                if !row.episode.is_over() && needed > self.context_tokens {
                    row.episode.truncate();
                    row.trajectory.truncated = true;
                }
                if row.episode.is_over() {
                    let job = jobs[row.index];
                    let task_name = row.episode.task().name().to_string();
                    ended[row.index] = Some(row.trajectory.finish(job, task_name, row.episode.finish()?));
                    done(1);
                } else {
                    kept.push(place);
                    playing.push(row);
                }
            }
            rows = playing;
            if rows.is_empty() {
                break;
            }
            session.keep(&kept);
            let asks: Vec<Ask> = rows
                .iter()
                .map(|row| Ask { tokens: row.next.clone(), reply_tokens_max: row.shape.tokens_max })
                .collect();
            let mut streams: Vec<&mut Stream> = rows.iter_mut().map(|row| &mut row.stream).collect();
            let replies = session.reply(&asks, &mut streams);
            for (row, reply) in rows.iter_mut().zip(&replies) {
                let job = jobs[row.index];
                let seen = std::mem::take(&mut row.next);
                row.trajectory.saw(&seen);
                let stage = row.episode.pending().first().map_or(0, |decision| decision.stage);
                row.trajectory.sampled(reply, stage);
                // Another end token ends the reply too, but not the turn: the template's own mark is then still missing.
                row.ended = Some(reply.tokens.last().copied() == self.chat.end_of_turn());
                let cost = self.answer(row, &job, reply);
                row.trajectory.cost(reply, cost);
                self.prepare(row, &job)?;
            }
        }
        Ok(ended.into_iter().flatten().collect())
    }

    fn seat(&self, index: usize, job: &Job) -> Row {
        let task = &self.tasks[job.task];
        let path = ["sampling".into(), job.seed.into(), job.member.into()];
        Row {
            index,
            episode: Episode::new(Arc::clone(&task.task), job.seed, job.member),
            stream: Stream::derive(self.sampling_seed, &path),
            trajectory: Transcript::default(),
            ended: None,
            next: Vec::new(),
            shape: task.replies[0].clone(),
        }
    }

    /// Renders what the episode asks next into the tokens that the model has not seen.
    fn prepare(&self, row: &mut Row, job: &Job) -> Result<(), ChatError> {
        let task = &self.tasks[job.task];
        let Some(decision) = row.episode.pending().first() else { return Ok(()) };
        row.shape = task.replies[decision.stage].clone();
        row.next = match row.ended {
            None => self.chat.opening(task.system.as_deref(), &task.examples, &decision.prompt, &row.shape.prefix)?,
            Some(ended) => self.chat.next_turn(ended, &decision.prompt, &row.shape.prefix)?,
        };
        Ok(())
    }

    /// Gives the reply to the game and returns what it cost, where it failed.
    fn answer(&self, row: &mut Row, job: &Job, reply: &Reply) -> f64 {
        let Some(decision) = row.episode.pending().first() else { return 0.0 };
        let seat = decision.seat;
        let sampled = self.chat.decode(&reply.tokens);
        // Tags may begin in the prefix. A bare reply is the move alone, and the prefix only leads up to it.
        let text = match self.tasks[job.task].format {
            ReplyFormat::Tags => format!("{}{sampled}", row.shape.prefix),
            ReplyFormat::Bare => sampled,
        };
        let before = row.episode.failed_replies();
        row.episode.answer(seat, &text);
        let after = row.episode.failed_replies();
        let spec = self.tasks[job.task].task.spec();
        let penalties = Penalties { malformed: spec.malformed_penalty, illegal: spec.illegal_penalty };
        -penalties.apply(0.0, after.malformed - before.malformed, after.illegal - before.illegal)
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

    fn sampled(&mut self, reply: &Reply, stage: usize) {
        self.tokens.extend(&reply.tokens);
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
            replies: self.replies,
            replies_cut: self.replies_cut,
            truncated: self.truncated,
            finished,
        }
    }
}

/// How many tokens the openings of all rows share, at least one less than the shortest opening has.
fn shared_prefix(rows: &[Row]) -> usize {
    let Some(first) = rows.first() else { return 0 };
    let shortest = rows.iter().map(|row| row.next.len()).min().unwrap_or(0);
    (0..shortest.saturating_sub(1)).take_while(|&at| rows.iter().all(|row| row.next[at] == first.next[at])).count()
}
