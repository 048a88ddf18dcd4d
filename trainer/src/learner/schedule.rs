//! Settings that change over a run.

use crate::recipe::{EntropyDecay, Recipe, Schedule};

/// The learning rate of a step: a linear rise over the warm-up, then the schedule down to its final fraction.
pub fn learning_rate(recipe: &Recipe, step: u32) -> f64 {
    let optimizer = &recipe.optimizer;
    if step < optimizer.warmup_steps {
        return optimizer.learning_rate * f64::from(step + 1) / f64::from(optimizer.warmup_steps + 1);
    }
    let rest = recipe.steps.saturating_sub(optimizer.warmup_steps).max(1);
    let done = f64::from(step - optimizer.warmup_steps) / f64::from(rest);
    let high = match optimizer.schedule {
        Schedule::Constant => return optimizer.learning_rate,
        Schedule::Linear => 1.0 - done,
        Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
    };
    let last = optimizer.final_fraction;
    optimizer.learning_rate * (last + (1.0 - last) * high)
}

/// The weight of the entropy bonus in a step.
pub fn entropy_bonus(recipe: &Recipe, step: u32) -> f64 {
    let bonus = recipe.algorithm.entropy_bonus;
    match recipe.algorithm.entropy_decay {
        EntropyDecay::None => bonus,
        EntropyDecay::Linear => bonus * (1.0 - f64::from(step) / f64::from(recipe.steps.max(1))),
    }
}
