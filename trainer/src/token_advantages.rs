//! From the trajectories of a group to an advantage for each token.
//!
//! ```text
//! advantage of a token = that of its stage, or of the whole task
//!                      - what its own reply cost, where the recipe leaves that to the reply
//!                      + gigpo_weight * that of its reply among all given in the same position, under GiGPO
//! ```

use ludus_host::result::StageResult;

use crate::advantage::rae::Baselines;
use crate::advantage::{Advantage, gigpo};
use crate::credit::{Compared, Credit, Played};
use crate::plan::Plan;
use crate::rollout::{Trajectory, Turn};

/// What of a trajectory is compared with others of its group.
pub fn played<'a>(plan: &Plan, trajectory: &'a Trajectory) -> Played<'a> {
    let result = &trajectory.finished.result;
    let places = &plan.tasks[trajectory.job.task].stages;
    // A further seat has one role, that of its stage.
    let is_its_own = |index: usize| trajectory.further.is_none_or(|seat| seat.stage == index);
    let role = |(index, (place, stage)): (usize, (&usize, &StageResult))| match is_its_own(index) {
        true => format!("{}:{}", plan.stages[*place].label, stage.learner_seat),
        false => String::new(),
    };
    let mut overlong = vec![0.0; result.stages.len()];
    for (turn, cost) in trajectory.turns.iter().zip(overlong_costs(plan, trajectory)) {
        overlong[stage_of(trajectory, turn)] += cost;
    }
    Played { result, overlong, roles: places.iter().zip(&result.stages).enumerate().map(role).collect() }
}

/// For each member of a group, the advantage of each of its tokens; zero where none was sampled.
pub fn of_group(plan: &Plan, compared: &Compared, group: &[Trajectory], baselines: &mut Baselines) -> Vec<Vec<f32>> {
    let algorithm = &plan.recipe.algorithm;
    let scales = compared.penalty_scales(algorithm.advantage);
    let of_stages = compared.advantages(algorithm.advantage, baselines);
    let of_positions = (algorithm.advantage == Advantage::Gigpo).then(|| of_positions(plan, group));
    let of_member = |(member, trajectory): (usize, &Trajectory)| {
        let mut tokens = vec![0.0; trajectory.tokens.len()];
        for (index, (turn, cost)) in trajectory.turns.iter().zip(costs(plan, trajectory)).enumerate() {
            let stage = stage_of(trajectory, turn);
            let mut advantage = of_stages[member][stage] - cost * scales[stage];
            if let Some(of_positions) = &of_positions {
                advantage += algorithm.gigpo_weight * of_positions[member][index];
            }
            tokens[turn.tokens.clone()].fill(advantage as f32);
        }
        tokens
    };
    group.iter().enumerate().map(of_member).collect()
}

/// For each member, the advantage of each of its replies among all that the group gave in the same position.
fn of_positions(plan: &Plan, group: &[Trajectory]) -> Vec<Vec<f64>> {
    let algorithm = &plan.recipe.algorithm;
    let mut found: Vec<Vec<f64>> = group.iter().map(|trajectory| vec![0.0; trajectory.turns.len()]).collect();
    let stages = group.first().map_or(0, |trajectory| trajectory.finished.result.stages.len());
    for part in algorithm.credit.parts(stages) {
        let (mut places, mut replies) = (Vec::new(), Vec::new());
        for (member, trajectory) in group.iter().enumerate() {
            let turns: Vec<usize> = (0..trajectory.turns.len())
                .filter(|&turn| part.contains(&stage_of(trajectory, &trajectory.turns[turn])))
                .collect();
            let rewards = rewards(plan, trajectory, &part, &turns);
            for (&turn, value) in turns.iter().zip(gigpo::returns(&rewards, algorithm.gigpo_discount)) {
                places.push((member, turn));
                replies.push((trajectory.turns[turn].position, value));
            }
        }
        for ((member, turn), advantage) in places.into_iter().zip(gigpo::advantages(&replies)) {
            found[member][turn] = advantage;
        }
    }
    found
}

/// What came of each of these replies: what it cost, and with the last one the score of the part.
fn rewards(plan: &Plan, trajectory: &Trajectory, part: &[usize], turns: &[usize]) -> Vec<f64> {
    let credit = plan.recipe.algorithm.credit;
    let result = &trajectory.finished.result;
    let costs = costs(plan, trajectory);
    // Under `reply` a cost counts at its own reply already.
    let cost = |&turn: &usize| if credit == Credit::Reply { 0.0 } else { -costs[turn] };
    let mut rewards: Vec<f64> = turns.iter().map(cost).collect();
    if let Some(last) = rewards.last_mut() {
        *last += match credit {
            Credit::Task => result.combined,
            Credit::Stage | Credit::Reply => part.iter().map(|&stage| result.stages[stage].score).sum(),
        };
    }
    rewards
}

/// What each reply cost: because it failed, and because it was long.
fn costs(plan: &Plan, trajectory: &Trajectory) -> Vec<f64> {
    let failed = trajectory.turns.iter().map(|turn| f64::from(trajectory.penalties[turn.tokens.start]));
    failed.zip(overlong_costs(plan, trajectory)).map(|(failed, long)| failed + long).collect()
}

fn overlong_costs(plan: &Plan, trajectory: &Trajectory) -> Vec<f64> {
    let Some(overlong) = plan.recipe.algorithm.overlong() else { return vec![0.0; trajectory.turns.len()] };
    let places = &plan.tasks[trajectory.job.task].stages;
    let cost = |turn: &Turn| {
        let limit = plan.stages[places[stage_of(trajectory, turn)]].reply_tokens;
        overlong.cost(turn.tokens.len(), limit)
    };
    trajectory.turns.iter().map(cost).collect()
}

fn stage_of(trajectory: &Trajectory, turn: &Turn) -> usize {
    trajectory.stages[turn.tokens.start]
}
