//! The learner in several seats, against frozen models and against its past, on a small random model and the real games.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use ludus_host::component_files::StoredComponents;
use ludus_host::record::{Line, read_lines};
use ludus_host::replay::{Verdict, replay};
use ludus_host::store::Store;
use ludus_tests::{Silent, StopAfterOneStep, learner, library, plan, run, run_to_its_end, small_model};
use ludus_trainer::learner::Learner;
use ludus_trainer::rollout::Trajectory;
use ludus_trainer::train;

/// The small recipe's second stage alone, played against itself.
const SELF_PLAY: [&str; 5] = [
    "task.kind=alternate",
    "stage.0.players=[\"learner\"]",
    "stage.1.players=[\"learner\"]",
    "algorithm.advantage=rae",
    "algorithm.credit=stage",
];

/// What the seat of a trajectory said, by the record: word for word, in order.
fn said_by_its_seat(trajectory: &Trajectory) -> Vec<String> {
    let lines = read_lines(trajectory.finished.record.bytes()).unwrap();
    let stage = trajectory.further.map_or(0, |further| further.stage);
    let seat = trajectory.further.map_or(trajectory.finished.result.stages[stage].learner_seat, |further| further.seat);
    let said = |line| match line {
        Line::Reply { seat: speaker, by, text } if speaker == seat && by == "learner" => Some(text),
        _ => None,
    };
    lines.into_iter().filter_map(said).collect()
}

fn sampled_texts(learner: &Learner<'_>, trajectory: &Trajectory) -> Vec<String> {
    trajectory.turns.iter().map(|turn| learner.chat.decode(&trajectory.tokens[turn.tokens.clone()])).collect()
}

#[test]
fn each_seat_of_the_learner_has_a_trajectory_of_what_it_said_and_of_its_own_result() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    let plan = plan(&model, &library, &SELF_PLAY);
    let mut learner = learner(&plan, &model);
    // Steps 0 and 1 play one stage each.
    for number in 0..2 {
        let rolled_out = learner.roll_out(number, &mut |_| {}).unwrap();
        assert_eq!((rolled_out.episodes, rolled_out.trajectories.len()), (8, 16), "two seats an episode");
        assert_eq!(rolled_out.groups.len(), 4);
        for trajectory in &rolled_out.trajectories {
            assert!(!trajectory.turns.is_empty());
            assert_eq!(sampled_texts(&learner, trajectory), said_by_its_seat(trajectory));
        }
        let (own, further) = rolled_out.trajectories.split_at(8);
        for (own, further) in own.iter().zip(further) {
            assert_eq!((own.job, own.finished.record.hash()), (further.job, further.finished.record.hash()));
            let (one, other) = (&own.finished.result.stages[0], &further.finished.result.stages[0]);
            assert_eq!(one.learner_seat + other.learner_seat, 1, "there are two seats");
            assert_eq!([one.score, other.score], [0, 1].map(|seat| one.scores[(one.learner_seat ^ seat) as usize]));
            let failed = f64::from(other.illegal + other.malformed);
            assert!((further.finished.result.task_return - (other.score - 0.1 * failed)).abs() < 1e-12);
        }
        // What fails costs the seat that failed.
        let cost = |trajectory: &Trajectory| -> f32 {
            trajectory.turns.iter().map(|turn| trajectory.penalties[turn.tokens.start]).sum()
        };
        for trajectory in &rolled_out.trajectories {
            let stage = &trajectory.finished.result.stages[0];
            // A move of the stand-in's that is not taken costs nothing.
            assert!(cost(trajectory) <= 0.1 * (stage.illegal + stage.malformed) as f32 + 1e-6);
        }
        let made = learner.step(number, &mut |_| {}).unwrap();
        let sampled: usize =
            made.rolled_out.trajectories.iter().map(|one| one.sampled.iter().filter(|&&yes| yes).count()).sum();
        assert!(
            made.trained_tokens as usize > sampled / 2,
            "both seats are trained on: {} of {sampled}",
            made.trained_tokens
        );
    }
    let roles: Vec<&str> = learner.baselines.values.keys().map(String::as_str).collect();
    assert_eq!(roles, ["matrix:0", "matrix:1", "tictactoe:0", "tictactoe:1"], "a baseline for each game and seat");
}

#[test]
fn further_seats_are_left_out_of_the_update_where_the_recipe_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    let changes = [SELF_PLAY.as_slice(), &["algorithm.train_further_seats=false"]].concat();
    let plan = plan(&model, &library, &changes);
    let rolled_out = learner(&plan, &model).roll_out(1, &mut |_| {}).unwrap();
    assert_eq!((rolled_out.episodes, rolled_out.trajectories.len(), rolled_out.groups.len()), (8, 8, 2));
}

#[test]
fn a_frozen_model_says_what_the_same_model_would_say_in_the_learners_place() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    let itself = format!("models.same.source=\"{}\"", model.display());
    let frozen =
        plan(&model, &library, &[&itself, "stage.0.players=[\"model:same\"]", "stage.1.players=[\"model:same\"]"]);
    let own = plan(&model, &library, &["stage.0.players=[\"learner\"]", "stage.1.players=[\"learner\"]"]);
    let mut learner_of_frozen = learner(&frozen, &model);
    train::add_opponents(&mut learner_of_frozen, frozen.all_tasks()).unwrap();
    let against_frozen = learner_of_frozen.roll_out(0, &mut |_| {}).unwrap();
    let against_itself = learner(&own, &model).roll_out(0, &mut |_| {}).unwrap();
    assert_eq!(against_frozen.trajectories.len(), 8, "the frozen model's seats are nobody's trajectory");
    let mut spoke = 0;
    for (one, other) in against_frozen.own().iter().zip(against_itself.own()) {
        assert_eq!(one.tokens, other.tokens, "neither side can tell the difference");
        let lines = read_lines(one.finished.record.bytes()).unwrap();
        spoke += lines.iter().filter(|line| matches!(line, Line::Reply { by, .. } if by == "model")).count();
    }
    assert!(spoke > 8, "{spoke}");
}

#[test]
fn a_run_against_its_past_is_the_same_when_it_was_stopped_and_its_steps_replay() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let model = small_model(folder.path());
    let changes = [
        "steps=4",
        "stage.0.players=[\"model:past\"]",
        "stage.1.players=[\"model:past\"]",
        "self_play.every=1",
        "self_play.keep=2",
        "checkpoint.keep=4",
    ];
    let plan = plan(&model, &library, &changes);
    let stores = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let whole = run_to_its_end(&plan, &library, stores[0].path());
    for resume in [false, true, true] {
        let stop = AtomicBool::new(false);
        run(&plan, &library, stores[1].path(), resume, &mut StopAfterOneStep(&stop), &stop).unwrap();
    }
    let resumed = run(&plan, &library, stores[1].path(), true, &mut Silent, &AtomicBool::new(false)).unwrap();
    assert_eq!((whole.steps_done, resumed.steps_done), (4, 4));
    assert_eq!(resumed.weights, whole.weights);
    let read = |folder: &Path| fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    assert_eq!(read(&resumed.folder), read(&whole.folder));

    for step in 1..=4 {
        let replayed =
            ludus_trainer::replay::replay(stores[0].path(), "small", step, &library, &mut |_, _| {}).unwrap();
        assert!(replayed.identical, "step {step}: {:?}", replayed.difference);
    }
    let store = Store::open(stores[0].path()).unwrap();
    let components = StoredComponents::new(store.components(), &library);
    let mut by: BTreeMap<String, usize> = BTreeMap::new();
    for hash in store.hashes(Some("small")).unwrap() {
        let bytes = store.record(&hash).unwrap();
        assert_eq!(replay(&bytes, &components).unwrap(), Verdict::Identical);
        for line in read_lines(&bytes).unwrap() {
            if let Line::Reply { by: speaker, .. } = line {
                *by.entry(speaker).or_default() += 1;
            }
        }
    }
    assert!(by["model"] > 20, "{by:?}");
}
