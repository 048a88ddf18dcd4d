//! What a plan computes, and about how long that takes on a processor of a known speed.
//!
//! How long conversations come out is tried out: a few episodes of each task are played in which the learner's moves are random
//! ones. Prompts count a token for each four letters, as English text has them; replies count as long as they may be.
//!
//! A pass takes 2 operations for each parameter and token, an update 6, and 8 where activations are recomputed ("Scaling Laws for
//! Neural Language Models", 2001.08361, section 2.1). Tokens that are drawn one by one cost a reading of all weights for each
//! pass, whatever the number of conversations in it.

use std::ops::Add;
use std::sync::Arc;

use ludus_host::episode::Episode;
use ludus_host::player::Player;
use ludus_host::reply::ReplyFormat;
use ludus_host::stream::Stream;
use ludus_host::task::Task;

use super::Plan;

/// Episodes of a task that are tried out.
const TRIED: u64 = 16;
const LETTERS_OF_A_TOKEN: f64 = 4.0;
/// What a reply is where a game lists no moves.
const FREE_TEXT: &str = "word";

/// How fast a processor is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Operations of matrix products a second.
    pub operations: f64,
    /// Bytes that are read from memory a second.
    pub bytes: f64,
    /// What a pass through a layer takes, however little there is to compute.
    pub layer_seconds: f64,
}

impl Speed {
    /// One NVIDIA H100 SXM in bfloat16: 989 TFLOP/s and 3.35 TB/s by its data sheet; and some thirty launches a layer.
    pub const H100: Speed = Speed { operations: 989e12, bytes: 3.35e12, layer_seconds: 1.5e-4 };

    /// What the passes of a network reach of it.
    pub fn reached(self, share: f64) -> Speed {
        Speed { operations: self.operations * share, bytes: self.bytes * share, ..self }
    }
}

/// Operations, bytes of weights that are read again and again, and layers that are gone through.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    pub operations: f64,
    pub bytes: f64,
    pub layers: f64,
}

impl Work {
    pub fn seconds(self, speed: Speed) -> f64 {
        self.operations / speed.operations + self.bytes / speed.bytes + self.layers * speed.layer_seconds
    }

    fn times(self, count: f64) -> Work {
        Work { operations: self.operations * count, bytes: self.bytes * count, layers: self.layers * count }
    }
}

impl Add for Work {
    type Output = Work;

    fn add(self, other: Work) -> Work {
        Work {
            operations: self.operations + other.operations,
            bytes: self.bytes + other.bytes,
            layers: self.layers + other.layers,
        }
    }
}

/// What a plan computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlannedWork {
    /// A step's rollout.
    pub rollout: Work,
    /// A step's update.
    pub update: Work,
    /// All steps and evaluations.
    pub run: Work,
}

/// The tokens of a conversation with the learner, on average.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Conversation {
    /// Up to the first reply. Members of a group have it in common.
    opening: f64,
    /// Of the prompts behind it.
    prompts: f64,
    /// Sampled, at most.
    replies: f64,
}

impl PlannedWork {
    /// Plays a few episodes to find out. None where the model's shape is unknown.
    pub fn of(plan: &Plan) -> Option<PlannedWork> {
        let shape = plan.shape.as_ref()?;
        let parameters = shape.multiplied() as f64;
        let layers = shape.layers as f64;
        let weights = shape.held_bytes(super::bytes_of(plan.compute), false) as f64;
        let recipe = &plan.recipe;
        let context = f64::from(recipe.rollout.context_tokens);
        let rollout = |groups: f64, group_size: f64, conversation: Conversation| {
            let Conversation { opening, prompts, replies } = conversation;
            let read = groups * (opening + group_size * (prompts + replies));
            let rows = f64::from(recipe.rollout.batch_rows).min(groups * group_size).max(1.0);
            let passes = (groups * group_size / rows).ceil() * replies;
            Work { operations: 2.0 * parameters * read, bytes: passes * weights, layers: passes * layers }
        };

        let tasks = plan.tasks.iter().map(|planned| {
            let replies = |stage: usize| plan.stages[planned.stages[stage]].reply_tokens;
            let conversation = Conversation::of(&planned.task, &replies, recipe.reply.format);
            let examples = planned.stages.first().map_or(0.0, |&stage| letters(plan, stage));
            Conversation { opening: conversation.opening + examples / LETTERS_OF_A_TOKEN, ..conversation }
                .within(context)
        });
        let conversation = Conversation::mean(tasks);
        let group_size = f64::from(recipe.rollout.group_size);
        let groups = plan.sizes.episodes as f64 / group_size;
        let kept = plan.sizes.groups_kept_max as f64;
        let trained = kept * (conversation.opening + group_size * (conversation.prompts + conversation.replies));
        let of_a_token = if recipe.algorithm.recompute { 8.0 } else { 6.0 };
        let update = Work {
            operations: of_a_token * parameters * trained * f64::from(recipe.algorithm.epochs),
            // Parameters, gradients and both moments are read and written.
            bytes: 8.0 * 4.0 * shape.parameters() as f64 * plan.sizes.optimizer_steps_max as f64,
            layers: 3.0 * layers * (trained / f64::from(recipe.algorithm.pack_tokens)).ceil(),
        };
        let rollout_of_a_step = rollout(groups, group_size, conversation);

        let evaluation = plan.evaluations.iter().map(|evaluation| {
            let replies = |_: usize| plan.stages[evaluation.stage].reply_tokens;
            let conversations = evaluation
                .tasks
                .iter()
                .map(|task| Conversation::of(task, &replies, recipe.reply.format).within(context));
            rollout(f64::from(evaluation.episodes), 1.0, Conversation::mean(conversations))
        });
        let evaluation = evaluation.fold(Work::default(), Add::add);
        let during = recipe.steps.saturating_sub(1).checked_div(recipe.evaluation.every).unwrap_or(0);
        let run = (rollout_of_a_step + update).times(f64::from(recipe.steps)) + evaluation.times(f64::from(2 + during));
        Some(PlannedWork { rollout: rollout_of_a_step, update, run })
    }
}

/// The letters of the system's text and of a stage's solved examples.
fn letters(plan: &Plan, stage: usize) -> f64 {
    let examples = plan.stages[stage].examples.iter().map(|example| example.prompt.len() + example.reply.len());
    (plan.recipe.reply.system.len() + examples.sum::<usize>()) as f64
}

impl Conversation {
    fn of(task: &Arc<Task>, reply_tokens: &dyn Fn(usize) -> u32, format: ReplyFormat) -> Conversation {
        let conversations = (0..TRIED).map(|seed| {
            let mut draws = Stream::derive(seed, &["work".into()]);
            let mut conversation = Conversation::default();
            let mut episode = Episode::new(Arc::clone(task), seed, 0);
            while !episode.is_over() {
                for decision in episode.pending().to_vec() {
                    if decision.player == Player::Learner && decision.seat == task.learner_seat(decision.stage, seed) {
                        conversation.add(decision.prompt.len() as f64, reply_tokens(decision.stage).into());
                    }
                    let moves = episode.legal_moves(decision.seat).unwrap_or_default();
                    // A game that fails to list them has ended the episode.
                    if episode.is_over() {
                        break;
                    }
                    let count = u32::try_from(moves.len()).unwrap_or(u32::MAX);
                    let chosen = if count > 0 { &moves[draws.below(count) as usize] } else { FREE_TEXT };
                    episode.answer(decision.seat, &format.reply(chosen));
                }
            }
            conversation
        });
        Conversation::mean(conversations)
    }

    fn add(&mut self, letters: f64, reply: f64) {
        let tokens = letters / LETTERS_OF_A_TOKEN;
        if self.opening == 0.0 {
            self.opening = tokens
        } else {
            self.prompts += tokens
        }
        self.replies += reply;
    }

    fn mean(conversations: impl Iterator<Item = Conversation>) -> Conversation {
        let (mut sum, mut count) = (Conversation::default(), 0.0);
        for Conversation { opening, prompts, replies } in conversations {
            sum.opening += opening;
            sum.prompts += prompts;
            sum.replies += replies;
            count += 1.0;
        }
        sum.times(1.0 / f64::max(count, 1.0))
    }

    /// Cut where the context ends.
    fn within(self, context: f64) -> Conversation {
        let all = self.opening + self.prompts + self.replies;
        if all > context { self.times(context / all) } else { self }
    }

    fn times(self, factor: f64) -> Conversation {
        let Conversation { opening, prompts, replies } = self;
        Conversation { opening: opening * factor, prompts: prompts * factor, replies: replies * factor }
    }
}
