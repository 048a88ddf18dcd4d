//! Plays many episodes at once and keeps exactly the tokens that were seen and sampled.
//!
//! A trajectory is the learner's side of an episode: the token ids of the whole conversation in order, which of them the
//! model sampled, and with which log-probabilities. It is written down while it happens. A conversation is never rendered
//! and tokenized a second time, so what is trained on is what was sampled.
//!
//! Every episode is a conversation of the learner's session; where the learner plays further seats, or other networks do, so
//! is each of these. When a reply is complete, its game answers at once and asks again; when an episode is over, another takes
//! its place. Members of a group come in together, so that they read their common opening once.

mod play;
mod playing;
mod trajectory;

use std::sync::Arc;

use ludus_host::endpoint::{Calls, Stopped};
use ludus_host::fault::HostFailure;
use ludus_host::player::Player;
use ludus_host::reply::ReplyFormat;
use ludus_host::task::Task;
use serde::{Deserialize, Serialize};

use self::play::Play;
pub use self::trajectory::{FurtherSeat, Trajectory, Turn};
use crate::chat::{Chat, ChatError};
use crate::generate::{Sampling, Session};
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
#[derive(Clone, Debug, Default)]
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

/// A network that speaks for players.
#[derive(Clone, Copy)]
pub struct Network<'a> {
    pub llama: &'a Llama,
    pub weights: &'a Weights,
    pub chat: &'a Chat,
}

/// What a rollout needs to know besides its jobs.
pub struct Rollout<'a> {
    pub learner: Network<'a>,
    /// Networks that do not learn.
    pub frozen: &'a [Network<'a>],
    /// Models behind servers.
    pub calls: Option<&'a Calls>,
    /// Which of the frozen networks speaks for the model of this name in this job.
    pub model_of: &'a dyn Fn(&str, &Job) -> usize,
    pub tasks: &'a [AskedTask],
    pub sampling: Sampling,
    /// Every row's sampling stream derives from it, the job's seed and the member.
    pub sampling_seed: u64,
    /// The most tokens of one conversation.
    pub context_tokens: usize,
    /// Conversations at the same time.
    pub rows_max: usize,
    /// Whether the game is asked for the position before each reply.
    pub notes_positions: bool,
    /// Texts that end a reply.
    pub stop: &'a [String],
}

/// Why a batch of episodes was not played to its end.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    #[error(transparent)]
    Chat(#[from] ChatError),
    #[error(transparent)]
    Host(#[from] HostFailure),
    #[error(transparent)]
    Endpoint(#[from] Stopped),
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    #[error(transparent)]
    Ranks(#[from] RanksError),
}

impl Rollout<'_> {
    /// Plays all jobs. The trajectories of the learner's own seat come first, in the jobs' order, then those of its further
    /// seats. `done` is told the number of episodes that just ended.
    ///
    /// # Errors
    /// Where the model's chat template cannot render a conversation, this machine cannot play a game to its end, or an endpoint
    /// refuses for good or is gone.
    pub fn play(&self, jobs: &[Job], done: &mut dyn FnMut(usize)) -> Result<Vec<Trajectory>, RolloutError> {
        let networks: Vec<&Network<'_>> = std::iter::once(&self.learner).chain(self.frozen).collect();
        let complete: Vec<_> = networks.iter().map(|network| self.is_complete(network.chat)).collect();
        let mut sessions = Vec::with_capacity(networks.len());
        for (network, is_complete) in networks.iter().zip(&complete) {
            let Network { llama, weights, chat } = **network;
            sessions.push(Session::new(llama, weights, self.sampling, chat.end_ids()).stop_where(is_complete));
        }
        Play::new(self, jobs, sessions, done).play_on()
    }

    /// Whether a reply of these tokens holds a text that ends it.
    fn is_complete<'a>(&'a self, chat: &'a Chat) -> impl Fn(&[i64]) -> bool + 'a {
        let longest = self.stop.iter().map(String::len).max().unwrap_or(0);
        // A text of so many bytes lies within so many tokens.
        move |tokens: &[i64]| {
            longest > 0 && {
                let text = chat.decode(&tokens[tokens.len().saturating_sub(longest)..]);
                self.stop.iter().any(|stop| text.contains(stop))
            }
        }
    }

    /// The most conversations that an episode has at the same time with one network.
    fn rows_of_episode(&self) -> usize {
        let is_spoken_for = |player: &&Player| matches!(player, Player::Learner | Player::Model(_));
        let stages = self.tasks.iter().flat_map(|task| task.task.stages());
        1 + stages.map(|stage| stage.others.iter().filter(is_spoken_for).count()).max().unwrap_or(0)
    }
}
