//! What a rollout keeps of a conversation with the learner, while it happens.

use std::ops::Range;

use ludus_host::episode::Finished;
use ludus_host::hash::Hash;
use serde::{Deserialize, Serialize};

use super::Job;
use crate::generate::Reply;

/// The learner's side of one episode: that of its own seat in all stages, or of a further seat that it plays in one.
#[derive(Serialize, Deserialize)]
pub struct Trajectory {
    pub job: Job,
    pub task_name: String,
    /// The further seat whose side it is; none where it is the learner's own.
    pub further: Option<FurtherSeat>,
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
    /// Of a further seat, with the results as that seat has them.
    pub finished: Finished,
}

/// A seat that the learner plays in a stage besides its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FurtherSeat {
    /// Counted from 0.
    pub stage: usize,
    pub seat: u32,
}

/// One reply of the model.
#[derive(Serialize, Deserialize)]
pub struct Turn {
    /// The places of its tokens in the conversation.
    pub tokens: Range<usize>,
    /// Counted from 0.
    pub stage: usize,
    /// It met the length limit before it ended.
    pub cut: bool,
    /// The position that it was given in, where the rollout notes positions.
    pub position: Option<Hash>,
}

/// A trajectory that is being written.
#[derive(Default)]
pub(super) struct Transcript {
    tokens: Vec<i64>,
    sampled: Vec<bool>,
    log_probabilities: Vec<f32>,
    stages: Vec<usize>,
    penalties: Vec<f32>,
    turns: Vec<Turn>,
    replies: u32,
    replies_cut: u32,
    pub truncated: bool,
}

impl Transcript {
    pub fn saw(&mut self, tokens: &[i64]) {
        self.tokens.extend(tokens);
        self.sampled.resize(self.tokens.len(), false);
        self.log_probabilities.resize(self.tokens.len(), 0.0);
        self.stages.resize(self.tokens.len(), 0);
        self.penalties.resize(self.tokens.len(), 0.0);
    }

    pub fn sampled(&mut self, reply: &Reply, stage: usize, position: Option<Hash>) {
        let start = self.tokens.len();
        self.tokens.extend(&reply.tokens);
        self.turns.push(Turn { tokens: start..self.tokens.len(), stage, cut: !reply.ended, position });
        self.sampled.resize(self.tokens.len(), true);
        self.log_probabilities.extend(&reply.log_probabilities);
        self.stages.resize(self.tokens.len(), stage);
        self.replies += 1;
        self.replies_cut += u32::from(!reply.ended);
    }

    /// Writes down what the last reply cost.
    pub fn cost(&mut self, reply: &Reply, cost: f64) {
        self.penalties.resize(self.tokens.len() - reply.tokens.len(), 0.0);
        self.penalties.resize(self.tokens.len(), cost as f32);
    }

    pub fn finish(self, job: Job, further: Option<FurtherSeat>, task_name: String, finished: Finished) -> Trajectory {
        Trajectory {
            job,
            task_name,
            further,
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
