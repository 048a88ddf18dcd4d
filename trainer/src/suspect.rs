//! The batch of an update whose loss or gradient was not finite, for a person to look at.
//!
//! ```text
//! STORE/runs/NAME/suspect/step-000003.jsonl        a line a trajectory
//! {"group":0,"member":2,"seed":17,"task":"matrix","task_return":0.5,"text":"<|im_start|>system…",
//!  "tokens":[1,9690,…],"sampled":[false,…],"log_probabilities":[0.0,…],"stages":[0,…],"advantages":[…],"weights":[…]}
//! ```
//!
//! Each list has an entry a token: what the loss was computed from, and nothing else of the step. A number that is not
//! finite is `null`.

use serde::Serialize;

use crate::chat::Chat;
use crate::rollout::Trajectory;

/// A trajectory as it went into an update.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suspect {
    pub group: usize,
    pub member: u32,
    pub seed: u64,
    pub task: String,
    pub task_return: f64,
    /// The whole conversation, special tokens included.
    pub text: String,
    pub tokens: Vec<i64>,
    pub sampled: Vec<bool>,
    pub log_probabilities: Vec<f32>,
    pub stages: Vec<usize>,
    /// Empty where the step did not come to an update.
    pub advantages: Vec<f32>,
    pub weights: Vec<f32>,
}

impl Suspect {
    pub fn of(trajectory: &Trajectory, chat: &Chat, advantages: &[f32], weights: &[f32]) -> Suspect {
        Suspect {
            group: trajectory.job.group,
            member: trajectory.job.member,
            seed: trajectory.job.seed,
            task: trajectory.task_name.clone(),
            task_return: trajectory.finished.result.task_return,
            text: chat.decode_all(&trajectory.tokens),
            tokens: trajectory.tokens.clone(),
            sampled: trajectory.sampled.clone(),
            log_probabilities: trajectory.log_probabilities.clone(),
            stages: trajectory.stages.clone(),
            advantages: advantages.to_vec(),
            weights: weights.to_vec(),
        }
    }
}

/// The batch as lines.
pub fn to_lines(batch: &[Suspect]) -> String {
    // Lists of numbers and texts always are JSON.
    batch.iter().map(|suspect| serde_json::to_string(suspect).unwrap_or_default() + "\n").collect()
}
