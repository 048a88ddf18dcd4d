//! Losses, advantages and filters from end to end, on a small random model and the real games.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use ludus_host::task::Penalties;
use ludus_tests::{Silent, StopAfterOneStep, device, learner, library, plan, run, small_model};
use ludus_trainer::advantage::rae::Baselines;
use ludus_trainer::batch::Batch;
use ludus_trainer::checkpoint;
use ludus_trainer::gradients;
use ludus_trainer::learner::{Learner, asked_task};
use ludus_trainer::model::llama::{Llama, Weights};
use ludus_trainer::objective::Objective;
use ludus_trainer::objective::kl::Kl;
use ludus_trainer::pack::Pack;
use ludus_trainer::plan::Plan;
use ludus_trainer::rollout::{Job, Trajectory};
use ludus_trainer::token_advantages;
use ludus_trainer::train::Outcome;
use ludus_trainer::watch::Watch;
use tch::{Kind, Tensor};

const LOSSES: [&str; 7] = ["grpo", "bnpo", "dapo", "dr_grpo", "cispo", "sapo", "gspo"];

/// One group on the nested task.
fn group(plan: &Plan, learner: &Learner<'_>) -> Vec<Trajectory> {
    let task = asked_task(plan, &plan.tasks[0].stages, &plan.tasks[0].stages, &plan.tasks[0].task);
    let jobs: Vec<Job> = (0..4).map(|member| Job { task: 0, group: 0, seed: 11, member }).collect();
    learner.play(std::slice::from_ref(&task), &jobs, 1.0, &mut |_| {}).unwrap()
}

/// Advantages that differ from member to member and from stage to stage, for each token.
fn advantages(trajectories: &[Trajectory]) -> Vec<Vec<f32>> {
    let of_member = |member: usize| move |&stage: &usize| member as f32 - 1.5 + stage as f32;
    trajectories
        .iter()
        .enumerate()
        .map(|(member, trajectory)| trajectory.stages.iter().map(of_member(member)).collect())
        .collect()
}

/// The packs of a group, as the plan's loss weighs their tokens.
fn packs(plan: &Plan, trajectories: &[Trajectory], advantages: &[Vec<f32>]) -> Vec<Pack> {
    let all = 0..trajectories.len();
    Batch::of(plan, trajectories, std::slice::from_ref(&all), &[0], advantages).packs(all.clone())
}

fn objective<'a>(plan: &Plan, start: Option<&'a Weights>) -> Objective<'a> {
    let algorithm = &plan.recipe.algorithm;
    Objective {
        surrogate: algorithm.loss.surrogate(algorithm),
        kl: start.map(|start| Kl { weight: algorithm.kl_weight, start }),
        entropy_bonus: 0.01,
        recompute: false,
        temperature: 1.0,
    }
}

/// For each member of a group, the advantage of each of its tokens.
fn advantages_of(plan: &Plan, group: &[Trajectory]) -> Vec<Vec<f32>> {
    let task = &plan.recipe.task;
    let penalties = Penalties { malformed: task.malformed_penalty, illegal: task.illegal_penalty };
    let played: Vec<_> = group.iter().map(|trajectory| token_advantages::played(plan, trajectory)).collect();
    let compared = plan.recipe.algorithm.credit.compare(&played, penalties);
    token_advantages::of_group(plan, &compared, group, &mut Baselines::new(0.5))
}

/// The gradients of all parameters in a row.
fn gradient(learner: &mut Learner<'_>, objective: &Objective<'_>, packs: &[Pack]) -> Tensor {
    for pack in packs {
        objective.backward(&learner.llama, pack);
    }
    let all: Vec<Tensor> = learner.llama.parameters.iter().map(|(_, tensor)| tensor.grad().copy().view([-1])).collect();
    gradients::clear(&mut learner.llama.parameters);
    Tensor::cat(&all, 0)
}

fn assert_close(found: &Tensor, expected: &Tensor, what: &str) {
    let scale = expected.abs().max().double_value(&[]);
    let apart = (found - expected).abs().max().double_value(&[]);
    assert!(scale > 0.0, "{what}: there is no gradient");
    assert!(apart < 1e-4 * scale, "{what}: {apart} apart at {scale}");
}

/// Moves every parameter a little, so that ratios leave 1.
fn disturb(learner: &mut Learner<'_>) {
    tch::no_grad(|| {
        for (index, (_, parameter)) in learner.llama.parameters.iter_mut().enumerate() {
            let shift = parameter.sin() * (0.1 + 0.01 * index as f64);
            *parameter += shift;
        }
    });
}

#[test]
fn under_every_loss_packs_of_any_size_add_up_to_the_same_gradient_off_policy_too() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    for loss in LOSSES {
        let gradient_of = |pack_tokens: &str| {
            let changes = [&format!("algorithm.loss={loss}"), pack_tokens, "algorithm.kl_weight=0.1"];
            let plan = plan(&model, &library, &changes);
            let mut learner = learner(&plan, &model);
            let trajectories = group(&plan, &learner);
            let advantages = advantages(&trajectories);
            let packs = packs(&plan, &trajectories, &advantages);
            let start = tch::no_grad(|| Llama::load(&model, device(), Kind::Float).unwrap().weights());
            disturb(&mut learner);
            (gradient(&mut learner, &objective(&plan, Some(&start)), &packs), packs.len())
        };
        let ((alone, many), (together, one)) =
            (gradient_of("algorithm.pack_tokens=1"), gradient_of("algorithm.pack_tokens=100000"));
        assert_eq!((many, one), (4, 1));
        assert_close(&alone, &together, loss);
    }
}

#[test]
fn on_policy_every_loss_that_weighs_tokens_alike_has_the_same_gradient() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    let gradient_of = |loss: &str| {
        let plan = plan(&model, &library, &[&format!("algorithm.loss={loss}")]);
        let mut learner = learner(&plan, &model);
        let trajectories = group(&plan, &learner);
        let advantages = advantages(&trajectories);
        let packs = packs(&plan, &trajectories, &advantages);
        gradient(&mut learner, &objective(&plan, None), &packs)
    };
    for (one, others) in [("dapo", ["bnpo", "cispo"]), ("grpo", ["sapo", "gspo"])] {
        let expected = gradient_of(one);
        for other in others {
            assert_close(&gradient_of(other), &expected, other);
        }
    }
}

/// The policy moves away from the first weights; the KL term alone pulls it back, and is zero where nothing has moved.
#[test]
fn the_kl_term_has_a_gradient_only_where_the_policy_has_moved() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    let plan = plan(&model, &library, &["algorithm.kl_weight=1"]);
    let mut learner = learner(&plan, &model);
    let trajectories = group(&plan, &learner);
    let nothing: Vec<Vec<f32>> = trajectories.iter().map(|trajectory| vec![0.0; trajectory.tokens.len()]).collect();
    let packs = packs(&plan, &trajectories, &nothing);
    let start = tch::no_grad(|| Llama::load(&model, device(), Kind::Float).unwrap().weights());
    let objective = Objective { entropy_bonus: 0.0, ..objective(&plan, Some(&start)) };
    let size = |gradient: Tensor| gradient.abs().max().double_value(&[]);
    assert!(size(gradient(&mut learner, &objective, &packs)) < 1e-6);
    disturb(&mut learner);
    assert!(size(gradient(&mut learner, &objective, &packs)) > 1e-3);
}

#[test]
fn replies_that_were_cut_off_are_marked_and_left_out_or_made_to_cost_as_the_recipe_says() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    let plan_of = |changes: &[&str]| plan(&model, &library, changes);
    let keep = plan_of(&[]);
    let mut trajectories = group(&keep, &learner(&keep, &model));
    for trajectory in &trajectories {
        let turns: usize = trajectory.turns.iter().map(|turn| turn.tokens.len()).sum();
        assert_eq!(turns, trajectory.sampled.iter().filter(|&&sampled| sampled).count());
        assert_eq!(trajectory.turns.iter().filter(|turn| turn.cut).count(), trajectory.replies_cut as usize);
    }
    // A model that never learned anything does not end its turns: as if it had ended every second one.
    let turns = || trajectories.iter().flat_map(|trajectory| &trajectory.turns);
    assert!(turns().all(|turn| turn.cut));
    trajectories.iter_mut().flat_map(|trajectory| &mut trajectory.turns).step_by(2).for_each(|turn| turn.cut = false);
    let turns = || trajectories.iter().flat_map(|trajectory| &trajectory.turns);
    let cut_tokens: usize = turns().filter(|turn| turn.cut).map(|turn| turn.tokens.len()).sum();
    assert!(cut_tokens > 0);

    let targets = |plan: &Plan| -> usize {
        packs(plan, &trajectories, &advantages(&trajectories)).iter().map(|pack| pack.targets.len()).sum()
    };
    let mask = plan_of(&["algorithm.cut_replies=mask"]);
    assert_eq!(targets(&mask) + cut_tokens, targets(&keep));

    let penalize = plan_of(&[
        "algorithm.cut_replies=penalize",
        "algorithm.overlong_tokens=1",
        "algorithm.overlong_penalty=0.25",
        "algorithm.advantage=dr-grpo",
    ]);
    assert_eq!(targets(&penalize), targets(&keep));
    for trajectory in &trajectories {
        let cost: f64 = token_advantages::played(&penalize, trajectory).overlong.iter().sum();
        // Whoever used all tokens is at the limit, whether the last one ended the turn or not.
        let full = trajectory.turns.iter().filter(|turn| turn.tokens.len() == 2).count();
        assert_eq!(cost, 0.25 * full as f64);
        assert_eq!(token_advantages::played(&keep, trajectory).overlong.iter().sum::<f64>(), 0.0);
    }
}

#[test]
fn under_gigpo_replies_in_the_position_that_all_were_dealt_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    let plan = plan(&model, &library, &["algorithm.advantage=gigpo", "algorithm.gigpo_weight=2", "steps=1"]);
    let step = {
        let mut learner = learner(&plan, &model);
        learner.step(0, &mut |_| {}).unwrap()
    };
    for range in &step.rolled_out.groups {
        let group = &step.rolled_out.trajectories[range.clone()];
        let first: Vec<_> = group.iter().map(|trajectory| trajectory.turns[0].position).collect();
        assert!(first[0].is_some() && first.iter().all(|position| *position == first[0]), "{first:?}");
        let later: Vec<_> =
            group.iter().flat_map(|trajectory| &trajectory.turns[1..]).map(|turn| turn.position).collect();
        assert!(later.iter().any(|position| *position != first[0]));
    }
    // What GiGPO adds to GRPO sums to zero in each position, and is not nothing.
    let mut added: BTreeMap<_, Vec<f64>> = BTreeMap::new();
    let grpo = self::plan(&model, &library, &["algorithm.advantage=grpo"]);
    for (index, range) in step.rolled_out.groups.iter().enumerate() {
        let group = &step.rolled_out.trajectories[range.clone()];
        let (with, without) = (advantages_of(&plan, group), advantages_of(&grpo, group));
        for (member, trajectory) in group.iter().enumerate() {
            for turn in &trajectory.turns {
                let at = turn.tokens.start;
                let difference = f64::from(with[member][at] - without[member][at]);
                added.entry((index, turn.position)).or_default().push(difference);
            }
        }
    }
    assert!(added.values().all(|added| added.iter().sum::<f64>().abs() < 1e-4), "{added:?}");
    assert!(added.values().flatten().any(|added| added.abs() > 0.1), "{added:?}");
}

#[test]
fn an_update_without_a_token_to_train_on_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    // A model that never learned anything does not end its turns.
    let plan = plan(&model, &library, &["algorithm.cut_replies=mask"]);
    let mut learner = learner(&plan, &model);
    let step = learner.step(0, &mut |_| {}).unwrap();
    assert!(!step.kept.is_empty());
    assert_eq!((step.minibatches, step.trained_tokens, learner.optimizer.moments().updates), (0, 0, 0));
}

#[test]
fn under_every_loss_and_advantage_a_step_trains_on_policy_and_moves_the_weights() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    let mut settings: Vec<Vec<String>> = LOSSES.iter().map(|loss| vec![format!("algorithm.loss={loss}")]).collect();
    for advantage in ["dr-grpo", "rloo", "rae", "gigpo"] {
        for credit in ["task", "stage", "reply"] {
            settings.push(vec![format!("algorithm.advantage={advantage}"), format!("algorithm.credit={credit}")]);
        }
    }
    settings.push(["task.kind=mixed", "algorithm.filter_scope=task"].map(String::from).to_vec());
    for changes in settings {
        let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
        let plan = plan(&model, &library, &changes);
        let mut learner = learner(&plan, &model);
        let before: Tensor = learner.llama.parameters[0].1.copy();
        let step = learner.step(0, &mut |_| {}).unwrap();
        assert!(step.minibatches == 1 && step.sums.tokens > 0, "{changes:?}: no update");
        assert_eq!(step.sums.tokens, step.trained_tokens, "{changes:?}");
        assert!(step.on_policy.ratio_off_max < 1e-3, "{changes:?}: {:?}", step.on_policy);
        let moved = (before - &learner.llama.parameters[0].1).abs().max().double_value(&[]);
        assert!(moved > 0.0, "{changes:?}: nothing moved");
    }
}

#[test]
fn a_run_with_baselines_and_a_kl_term_comes_out_the_same_when_it_was_stopped_and_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    let changes = [
        "algorithm.advantage=rae",
        "algorithm.credit=stage",
        "algorithm.kl_weight=0.05",
        "algorithm.log_kl=false",
        "algorithm.loss=gspo",
        "algorithm.minibatches=2",
    ];
    let plan = plan(&model, &library, &changes);
    let run = |store: &Path, resume, watch: &mut dyn Watch, stop: &AtomicBool| {
        run(&plan, &library, store, resume, watch, stop).unwrap()
    };
    let stores = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let whole = run(stores[0].path(), false, &mut Silent, &AtomicBool::new(false));
    let stop = AtomicBool::new(false);
    let stopped = run(stores[1].path(), false, &mut StopAfterOneStep(&stop), &stop);
    let known = checkpoint::read_state(&stopped.checkpoint).unwrap().baselines;
    assert!(known.keys().any(|role| role.starts_with("matrix:")), "{known:?}");
    assert!(known.keys().any(|role| role.starts_with("tictactoe:")), "{known:?}");
    let resumed = run(stores[1].path(), true, &mut Silent, &AtomicBool::new(false));

    assert_eq!((stopped.steps_done, resumed.steps_done), (1, 2));
    assert_eq!(resumed.weights, whole.weights);
    let metrics = |outcome: &Outcome| fs::read_to_string(outcome.folder.join("metrics.jsonl")).unwrap();
    assert_eq!(metrics(&resumed), metrics(&whole));
    let baselines = |outcome: &Outcome| checkpoint::read_state(&outcome.checkpoint).unwrap().baselines;
    assert_eq!(baselines(&resumed), baselines(&whole));
    assert_ne!(baselines(&resumed), known);
}

#[test]
fn dynamic_sampling_stops_at_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    // Every member of a group meets the same luck, and greedy sampling makes all play alike: no group has spread.
    let alike = [
        "task.opponent_stream=group",
        "rollout.top_k=1",
        "stage.0.on_illegal=forfeit",
        "stage.1.on_illegal=forfeit",
        "algorithm.oversample_max=3",
    ];
    let plan = plan(&model, &library, &alike);
    let mut learner = learner(&plan, &model);
    let step = learner.step(0, &mut |_| {}).unwrap();
    assert_eq!((step.rolled_out.groups.len(), step.with_spread, step.minibatches), (3 * 2, 0, 0));
}
