//! The plan as `--dry-run` prints it.

use std::fmt;

use serde::Serialize;
use tch::{Device, Kind};

use super::Plan;
use crate::advantage::Advantage;
use crate::credit::Credit;
use crate::device;
use crate::filter::FilterScope;
use crate::machine::format_bytes;
use crate::objective::loss::Surrogate;
use crate::overlong::CutReplies;
use crate::recipe::{AlgorithmRecipe, EntropyDecay};

/// Two columns: what, and how much. Blank lines part the blocks.
impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks = [run(self), games(self), step(self), algorithm(self), evaluation(self), memory(self)];
        let width = blocks.iter().flatten().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (index, block) in blocks.iter().enumerate() {
            if index > 0 {
                writeln!(formatter)?;
            }
            for (name, value) in block {
                writeln!(formatter, "{name:width$}  {value}")?;
            }
        }
        Ok(())
    }
}

type Rows = Vec<(&'static str, String)>;

fn run(plan: &Plan) -> Rows {
    let recipe = &plan.recipe;
    vec![
        ("run", recipe.name.clone()),
        ("plan", plan.hash.to_string()),
        ("seed", recipe.seed.to_string()),
        ("model", format!("{}{}", recipe.model.source, parameters(plan))),
        ("trained", trained(plan)),
        ("computed", computed(plan)),
        ("steps", thousands(u64::from(recipe.steps))),
        ("episodes in all", thousands(plan.sizes.episodes_of_run)),
        ("optimizer steps in all", format!("at most {}", thousands(plan.sizes.optimizer_steps_of_run_max))),
    ]
}

fn parameters(plan: &Plan) -> String {
    match &plan.shape {
        Some(shape) => format!(" ({:.1} M parameters)", shape.parameters() as f64 / 1e6),
        None => " (not imported yet)".into(),
    }
}

fn trained(plan: &Plan) -> String {
    let Some(lora) = plan.recipe.lora.adapters() else { return "the whole network".into() };
    let count = plan.shape.map(|shape| format!(" ({:.2} M parameters)", shape.in_adapters(&lora) as f64 / 1e6));
    format!("adapters of rank {} on {}{}", lora.rank, lora.targets.join(", "), count.unwrap_or_default())
}

fn computed(plan: &Plan) -> String {
    let device = match device::expected(plan.recipe.model.device) {
        Device::Cuda(number) => format!("CUDA device {number}"),
        _ => "the CPU".into(),
    };
    let kind = if plan.compute == Kind::Float { "float32" } else { "bfloat16" };
    format!("on {device}, in {kind}")
}

fn games(plan: &Plan) -> Rows {
    let kind = format!("{:?}", plan.recipe.task.kind).to_lowercase();
    let combine = format!("{:?}", plan.recipe.task.combine).to_lowercase();
    let mut rows = vec![("task", format!("{kind}, return is the {combine} of the stages' scores less penalties"))];
    for task in &plan.tasks {
        for (stage, index) in task.task.stages().iter().zip(&task.stages) {
            let planned = &plan.stages[*index];
            let others: Vec<String> = stage.others.iter().map(ToString::to_string).collect();
            let against = if others.is_empty() { String::new() } else { format!(" against {}", others.join(", ")) };
            let version = &stage.component.manifest.version;
            let hash = stage.component_hash.short();
            rows.push((
                "stage",
                format!(
                    "{} {version} ({hash}){against}, replies of at most {} tokens",
                    planned.label, planned.reply_tokens
                ),
            ));
        }
    }
    rows
}

fn step(plan: &Plan) -> Rows {
    let (sizes, recipe) = (&plan.sizes, &plan.recipe);
    let oversampled = match recipe.algorithm.oversample_max {
        1 => String::new(),
        times => format!(", at most {times} times"),
    };
    vec![
        (
            "episodes a step",
            format!(
                "{} ({} groups of {}{oversampled})",
                thousands(sizes.episodes),
                recipe.rollout.groups,
                recipe.rollout.group_size
            ),
        ),
        (
            "trajectories trained on",
            format!(
                "at most {} ({} groups)",
                thousands(sizes.trajectories_trained_max),
                thousands(sizes.groups_kept_max)
            ),
        ),
        (
            "sampled tokens a step",
            format!(
                "at most {} ({} an episode)",
                thousands(sizes.sampled_tokens_max),
                thousands(sizes.sampled_tokens_per_episode_max)
            ),
        ),
        ("tokens a step", format!("at most {}, prompts included", thousands(sizes.context_tokens_max))),
        ("optimizer steps a step", format!("at most {}", thousands(sizes.optimizer_steps_max))),
    ]
}

fn algorithm(plan: &Plan) -> Rows {
    let algorithm = &plan.recipe.algorithm;
    vec![
        ("loss", loss(plan)),
        ("advantage", advantage(algorithm)),
        ("filter", filter(algorithm)),
        ("replies that are cut off", cut_replies(algorithm)),
    ]
}

fn loss(plan: &Plan) -> String {
    let algorithm = &plan.recipe.algorithm;
    let surrogate = algorithm.loss.surrogate(algorithm);
    // Bounds are sums, and look better without their rounding.
    let bound = |value: f64| (value * 1e6).round() / 1e6;
    let (low, high) = surrogate.bounds();
    let mut text = as_written(&algorithm.loss);
    text += &match surrogate {
        Surrogate::Clip(_) | Surrogate::Gspo(_) => format!(", ratios clipped to {} … {}", bound(low), bound(high)),
        Surrogate::Cispo(_) => format!(", ratios weigh at most {}", bound(high)),
        Surrogate::Sapo(sapo) => format!(", temperatures {} and {}", sapo.positive, sapo.negative),
    };
    if algorithm.clip_max > 0.0 {
        text += &format!(" and at most {}", algorithm.clip_max);
    }
    if algorithm.kl_weight > 0.0 {
        text += &format!(", KL weight {}", algorithm.kl_weight);
    }
    if algorithm.entropy_bonus > 0.0 {
        let decay = if algorithm.entropy_decay == EntropyDecay::Linear { " (linear)" } else { "" };
        text += &format!(", entropy bonus {}{decay}", algorithm.entropy_bonus);
    }
    text
}

fn advantage(algorithm: &AlgorithmRecipe) -> String {
    let settings = match algorithm.advantage {
        Advantage::Gigpo => format!(" (weight {}, discount {})", algorithm.gigpo_weight, algorithm.gigpo_discount),
        Advantage::Rae => format!(" (decay {})", algorithm.rae_decay),
        Advantage::Grpo | Advantage::DrGrpo | Advantage::Rloo => String::new(),
    };
    let credit = match algorithm.credit {
        Credit::Task => "of the whole task",
        Credit::Stage => "of each stage",
        Credit::Reply => "of each stage, penalties at their own replies",
    };
    format!("{}{settings}, {credit}", as_written(&algorithm.advantage))
}

fn filter(algorithm: &AlgorithmRecipe) -> String {
    let groups = match algorithm.filter_scope {
        FilterScope::All => "the groups",
        FilterScope::Task => "each task's groups",
    };
    let share = (algorithm.keep_fraction * 1e4).round() / 1e2;
    format!("{share} % of {groups}, those whose returns differ most")
}

fn cut_replies(algorithm: &AlgorithmRecipe) -> String {
    match algorithm.cut_replies {
        CutReplies::Keep => "trained on as any other".into(),
        CutReplies::Mask => "left out of the loss".into(),
        CutReplies::Penalize => format!(
            "cost {}, and less within {} tokens before the limit",
            algorithm.overlong_penalty, algorithm.overlong_tokens
        ),
    }
}

/// A choice by its name in a recipe.
fn as_written<T: Serialize>(choice: &T) -> String {
    // Such choices are written as strings.
    serde_json::to_value(choice).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn evaluation(plan: &Plan) -> Rows {
    let mut rows = vec![(
        "evaluation",
        format!(
            "{} episodes, temperature {}",
            thousands(plan.sizes.evaluation_episodes),
            plan.recipe.evaluation.temperature
        ),
    )];
    rows.extend(
        plan.evaluations.iter().map(|evaluation| ("", format!("{}, {}", evaluation.name, evaluation.episodes))),
    );
    rows
}

fn memory(plan: &Plan) -> Rows {
    let Some(memory) = &plan.memory else {
        return vec![("memory", "known once the model is imported".into())];
    };
    vec![
        ("memory", format!("about {} at most", format_bytes(memory.peak))),
        ("  weights", format_bytes(memory.weights)),
        ("  gradients", format_bytes(memory.gradients)),
        ("  optimizer", format_bytes(memory.optimizer)),
        ("  rollout: cache", format_bytes(memory.cache)),
        ("  rollout: logits", format_bytes(memory.sampling_logits)),
        ("  update: activations", format_bytes(memory.activations)),
        ("  update: logits", format_bytes(memory.loss_logits)),
        (
            "a checkpoint on disk",
            format!("{}, {} kept", format_bytes(memory.checkpoint()), plan.recipe.checkpoint.keep),
        ),
    ]
}

/// `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn thousands_are_parted_by_commas() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (100_000, "100,000")];
        for (number, text) in cases {
            assert_eq!(thousands(number), text);
        }
    }
}
