//! The ranges of a recipe's numbers, and what does not go together: what no type can say. Who may play is [`super::players`]'s.

use super::{PlanError, players};
use crate::model::lora::TARGETS;
use crate::overlong::CutReplies;
use crate::recipe::{Recipe, TaskKind};

/// The largest number of tokens, episodes or groups that a key may ask for: products of sizes stay far inside 64 bits.
const SIZE_MAX: u32 = 1 << 20;
/// The most episodes of one step.
const EPISODES_MAX: u64 = 1 << 20;
/// A run's name is a folder's.
const NAME_BYTES_MAX: usize = 100;

/// Refuses the first value that is out of range.
///
/// # Errors
/// Names the key, its value, and what is allowed.
pub fn ranges(recipe: &Recipe) -> Result<(), PlanError> {
    let name_is_fine = !recipe.name.is_empty()
        && !recipe.name.starts_with('.')
        && recipe.name.len() <= NAME_BYTES_MAX
        && recipe.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let stages = recipe.stages.len();
    let trained = recipe.stages.iter().filter(|stage| stage.train).count();
    let single = recipe.task.kind == TaskKind::Single;
    let (rollout, algorithm) = (&recipe.rollout, &recipe.algorithm);
    let (optimizer, evaluation) = (&recipe.optimizer, &recipe.evaluation);
    let size_range = "write 1 to 1048576";
    let not_negative = "write 0 or more";
    let positive = "write a number above 0";
    let below_one = "write a number from 0 to below 1";
    let share = "write a number above 0 and at most 1";

    need(
        name_is_fine,
        "name",
        format!("`{}`", recipe.name),
        "a run's name has at most 100 letters, digits, `-`, `_` and `.`, and no dot first",
    )?;
    need(stages >= 1, "stage", "empty", "write at least one [[stage]] with a `game`")?;
    need(trained >= 1, "stage.train", "false in all", "leave at least one [[stage]] to be trained on")?;
    need(!single || trained == 1, "task.kind", "single", "with several [[stage]] write nested, mixed or alternate")?;
    for (key, value) in [
        ("task.malformed_penalty", recipe.task.malformed_penalty),
        ("task.illegal_penalty", recipe.task.illegal_penalty),
        ("algorithm.entropy_bonus", algorithm.entropy_bonus),
        ("algorithm.kl_weight", algorithm.kl_weight),
        ("algorithm.clip_max", algorithm.clip_max),
        ("algorithm.gigpo_weight", algorithm.gigpo_weight),
        ("algorithm.overlong_penalty", algorithm.overlong_penalty),
        ("optimizer.weight_decay", optimizer.weight_decay),
        ("optimizer.gradient_clip", optimizer.gradient_clip),
    ] {
        need(value.is_finite() && value >= 0.0, key, value, not_negative)?;
    }
    // Beyond these bounds every number that follows is infinite or a rounding error.
    let rate = optimizer.learning_rate;
    need((0.0..=1.0).contains(&rate), "optimizer.learning_rate", rate, "write a number from 0 to 1")?;
    let warmth = rollout.temperature;
    need((0.01..=100.0).contains(&warmth), "rollout.temperature", warmth, "write a number from 0.01 to 100")?;
    let warmth = evaluation.temperature;
    need(
        warmth == 0.0 || (0.01..=100.0).contains(&warmth),
        "evaluation.temperature",
        warmth,
        "write 0, or a number from 0.01 to 100",
    )?;
    for (key, value) in [
        ("algorithm.clip_high", algorithm.clip_high),
        ("algorithm.sapo_temperature_positive", algorithm.sapo_temperature_positive),
        ("algorithm.sapo_temperature_negative", algorithm.sapo_temperature_negative),
        ("optimizer.epsilon", optimizer.epsilon),
    ] {
        need(value.is_finite() && value > 0.0, key, value, positive)?;
    }
    for (key, value) in [
        ("rollout.min_p", rollout.min_p),
        ("algorithm.rae_decay", algorithm.rae_decay),
        ("optimizer.beta1", optimizer.beta1),
        ("optimizer.beta2", optimizer.beta2),
    ] {
        need((0.0..1.0).contains(&value), key, value, below_one)?;
    }
    for (key, value) in [
        ("rollout.top_p", rollout.top_p),
        ("algorithm.keep_fraction", algorithm.keep_fraction),
        ("algorithm.clip_low", algorithm.clip_low),
        ("algorithm.gigpo_discount", algorithm.gigpo_discount),
    ] {
        need(value > 0.0 && value <= 1.0, key, value, share)?;
    }
    let fraction = optimizer.final_fraction;
    need((0.0..=1.0).contains(&fraction), "optimizer.final_fraction", fraction, "write a number from 0 to 1")?;
    for (key, value) in [
        ("reply.tokens", recipe.reply.tokens),
        ("rollout.groups", rollout.groups),
        ("rollout.context_tokens", rollout.context_tokens),
        ("rollout.batch_rows", rollout.batch_rows),
        ("algorithm.groups_min", algorithm.groups_min),
        ("algorithm.oversample_max", algorithm.oversample_max),
        ("algorithm.epochs", algorithm.epochs),
        ("algorithm.minibatches", algorithm.minibatches),
        ("algorithm.pack_tokens", algorithm.pack_tokens),
        ("evaluation.episodes", evaluation.episodes),
        ("checkpoint.keep", recipe.checkpoint.keep),
        ("self_play.keep", recipe.self_play.keep),
    ] {
        need((1..=SIZE_MAX).contains(&value), key, value, size_range)?;
    }
    need(recipe.model.threads <= 1024, "model.threads", recipe.model.threads, "write at most 1024; 0 takes all cores")?;
    need(
        u64::from(recipe.reply.tokens) < u64::from(rollout.context_tokens),
        "reply.tokens",
        recipe.reply.tokens,
        "a reply has to leave room for its prompt within rollout.context_tokens",
    )?;
    let warmup = optimizer.warmup_steps;
    need(warmup <= SIZE_MAX, "optimizer.warmup_steps", warmup, "write a whole number from 0 to 1048576")?;
    let size = rollout.group_size;
    need((2..=SIZE_MAX).contains(&size), "rollout.group_size", size, "a group compares 2 to 1048576 episodes")?;
    let episodes = u64::from(rollout.groups) * u64::from(size);
    need(
        episodes.saturating_mul(u64::from(algorithm.oversample_max)) <= EPISODES_MAX,
        "rollout.groups",
        rollout.groups,
        "rollout.groups times rollout.group_size times algorithm.oversample_max is at most 1048576 episodes a step",
    )?;
    let groups_min = algorithm.groups_min;
    need(
        u64::from(groups_min) <= super::kept_groups_max(recipe),
        "algorithm.groups_min",
        groups_min,
        "the filter (rollout.groups times algorithm.keep_fraction) never leaves so many groups, so no step would train",
    )?;
    let empty = recipe.reply.stop.iter().any(String::is_empty);
    need(!empty, "reply.stop", "an empty text", "every reply would end at once: leave it out")?;
    combinations(recipe)?;
    adapters(recipe)?;
    for (index, stage) in recipe.stages.iter().enumerate() {
        if let Some(tokens) = stage.reply_tokens {
            need((1..=SIZE_MAX).contains(&tokens), &format!("stage.{index}.reply_tokens"), tokens, size_range)?;
        }
        if let Some(episodes) = stage.evaluate_episodes {
            let key = format!("stage.{index}.evaluate_episodes");
            need((1..=SIZE_MAX).contains(&episodes), &key, episodes, size_range)?;
        }
        players::check(recipe, index)?;
        let attempts = stage.attempts;
        need((1..=1000).contains(&attempts), &format!("stage.{index}.attempts"), attempts, "write 1 to 1000")?;
        let repeated = stage.evaluate.iter().enumerate().find(|(at, player)| stage.evaluate[..*at].contains(player));
        let repeated = repeated.map_or("", |(_, player)| player);
        need(repeated.is_empty(), &format!("stage.{index}.evaluate"), repeated, "name each player once")?;
        let players = if stage.evaluate.is_empty() { "empty" } else { "there" };
        need(
            players == "there",
            &format!("stage.{index}.evaluate"),
            players,
            "name at least one player, such as \"random\"",
        )?;
    }
    Ok(())
}

/// The settings of adapters.
fn adapters(recipe: &Recipe) -> Result<(), PlanError> {
    let lora = &recipe.lora;
    need(lora.rank <= 4096, "lora.rank", lora.rank, "write at most 4096; 0 trains the whole network")?;
    need(lora.alpha.is_finite() && lora.alpha > 0.0, "lora.alpha", lora.alpha, "write a number above 0")?;
    let targets = &lora.targets;
    let wrong = targets
        .iter()
        .enumerate()
        .find(|(index, target)| !TARGETS.contains(&target.as_str()) || targets[..*index].contains(target));
    need(
        wrong.is_none() && !targets.is_empty(),
        "lora.targets",
        wrong.map_or("empty", |(_, target)| target),
        "name each once of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and down_proj",
    )
}

/// Settings of the algorithm that say nothing together.
fn combinations(recipe: &Recipe) -> Result<(), PlanError> {
    let algorithm = &recipe.algorithm;
    let (bound, loss) = (algorithm.clip_max, algorithm.loss);
    need(
        bound == 0.0 || loss.clips(),
        "algorithm.clip_max",
        bound,
        "cispo and sapo do not clip, so leave it at 0, or choose another algorithm.loss",
    )?;
    need(
        bound == 0.0 || bound > 1.0 + algorithm.clip_high,
        "algorithm.clip_max",
        bound,
        "write 0, or a number above 1 plus algorithm.clip_high, which already holds what is below",
    )?;
    let (ramp, weight) = (algorithm.overlong_tokens, algorithm.overlong_penalty);
    let limits = recipe.stages.iter().map(|stage| stage.reply_tokens.unwrap_or(recipe.reply.tokens));
    let shortest = limits.min().unwrap_or(0);
    let penalizes = algorithm.cut_replies == CutReplies::Penalize;
    need(
        penalizes || ramp == 0,
        "algorithm.overlong_tokens",
        ramp,
        "only algorithm.cut_replies = \"penalize\" makes length cost anything, so write that, or leave it at 0",
    )?;
    need(
        penalizes || weight == 0.0,
        "algorithm.overlong_penalty",
        weight,
        "only algorithm.cut_replies = \"penalize\" makes length cost anything, so write that, or leave it at 0",
    )?;
    need(
        !penalizes || (1..=shortest).contains(&ramp),
        "algorithm.overlong_tokens",
        ramp,
        "under algorithm.cut_replies = \"penalize\" write 1 to the fewest tokens that a stage's replies may have",
    )?;
    need(
        !penalizes || weight > 0.0,
        "algorithm.overlong_penalty",
        weight,
        "under algorithm.cut_replies = \"penalize\" write a number above 0",
    )
}

pub(super) fn need(holds: bool, key: &str, value: impl ToString, allowed: &'static str) -> Result<(), PlanError> {
    if holds {
        return Ok(());
    }
    Err(PlanError::OutOfRange { key: key.into(), value: value.to_string(), allowed })
}
