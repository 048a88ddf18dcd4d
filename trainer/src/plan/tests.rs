use std::path::Path;

use ludus_host::library::LibraryOptions;
use ludus_host::limits::Limits;

use super::work::{PlannedWork, Speed};
use super::*;
use crate::compare::{self, Experiment};
use crate::recipe::read::{self, SHIPPED, SUITES};

/// The games of this repository; `just games` builds them.
fn library() -> Library {
    let games_dirs = Library::standard_dirs(&[]);
    Library::open(LibraryOptions { games_dirs, cache_dir: None, limits: Limits::STANDARD }).unwrap()
}

/// Games in other languages than Rust say in `ludus.toml` how they are built.
fn in_another_language(game: &str) -> bool {
    let games = Path::new(env!("CARGO_MANIFEST_DIR")).join("../games-wasm");
    games.join(game).join("ludus.toml").exists()
}

fn quickstart(assignments: &[&str]) -> Result<Plan, PlanError> {
    let assignments: Vec<String> = assignments.iter().map(|text| (*text).to_owned()).collect();
    Plan::from_recipe(read::read("quickstart", &assignments).unwrap(), &library())
}

fn refusal(assignments: &[&str]) -> String {
    quickstart(assignments).unwrap_err().to_string()
}

#[test]
fn every_shipped_recipe_is_a_plan() {
    let library = library();
    for (name, _) in SHIPPED {
        let recipe = read::read(name, &[]).unwrap();
        // `just test-languages` plans those with games that need the tools of other languages.
        if recipe.stages.iter().any(|stage| in_another_language(&stage.game)) {
            continue;
        }
        let plan = Plan::from_recipe(recipe, &library).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(plan.memory.is_some(), "{name} names a model of unknown size");
        assert!(plan.to_string().contains(&plan.hash.to_string()));
    }
}

#[test]
fn every_shipped_suite_and_experiment_is_a_plan() {
    let library = library();
    for (name, _) in SUITES {
        let recipe = read::suite(name, &[]).unwrap();
        assert_eq!(recipe.name, name);
        let plan = Plan::from_recipe(recipe, &library).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(plan.evaluations.iter().all(|evaluation| evaluation.tasks.len() >= 2), "from every seat");
    }
    for (name, _) in compare::SHIPPED {
        for quick in [false, true] {
            let Ok(experiment) = Experiment::read(name, quick) else {
                assert!(quick, "{name} has its own size");
                continue;
            };
            let runs = experiment.plan(&[], &library).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(runs.len(), experiment.arms.len() * experiment.seeds.len());
        }
    }
}

#[test]
fn players_that_are_not_described_or_cannot_be_asked_are_refused() {
    let cases: [(&[&str], &str); 6] = [
        (&["stage.1.players=[\"person\"]"], "nobody sits at a training run"),
        (&["stage.1.players=[\"model:mine\"]"], "[models.NAME]"),
        (&["stage.1.players=[\"model:past\"]"], "`self_play.every` is 0"),
        (&["stage.1.players=[\"endpoint:far\"]"], "[endpoints.NAME]"),
        (&["stage.1.evaluate=[\"learner\"]"], "an evaluation needs somebody to play against"),
        (&["stage.1.players=[\"learner\"]", "stage.1.on_illegal=forfeit"], "a forfeit would decide the game"),
    ];
    for (assignments, expected) in cases {
        let error = refusal(assignments);
        assert!(error.contains(expected), "{error}");
    }
    assert!(quickstart(&["stage.1.players=[\"learner\"]"]).is_ok());
    assert!(quickstart(&["stage.1.players=[\"model:past\"]", "self_play.every=2"]).is_ok());
    let error = refusal(&["stage.1.references=[\"learner\"]"]);
    assert!(error.contains("stage.1.references"), "{error}");
}

#[test]
fn the_hash_changes_with_what_changes_results_and_with_nothing_else() {
    let hash = |assignments: &[&str]| quickstart(assignments).unwrap().hash;
    let plain = hash(&[]);
    for same in ["name=other", "model.threads=1", "model.device=cpu", "optimizer.sharded=true", "checkpoint.every=3"] {
        assert_eq!(hash(&[same]), plain, "{same}");
    }
    for other in ["seed=2", "optimizer.learning_rate=1e-4", "stage.1.attempts=2", "task.combine=min"] {
        assert_ne!(hash(&[other]), plain, "{other}");
    }
}

#[test]
fn a_nested_task_has_all_stages_and_a_mixed_one_is_drawn_for_each_group() {
    let nested = quickstart(&[]).unwrap();
    assert_eq!(nested.tasks.len(), 1);
    assert_eq!(nested.tasks[0].stages, [0, 1]);
    let mixed = quickstart(&["task.kind=mixed"]).unwrap();
    let drawn: Vec<usize> = (0..32).map(|group| mixed.task_of_group(0, group)).collect();
    assert!(drawn.contains(&0) && drawn.contains(&1), "{drawn:?}");
    assert_eq!(drawn, (0..32).map(|group| mixed.task_of_group(0, group)).collect::<Vec<_>>());
    let alternate = quickstart(&["task.kind=alternate"]).unwrap();
    assert_eq!([0, 1, 2].map(|step| alternate.task_of_group(step, 7)), [0, 1, 0]);
}

#[test]
fn sizes_follow_from_the_recipe() {
    let plan = quickstart(&[
        "rollout.groups=4",
        "rollout.group_size=8",
        "algorithm.keep_fraction=0.6",
        "algorithm.oversample_max=3",
        "evaluation.episodes=200",
    ])
    .unwrap();
    assert_eq!(plan.sizes.episodes, 3 * 4 * 8);
    assert_eq!(plan.sizes.groups_kept_max, 3);
    assert_eq!(plan.sizes.trajectories_trained_max, 24);
    // The first stage has one player and a number of its own, the second two players.
    assert_eq!(plan.sizes.evaluation_episodes, 400 + 2 * 200);
}

#[test]
fn values_out_of_range_name_their_key() {
    assert_eq!(refusal(&["rollout.group_size=1"]), "`rollout.group_size` is 1: a group compares 2 to 1048576 episodes");
    assert!(refusal(&["rollout.groups=65536", "rollout.group_size=65536"]).starts_with("`rollout.groups` is 65536"));
    assert!(refusal(&["evaluation.temperature=1e-37"]).starts_with("`evaluation.temperature` is"));
    assert_eq!(
        refusal(&["stage.0.evaluate_episodes=4294967295"]),
        "`stage.0.evaluate_episodes` is 4294967295: write 1 to 1048576"
    );
    assert!(refusal(&["stage.0.evaluate=[\"random\", \"random\"]"]).contains("name each player once"));
    assert!(refusal(&[&format!("name={}", "a".repeat(101))]).starts_with("`name` is"));
    assert!(refusal(&["rollout.temperature=nan"]).starts_with("`rollout.temperature` is NaN"));
    assert!(refusal(&["name=../elsewhere"]).starts_with("`name` is `../elsewhere`"));
    assert!(refusal(&["task.kind=single"]).starts_with("`task.kind` is single"));
    assert!(refusal(&["model.source=/nowhere/model"]).contains("there is no model `/nowhere/model`"));
    assert!(refusal(&["model.threads=100000"]).starts_with("`model.threads` is 100000"));
    assert!(refusal(&["optimizer.learning_rate=1e308"]).starts_with("`optimizer.learning_rate` is"));
    assert!(refusal(&["reply.tokens=4096"]).starts_with("`reply.tokens` is 4096"));
    assert!(refusal(&["stage.0.players=[\"person\"]"]).starts_with("`stage.0.players` is person"));
    assert!(refusal(&["stage.1.evaluate=[\"person\"]"]).starts_with("`stage.1.evaluate` is person"));
    assert!(refusal(&["algorithm.groups_min=9"]).starts_with("`algorithm.groups_min` is 9"));
}

#[test]
fn settings_that_say_nothing_together_are_refused() {
    let refused = |assignments: &[&str], start: &str| {
        let refusal = refusal(assignments);
        assert!(refusal.starts_with(start), "{refusal}");
    };
    refused(&["algorithm.loss=sapo", "algorithm.clip_max=4"], "`algorithm.clip_max` is 4: cispo and sapo do not clip");
    refused(&["algorithm.clip_max=1.1"], "`algorithm.clip_max` is 1.1: write 0, or a number above 1");
    refused(&["algorithm.overlong_tokens=2"], "`algorithm.overlong_tokens` is 2: only algorithm.cut_replies");
    refused(&["algorithm.overlong_penalty=0.5"], "`algorithm.overlong_penalty` is 0.5: only algorithm.cut_replies");
    let penalize = "algorithm.cut_replies=penalize";
    refused(&[penalize], "`algorithm.overlong_tokens` is 0: under algorithm.cut_replies");
    // Replies have three tokens at most.
    refused(&[penalize, "algorithm.overlong_tokens=4"], "`algorithm.overlong_tokens` is 4: under");
    refused(&[penalize, "algorithm.overlong_tokens=2"], "`algorithm.overlong_penalty` is 0: under");
    quickstart(&[penalize, "algorithm.overlong_tokens=2", "algorithm.overlong_penalty=0.5"]).unwrap();
}

#[test]
fn the_plan_says_how_it_trains() {
    let rows = |assignments: &[&str]| quickstart(assignments).unwrap().to_string();
    let has = |text: &str, row: &str| assert!(text.contains(row), "no {row:?} in\n{text}");
    let plain = rows(&[]);
    has(&plain, "dapo, ratios clipped to 0.8 … 1.28, entropy bonus 0.04 (linear)\n");
    has(&plain, "grpo, of each stage\n");
    has(&plain, "50 % of the groups, those whose returns differ most\n");
    has(&plain, "trained on as any other\n");
    let other = rows(&[
        "algorithm.loss=gspo",
        "algorithm.clip_low=3e-4",
        "algorithm.clip_high=4e-4",
        "algorithm.clip_max=2",
        "algorithm.kl_weight=0.01",
        "algorithm.entropy_bonus=0",
        "algorithm.advantage=gigpo",
        "algorithm.credit=task",
        "algorithm.filter_scope=task",
        "algorithm.cut_replies=mask",
    ]);
    has(&other, "gspo, ratios clipped to 0.9997 … 1.0004 and at most 2, KL weight 0.01\n");
    has(&other, "gigpo (weight 1, discount 0.95), of the whole task\n");
    has(&other, "of each task's groups");
    has(&other, "left out of the loss\n");
}

#[test]
fn an_option_that_its_game_does_not_allow_is_refused() {
    let error = refusal(&["stage.1.options.rows=many"]);
    assert!(error.contains("rows") && error.contains("tictactoe"), "{error}");
    let error = refusal(&["stage.1.players=[\"house:grandmaster\"]"]);
    assert!(error.contains("grandmaster"), "{error}");
}

#[test]
fn too_little_memory_names_the_settings_to_change() {
    // Which phase takes more depends on where a run computes, and in which kind.
    let here = ["model.device=cpu", "model.precision=bfloat16"];
    let plan = quickstart(&here).unwrap();
    let memory = plan.memory.unwrap();
    assert!(plan.check_memory_against(&memory, "this machine", memory.peak).is_ok());
    let error = plan.check_memory_against(&memory, "this machine", memory.peak - 1).unwrap_err().to_string();
    assert!(error.contains("lower rollout.batch_rows (128), or rollout.context_tokens (1024)"), "{error}");
    let of_few = quickstart(&[here[0], here[1], "rollout.batch_rows=8"]).unwrap();
    let less = of_few.memory.unwrap();
    let error = of_few.check_memory_against(&less, "this machine", less.peak - 1).unwrap_err().to_string();
    assert!(error.contains("lower algorithm.pack_tokens (3072), or rollout.context_tokens (1024)"), "{error}");
    let error = plan.check_memory_against(&memory, "cuda:0", 1 << 28).unwrap_err().to_string();
    assert!(error.contains("cuda:0 has 256 MiB left") && error.contains("model.source"), "{error}");
}

/// Of a game with one reply the work can be counted: what a group has in common once, and a reply for each member.
#[test]
fn the_work_of_a_plan_is_what_its_tokens_take() {
    let matrix = |more: &str| {
        let plan = quickstart(&["task.kind=single", "stage.1.train=false", "stage.0.reply_tokens=8", more]).unwrap();
        (PlannedWork::of(&plan).unwrap(), plan)
    };
    let (four, plan) = matrix("rollout.group_size=4");
    let (eight, _) = matrix("rollout.group_size=8");
    let (parameters, groups) = (134_515_008.0, f64::from(plan.recipe.rollout.groups));
    let members = eight.rollout.operations - four.rollout.operations;
    assert!((members / (2.0 * parameters * groups * 4.0 * 8.0) - 1.0).abs() < 1e-9, "{members}");
    assert!(four.rollout.operations > members, "an opening is longer than four replies");
    // A pass for each of eight tokens reads all weights, and again for a second batch.
    let (halved, _) = matrix("rollout.batch_rows=16");
    assert_eq!(halved.rollout.layers, 8.0 * 30.0 * (groups * 8.0 / 16.0));
    // Forward and back is three times forward, and a second time forward makes four.
    let (recomputed, _) = matrix("algorithm.recompute=true");
    assert!((recomputed.update.operations * 6.0 / (8.0 * matrix("seed=1").0.update.operations) - 1.0).abs() < 1e-9);

    let speed = Speed { operations: members, bytes: f64::INFINITY, layer_seconds: 0.0 };
    let seconds = eight.rollout.seconds(speed) - four.rollout.seconds(speed);
    assert!((seconds - 1.0).abs() < 1e-9, "{seconds}");
}
