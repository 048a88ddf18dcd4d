//! The trainer from end to end, on a small random model and the real games.

use std::fs;
use std::sync::atomic::AtomicBool;

use ludus_host::component_files::StoredComponents;
use ludus_host::replay::{Verdict, replay};
use ludus_host::store::Store;
use ludus_tests::{Silent, StopAfterOneStep, device, learner, library, plan, run, run_to_its_end, small_model};
use ludus_trainer::chat::Chat;
use ludus_trainer::evaluate::evaluate;
use ludus_trainer::gradients;
use ludus_trainer::learner::{Learner, StepError, asked_task};
use ludus_trainer::metrics::StepMetrics;
use ludus_trainer::model::llama::Llama;
use ludus_trainer::objective::Objective;
use ludus_trainer::pack::{Pack, Sample};
use ludus_trainer::plan::Plan;
use ludus_trainer::products;
use ludus_trainer::rollout::{Job, Trajectory};
use ludus_trainer::train::{Outcome, TrainError};
use tch::{Device, Kind};

/// Trajectories of one group on the nested task.
fn trajectories(plan: &Plan, learner: &Learner<'_>) -> Vec<Trajectory> {
    let task = asked_task(plan, &plan.tasks[0].stages, &plan.tasks[0].stages, &plan.tasks[0].task);
    let jobs: Vec<Job> = (0..4).map(|member| Job { task: 0, group: 0, seed: 11, member }).collect();
    learner.play(std::slice::from_ref(&task), &jobs, 1.0, &mut |_| {}).unwrap()
}

fn samples<'a>(trajectories: &'a [Trajectory], advantages: &'a [Vec<f32>], weights: &'a [Vec<f32>]) -> Vec<Sample<'a>> {
    trajectories
        .iter()
        .zip(advantages)
        .zip(weights)
        .map(|((trajectory, advantages), weights)| Sample {
            tokens: &trajectory.tokens,
            trained: &trajectory.sampled,
            log_probabilities: &trajectory.log_probabilities,
            advantages,
            weights,
            sequences: &trajectory.stages,
        })
        .collect()
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

/// Every sampled token weighs the same.
fn weights(trajectories: &[Trajectory]) -> Vec<Vec<f32>> {
    let sampled = trajectories.iter().flat_map(|trajectory| &trajectory.sampled).filter(|&&sampled| sampled).count();
    trajectories.iter().map(|trajectory| vec![1.0 / sampled as f32; trajectory.tokens.len()]).collect()
}

const OBJECTIVE: Objective = Objective { entropy_bonus: 0.01, ..Objective::clipped(0.2, 0.28) };

#[test]
fn what_is_trained_on_is_what_was_sampled_and_the_ratio_is_one_whatever_the_pack_size() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let plan = plan(&small_model(folder.path()), &library, &[]);
    let mut learner = learner(&plan, folder.path());
    let trajectories = trajectories(&plan, &learner);
    let expected: Vec<i64> = trajectories
        .iter()
        .flat_map(|trajectory| trajectory.tokens.iter().zip(&trajectory.sampled).filter(|(_, s)| **s).map(|(t, _)| *t))
        .collect();
    let (advantages, weights) = (advantages(&trajectories), weights(&trajectories));
    let samples = samples(&trajectories, &advantages, &weights);
    for pack_tokens in [1, 200, 100_000] {
        let packs = Pack::all(&samples, pack_tokens);
        let trained: Vec<i64> = packs.iter().flat_map(|pack| pack.targets.iter().copied()).collect();
        assert_eq!(trained, expected);
        for pack in &packs {
            let sums = OBJECTIVE.backward(&learner.llama, pack);
            assert!(sums.ratio_off_max < 1e-3, "the ratio is off by {}", sums.ratio_off_max);
        }
        gradients::clear(&mut learner.llama.parameters);
    }
}

/// Sampling reads keys from a cache, a row at a time; an update reads them from a pack. In bfloat16 a difference in the last bit
/// of one of them grows from layer to layer. Where the processor has an instruction for it there is none.
#[test]
fn in_bfloat16_too_the_ratio_is_one() {
    let is_exact = device() == Device::Cpu && !products::kernels().is_empty();
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    let plan = plan(&model, &library, &["model.precision=\"bfloat16\""]);
    let llama = Llama::load(&model, device(), Kind::BFloat16).unwrap();
    let learner = Learner::new(&plan, llama, Chat::open(&model).unwrap());
    let trajectories = trajectories(&plan, &learner);
    let (advantages, weights) = (advantages(&trajectories), weights(&trajectories));
    for pack in Pack::all(&samples(&trajectories, &advantages, &weights), 100_000) {
        let sums = OBJECTIVE.backward(&learner.llama, &pack);
        let most = if is_exact { 0.0 } else { 1e-4 };
        assert!(sums.ratio_off_max <= most, "the ratio is off by {}", sums.ratio_off_max);
    }
}

#[test]
fn packs_of_any_size_add_up_to_the_same_gradient() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let plan = plan(&small_model(folder.path()), &library, &[]);
    let mut learner = learner(&plan, folder.path());
    let trajectories = trajectories(&plan, &learner);
    let (advantages, weights) = (advantages(&trajectories), weights(&trajectories));
    let samples = samples(&trajectories, &advantages, &weights);
    let mut gradients = Vec::new();
    for pack_tokens in [1, 100_000] {
        for pack in Pack::all(&samples, pack_tokens) {
            OBJECTIVE.backward(&learner.llama, &pack);
        }
        let all: Vec<_> = learner.llama.parameters.iter().map(|(_, tensor)| tensor.grad().copy()).collect();
        gradients.push(all);
        gradients::clear(&mut learner.llama.parameters);
    }
    for ((name, _), (alone, together)) in learner.llama.parameters.iter().zip(gradients[0].iter().zip(&gradients[1])) {
        let scale = alone.abs().max().double_value(&[]);
        let apart = (alone - together).abs().max().double_value(&[]);
        assert!(scale > 0.0, "{name} has no gradient");
        assert!(apart < 1e-4 * scale.max(1e-3), "{name}: {apart} apart at {scale}");
    }
}

#[test]
fn activations_that_are_recomputed_give_the_same_gradient() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    for (precision, kind) in [("float32", Kind::Float), ("bfloat16", Kind::BFloat16)] {
        let plan = plan(&model, &library, &[&format!("model.precision=\"{precision}\"")]);
        let llama = Llama::load(&model, device(), kind).unwrap();
        let mut learner = Learner::new(&plan, llama, Chat::open(&model).unwrap());
        let trajectories = trajectories(&plan, &learner);
        let (advantages, weights) = (advantages(&trajectories), weights(&trajectories));
        let samples = samples(&trajectories, &advantages, &weights);
        let mut gradients = Vec::new();
        for recompute in [false, true] {
            let objective = Objective { recompute, ..OBJECTIVE };
            let sums: Vec<f64> =
                Pack::all(&samples, 300).iter().map(|pack| objective.backward(&learner.llama, pack).loss).collect();
            let all: Vec<_> = learner.llama.parameters.iter().map(|(_, tensor)| tensor.grad().copy()).collect();
            gradients.push((sums, all));
            gradients::clear(&mut learner.llama.parameters);
        }
        assert_eq!(gradients[0].0, gradients[1].0);
        for ((name, _), (kept, made)) in learner.llama.parameters.iter().zip(gradients[0].1.iter().zip(&gradients[1].1))
        {
            assert!(kept.abs().max().double_value(&[]) > 0.0, "{name} has no gradient");
            assert!(kept == made, "{name} differs in {precision}");
        }
    }
}

/// What the text of a reply is stopped at.
#[test]
fn a_reply_ends_where_a_stop_text_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    // Letters that noise soon says.
    let plan = plan(&model, &library, &["reply.stop=[\"e\", \"in\"]", "reply.tokens=40"]);
    let learner = learner(&plan, &model);
    let (mut stopped, mut cut) = (0, 0);
    for trajectory in trajectories(&plan, &learner) {
        for turn in &trajectory.turns {
            let tokens = &trajectory.tokens[turn.tokens.clone()];
            let has = |count: usize| {
                let text = learner.chat.decode(&tokens[..count]);
                text.contains('e') || text.contains("in")
            };
            // Nothing before the last token completes a stop text.
            assert!(!has(tokens.len() - 1));
            let ended = has(tokens.len()) || tokens.last().is_some_and(|&last| learner.chat.is_end(last));
            assert_eq!(turn.cut, !ended, "{:?}", learner.chat.decode_all(tokens));
            stopped += usize::from(has(tokens.len()));
            cut += usize::from(turn.cut);
        }
    }
    assert!(stopped > 0, "{cut} replies were cut off and none was stopped");
}

#[test]
fn what_failed_replies_cost_stands_at_their_own_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    let plan = plan(&model, &library, &["task.illegal_penalty=0.25", "task.malformed_penalty=0.5"]);
    let learner = learner(&plan, &model);
    let mut failed = 0;
    for trajectory in trajectories(&plan, &learner) {
        // The first token of each reply.
        let begins = |at: usize| trajectory.sampled[at] && !trajectory.sampled[at - 1];
        let cost: f32 = (1..trajectory.tokens.len()).filter(|&at| begins(at)).map(|at| trajectory.penalties[at]).sum();
        let result = &trajectory.finished.result;
        assert!((f64::from(cost) - (result.combined - result.task_return)).abs() < 1e-9, "{cost}");
        assert!(trajectory.sampled.iter().zip(&trajectory.penalties).all(|(&sampled, &cost)| sampled || cost == 0.0));
        failed += result.illegal() + result.malformed();
    }
    // A model that never learned anything fails.
    assert!(failed > 0);
}

#[test]
fn group_members_share_the_deal() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let plan = plan(&small_model(folder.path()), &library, &[]);
    let learner = learner(&plan, folder.path());
    let openings: Vec<Vec<i64>> = trajectories(&plan, &learner)
        .iter()
        .map(|t| t.tokens.iter().zip(&t.sampled).take_while(|(_, s)| !**s).map(|(token, _)| *token).collect())
        .collect();
    assert!(openings.iter().all(|opening| *opening == openings[0]));
}

#[test]
fn the_same_recipe_gives_the_same_metrics_and_checkpoint_also_when_it_was_stopped_and_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let plan = plan(&small_model(folder.path()), &library, &[]);
    let stores = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let whole = run_to_its_end(&plan, &library, stores[0].path());

    let stop = AtomicBool::new(false);
    let stopped = run(&plan, &library, stores[1].path(), false, &mut StopAfterOneStep(&stop), &stop).unwrap();
    assert_eq!((stopped.steps_done, stopped.stopped), (1, true));
    assert_ne!(stopped.weights, whole.weights);
    let resumed = run(&plan, &library, stores[1].path(), true, &mut Silent, &AtomicBool::new(false)).unwrap();

    assert_eq!(resumed.weights, whole.weights);
    let metrics = |outcome: &Outcome| fs::read_to_string(outcome.folder.join("metrics.jsonl")).unwrap();
    assert_eq!(metrics(&whole).lines().count(), 2);
    assert_eq!(metrics(&whole), metrics(&resumed));
    assert_eq!(whole.after, resumed.after);

    // Nothing has moved when the first step rolls out.
    let lines: Vec<StepMetrics> = metrics(&whole).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let moved: Vec<f64> = lines.iter().map(|line| line.kl_from_start.unwrap()).collect();
    assert!(moved[0].abs() < 1e-6 && moved[1] > 1e-6, "{moved:?}");
    for line in &lines {
        let (most, off) = (line.ratio_max_on_policy.unwrap(), line.on_policy_ratio_error.unwrap());
        assert!((most - 1.0).abs() < 1e-3 && off < 1e-3, "on policy a ratio is {most}, off by {off}");
    }
}

#[test]
fn an_evaluation_that_was_interrupted_is_made_when_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let plan = plan(&small_model(folder.path()), &library, &["steps=1"]);
    let stores = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let whole = run_to_its_end(&plan, &library, stores[0].path());

    let stopped = run(&plan, &library, stores[1].path(), false, &mut Silent, &AtomicBool::new(true)).unwrap();
    assert_eq!((stopped.steps_done, stopped.stopped, stopped.before.len()), (0, true, 0));
    let stop = AtomicBool::new(false);
    let stepped = run(&plan, &library, stores[1].path(), true, &mut StopAfterOneStep(&stop), &stop).unwrap();
    assert_eq!((stepped.steps_done, stepped.stopped, stepped.after.len()), (1, true, 0));
    let resumed = run(&plan, &library, stores[1].path(), true, &mut Silent, &AtomicBool::new(false)).unwrap();

    assert!(!resumed.stopped);
    assert_eq!((resumed.weights, resumed.before, resumed.after), (whole.weights, whole.before, whole.after));
}

#[test]
fn an_evaluation_begins_with_the_examples_that_training_shows() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    let shown = "stage.0.examples=[{prompt=\"first stage?\",reply=\"yes\"}]";
    let plan = plan(&model, &library, &[shown, "stage.1.examples=[{prompt=\"second stage?\",reply=\"no\"}]"]);
    let learner = learner(&plan, &model);
    let (mut openings, mut episodes) = (Vec::new(), 0);
    let stop = AtomicBool::new(false);
    let evaluated = evaluate(&learner, &stop, &mut |_| {}, &mut |played: Vec<Trajectory>| {
        episodes += played.len();
        openings.extend(played.iter().map(|trajectory| learner.chat.decode_all(&trajectory.tokens)));
    });
    assert_eq!(evaluated.unwrap().unwrap().len(), plan.evaluations.len());
    assert_eq!(episodes, plan.evaluations.len() * plan.recipe.evaluation.episodes as usize);
    for opening in openings {
        let place = |text: &str| opening.find(text).unwrap_or_else(|| panic!("no {text:?} in {opening:?}"));
        assert!(place("second stage?") < place("first stage?"), "the first stage's examples come last");
    }
}

#[test]
fn a_step_in_which_no_prompt_fits_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    let plan = plan(&model, &library, &["rollout.context_tokens=20"]);
    let refused = learner(&plan, &model).step(0, &mut |_| {});
    assert!(matches!(refused, Err(StepError::NothingFits(20))));
}

#[test]
fn every_episode_of_a_run_replays() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let plan = plan(&small_model(folder.path()), &library, &["steps=1"]);
    let place = tempfile::tempdir().unwrap();
    let outcome = run_to_its_end(&plan, &library, place.path());
    let store = Store::open(place.path()).unwrap();
    let hashes = store.hashes(Some("small")).unwrap();
    // One step of 2 x 4 and two evaluations of 4 episodes of each stage; an episode that was played twice is there once.
    assert!((8..=8 + 2 * 4 * plan.evaluations.len()).contains(&hashes.len()), "{} episodes", hashes.len());
    assert_eq!(outcome.steps_done, 1);
    let components = StoredComponents::new(store.components(), &library);
    for hash in hashes {
        let verdict = replay(&store.record(&hash).unwrap(), &components).unwrap();
        assert!(matches!(verdict, Verdict::Identical), "{hash}: {verdict:?}");
    }
}

#[test]
fn a_run_is_neither_written_over_nor_resumed_with_another_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    let place = tempfile::tempdir().unwrap();
    let nothing = plan(&model, &library, &["steps=0"]);
    let again = |plan: &Plan, resume| run(plan, &library, place.path(), resume, &mut Silent, &AtomicBool::new(false));
    assert!(matches!(again(&nothing, true), Err(TrainError::NoSuchRun { .. })));
    again(&nothing, false).unwrap();
    assert!(matches!(again(&nothing, false), Err(TrainError::RunExists { .. })));
    let other = plan(&model, &library, &["steps=0", "seed=2"]);
    let refused = again(&other, true).err().unwrap().to_string();
    assert!(refused.contains("another recipe (seed is 2, was 1)"), "{refused}");
}

#[test]
fn a_run_that_goes_on_in_another_process_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    let place = tempfile::tempdir().unwrap();
    let nothing = plan(&model, &library, &["steps=0"]);
    let resume = || run(&nothing, &library, place.path(), true, &mut Silent, &AtomicBool::new(false));
    let begun = run(&nothing, &library, place.path(), false, &mut Silent, &AtomicBool::new(false)).unwrap();
    let other = std::fs::File::open(begun.folder.join("lock")).unwrap();
    other.try_lock().unwrap();
    assert!(matches!(resume(), Err(TrainError::RunBusy { .. })));
    drop(other);
    resume().unwrap();
}
