//! A recipe is what a person writes: the model, the games and how they are chained, how the model is asked, and the
//! settings of the algorithm. It is TOML; every key has a default or is required, and an unknown key is refused.
//!
//! A recipe is only words: nothing here looks at a game, a model or the machine. [`crate::plan::Plan::from_recipe`]
//! turns it into what is meant, in one checked step. How it is found and read is [`read`]'s, `--set` is [`set`]'s.
//!
//! The `Default` implementations stand beside their struct so that a key's meaning and its default are read together.

mod algorithm;
pub mod keys;
mod lora;
mod opponents;
pub mod read;
pub mod set;

use std::collections::BTreeMap;

use ludus_host::endpoint::EndpointConfigs;
use ludus_host::reply::ReplyFormat;
use ludus_host::task::{Combine, LearnerSeat, OnFailure, OnIllegal, OpponentStream, Truncation};
use serde::{Deserialize, Serialize};

use crate::device::DeviceChoice;

pub use self::algorithm::{AlgorithmRecipe, EntropyDecay};
pub use self::lora::LoraRecipe;
pub use self::opponents::{DrawFromPool, FrozenRecipe, SelfPlayRecipe};

/// One training run, as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The run's default name: its folder under `runs/`. Letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Every draw of the run comes from this: deals, opponents, sampling, the order of minibatches. Default 1.
    #[serde(default = "one_seed")]
    pub seed: u64,
    /// Training steps; each is one rollout and the updates on it. 0 only evaluates.
    pub steps: u32,
    /// Ends training after the step with which so many tokens were sampled, if steps are left; 0 does not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sampled_tokens_max: u64,
    #[serde(default)]
    pub model: ModelRecipe,
    #[serde(default)]
    pub lora: LoraRecipe,
    /// Models that play seats and do not learn: `[models.NAME]` is the player `model:NAME`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, FrozenRecipe>,
    /// Models behind servers: `[endpoints.NAME]` is the player `endpoint:NAME`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: EndpointConfigs,
    #[serde(default, skip_serializing_if = "SelfPlayRecipe::is_default")]
    pub self_play: SelfPlayRecipe,
    #[serde(default)]
    pub task: TaskRecipe,
    #[serde(default)]
    pub reply: ReplyRecipe,
    /// The games, in the order in which a nested task plays them. At least one.
    #[serde(rename = "stage")]
    pub stages: Vec<StageRecipe>,
    #[serde(default)]
    pub rollout: RolloutRecipe,
    #[serde(default)]
    pub algorithm: AlgorithmRecipe,
    #[serde(default)]
    pub optimizer: OptimizerRecipe,
    #[serde(default)]
    pub evaluation: EvaluationRecipe,
    #[serde(default)]
    pub checkpoint: CheckpointRecipe,
}

/// `[model]`: what is trained, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelRecipe {
    /// `smollm2-135m-instruct`, which set-up puts into the cache, a folder in Hugging Face's layout, a `.gguf` file, or a Hub id
    /// (`owner/name`).
    pub source: String,
    /// The number format of forward and backward passes. Weights that are trained, gradients and optimizer state are float32
    /// always.
    pub precision: Precision,
    /// `auto` (the first CUDA device, else the CPU), `cpu`, `cuda` or `cuda:N`.
    pub device: DeviceChoice,
    /// CPU threads of libtorch; 0 takes all cores.
    pub threads: u32,
}

impl Default for ModelRecipe {
    fn default() -> Self {
        ModelRecipe {
            source: "smollm2-135m-instruct".into(),
            precision: Precision::Auto,
            device: DeviceChoice::Auto,
            threads: 0,
        }
    }
}

/// The number format of the network's passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// bfloat16 where the device is faster with it, else float32.
    Auto,
    Float32,
    Bfloat16,
}

/// `[task]`: how the stages make episodes, and how their scores make a return.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskRecipe {
    pub kind: TaskKind,
    /// What a nested episode's return is made of its stages' scores by: `mean`, `product`, `min` or `all`.
    pub combine: Combine,
    /// After a stage whose score is below its threshold: `continue` with the next one, or `stop`.
    pub on_failure: OnFailure,
    /// Whether the model is told each stage's score when it ends.
    pub reveal: bool,
    /// When the context runs out: `keep` the scores of finished stages, or `forfeit` them.
    pub truncation: Truncation,
    /// Taken from the return for each reply that holds no move (return points, at least 0).
    pub malformed_penalty: f64,
    /// Taken from the return for each move that the game rejects (return points, at least 0).
    pub illegal_penalty: f64,
    /// Whether sandboxed opponents draw from one stream for a whole `group` (same history, same reply) or from one for
    /// each `episode`.
    pub opponent_stream: OpponentStream,
}

impl Default for TaskRecipe {
    fn default() -> Self {
        TaskRecipe {
            kind: TaskKind::Nested,
            combine: Combine::Mean,
            on_failure: OnFailure::Continue,
            reveal: false,
            truncation: Truncation::Keep,
            malformed_penalty: 0.1,
            illegal_penalty: 0.1,
            opponent_stream: OpponentStream::Group,
        }
    }
}

/// How the stages are handed out to episodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    /// Each episode plays all stages in order, in one conversation ("AND").
    Nested,
    /// Each group plays one stage, drawn from the seed ("OR").
    Mixed,
    /// All groups of step k play stage k mod K.
    Alternate,
    /// There is one stage.
    Single,
}

/// `[reply]`: how the model is asked, and what a reply looks like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReplyRecipe {
    /// `bare`: the reply's first line is the move. `tags`: `<think>…</think> <answer>MOVE</answer>`.
    pub format: ReplyFormat,
    /// The system text of every conversation; empty leaves it out.
    pub system: String,
    /// Text that begins each reply for the model: context, never trained on. Part of the reply that is parsed.
    pub prefix: String,
    /// The most new tokens in one reply.
    pub tokens: u32,
    /// Texts that end a reply, such as `"\n"` or `"</answer>"`, besides the model's own end of a turn. They stay in it.
    pub stop: Vec<String>,
}

impl Default for ReplyRecipe {
    fn default() -> Self {
        ReplyRecipe {
            format: ReplyFormat::Bare,
            system: String::new(),
            prefix: String::new(),
            tokens: 16,
            stop: Vec::new(),
        }
    }
}

/// `[[stage]]`: one game, who sits where, and what the model is shown before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageRecipe {
    /// The game's name (`tictactoe`), or the path of a component.
    pub game: String,
    /// The game's options; `ludus games --json` shows them. Checked against the game's own schema.
    #[serde(default = "no_options")]
    pub options: serde_json::Value,
    /// Seats at the table. Default: as few as the game allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<u32>,
    /// The learner's seat: `"random"` (drawn for each group) or a number from 0.
    #[serde(default = "random_seat")]
    pub learner: LearnerSeat,
    /// Who plays the other seats, in seat order; the last name stands for all that remain.
    /// `random`, `house:NAME`, `search:PLAYOUTS`, `script:MOVE,MOVE`, `learner` (self-play), `model:NAME` (of `[models]`),
    /// `model:past` (of `[self_play]`) or `endpoint:NAME` (of `[endpoints]`).
    #[serde(default = "random_players")]
    pub players: Vec<String>,
    /// Whether it is trained on; else it is only evaluated.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub train: bool,
    /// Tries for one decision before `on_illegal` applies.
    #[serde(default = "three_attempts")]
    pub attempts: u32,
    /// After the last try: `forfeit` the stage (score 0), or let a `random` legal move (or the `fallback`'s) stand in.
    #[serde(default = "forfeit")]
    pub on_illegal: OnIllegal,
    /// Who stands in for a seat that has used up its tries: `random`, or `house:NAME`.
    #[serde(default = "random_player", skip_serializing_if = "is_random")]
    pub fallback: String,
    /// The score from which the stage counts as passed (0 to 1), for `combine = "all"` and `on_failure = "stop"`.
    #[serde(default = "half")]
    pub threshold: f64,
    /// Solved turns that stand before the first turn of an episode which plays this stage.
    #[serde(default)]
    pub examples: Vec<Example>,
    /// The players that it is evaluated against, one evaluation each, all other seats alike.
    #[serde(default = "random_players")]
    pub evaluate: Vec<String>,
    /// Players that `ludus-train evaluate` measures in the learner's place, to compare with.
    #[serde(default = "random_players", skip_serializing_if = "is_random_alone")]
    pub references: Vec<String>,
    /// Overrides `evaluation.episodes` for this stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluate_episodes: Option<u32>,
    /// Overrides `reply.tokens` for this stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_tokens: Option<u32>,
    /// Overrides `reply.prefix` for this stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_prefix: Option<String>,
}

/// One solved turn: what a game might ask, and a good reply (with its prefix, if replies have one).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    pub prompt: String,
    pub reply: String,
}

/// `[rollout]`: how many episodes a step plays, and how replies are sampled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutRecipe {
    /// Groups a step; each has a task and a deal of its own.
    pub groups: u32,
    /// Episodes in a group, compared with each other. At least 2.
    pub group_size: u32,
    /// Divides the logits before sampling; above 0.
    pub temperature: f64,
    /// Samples from the smallest set of tokens whose probabilities sum to this; 1 turns it off.
    pub top_p: f64,
    /// Samples from this many most likely tokens; 0 turns it off.
    pub top_k: u32,
    /// Leaves out tokens less likely than this times the likeliest one; 0 turns it off.
    pub min_p: f64,
    /// The most tokens of one conversation, prompts and replies together; past it the episode is truncated.
    pub context_tokens: u32,
    /// Episodes that generate at the same time (rows of the key-value cache).
    pub batch_rows: u32,
}

impl Default for RolloutRecipe {
    fn default() -> Self {
        RolloutRecipe {
            groups: 8,
            group_size: 8,
            temperature: 1.0,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            context_tokens: 1024,
            batch_rows: 64,
        }
    }
}

/// `[optimizer]`: AdamW with float32 state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerRecipe {
    /// The highest learning rate, reached after the warm-up.
    pub learning_rate: f64,
    pub schedule: Schedule,
    /// Steps over which the learning rate rises linearly from 0.
    pub warmup_steps: u32,
    /// Where `linear` and `cosine` end, as a fraction of `learning_rate`.
    pub final_fraction: f64,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay, times the learning rate.
    pub weight_decay: f64,
    /// The largest Euclidean norm of all gradients together; 0 turns clipping off.
    pub gradient_clip: f64,
    /// Where several ranks train together: whether each holds the moments of its share of the parameters alone (ZeRO-1). It
    /// changes no result.
    pub sharded: bool,
}

impl Default for OptimizerRecipe {
    fn default() -> Self {
        OptimizerRecipe {
            learning_rate: 1e-6,
            schedule: Schedule::Constant,
            warmup_steps: 0,
            final_fraction: 0.0,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
            gradient_clip: 1.0,
            sharded: false,
        }
    }
}

/// How the learning rate goes on after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    Constant,
    Linear,
    Cosine,
}

/// `[evaluation]`: each stage alone against each player of its `evaluate`, on seeds that training never sees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationRecipe {
    /// Episodes for each stage and player.
    pub episodes: u32,
    /// Divides the logits; 0 takes the likeliest token.
    pub temperature: f64,
    /// The first evaluation seed; episode i has this plus i.
    pub seed: u64,
    /// What happens after the last try at a decision, whatever the stages say: `forfeit` counts nothing as skill that a
    /// stand-in played.
    pub on_illegal: OnIllegal,
    /// Plays each deal from every seat in turn, instead of from the stage's learner seat.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub every_seat: bool,
    /// Evaluates after each so many steps too; 0: only before the first step and after the last.
    pub every: u32,
}

impl Default for EvaluationRecipe {
    fn default() -> Self {
        EvaluationRecipe {
            episodes: 200,
            temperature: 0.5,
            seed: 1_000_000_000,
            on_illegal: OnIllegal::Forfeit,
            every_seat: false,
            every: 0,
        }
    }
}

/// `[checkpoint]`: what is saved while training. The last step is saved always.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointRecipe {
    /// Saves after each so many steps; 0 only at the end.
    pub every: u32,
    /// How many of the newest checkpoints stay. At least 1.
    pub keep: u32,
}

impl Default for CheckpointRecipe {
    fn default() -> Self {
        CheckpointRecipe { every: 10, keep: 2 }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

fn one_seed() -> u64 {
    1
}

fn no_options() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

fn random_seat() -> LearnerSeat {
    LearnerSeat::Random
}

fn random_players() -> Vec<String> {
    vec!["random".into()]
}

fn random_player() -> String {
    "random".into()
}

fn is_random_alone(players: &[String]) -> bool {
    players == ["random"]
}

fn is_random(player: &str) -> bool {
    player == "random"
}

fn three_attempts() -> u32 {
    3
}

fn forfeit() -> OnIllegal {
    OnIllegal::Forfeit
}

fn half() -> f64 {
    0.5
}
