//! Experiments from end to end, on a small random model and the real games.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ludus_host::library::Library;
use ludus_tests::{Silent, library, small_model, small_recipe};
use ludus_trainer::compare::{Experiment, ExperimentError, Found, Planned, Report, train_all};
use ludus_trainer::run;
use ludus_trainer::watch::Watch;

/// Writes the small recipe and an experiment on it, and plans it.
fn planned(
    folder: &Path,
    library: &Library,
    head: &str,
    arms: &str,
) -> Result<(Experiment, Vec<Planned>), ExperimentError> {
    let model = folder.join("model");
    fs::create_dir_all(&model).unwrap();
    let recipe = folder.join("recipe.toml");
    fs::write(&recipe, small_recipe(&small_model(&model))).unwrap();
    let path = folder.join("experiment.toml");
    let text = format!("name = \"small\"\nrecipe = \"{}\"\nseeds = [3, 5]\n{head}\n{arms}", recipe.display());
    fs::write(&path, text).unwrap();
    let experiment = Experiment::read(&path.to_string_lossy(), false)?;
    let runs = experiment.plan(&["steps=1".to_string()], library)?;
    Ok((experiment, runs))
}

const TWO_ARMS: &str = "[[arm]]\nname = \"mixed\"\nset = [\"task.kind=mixed\"]\n[[arm]]\nname = \"nested\"\n";

#[test]
fn an_experiment_that_was_stopped_goes_on_and_its_report_holds_what_its_runs_hold() {
    let (folder, library) = (tempfile::tempdir().unwrap(), library());
    let (experiment, runs) = planned(folder.path(), &library, "baseline = \"nested\"", TWO_ARMS).unwrap();
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    assert_eq!(names, ["small.mixed.3", "small.nested.3", "small.mixed.5", "small.nested.5"]);

    let store = folder.path().join("store");
    let stop = AtomicBool::new(false);
    let mut begun = Vec::new();
    let mut stop_at_the_third = |number: usize, _: &Planned| -> Box<dyn Watch> {
        stop.store(number == 2, Ordering::Relaxed);
        Box::new(Silent)
    };
    assert!(!train_all(&runs, &library, &store, &stop, &mut stop_at_the_third).unwrap());
    let found = Found::read(experiment.clone(), &runs, &store).unwrap();
    assert_eq!((found.runs.len(), found.missing), (2, 2));
    let mut remember = |number: usize, _: &Planned| -> Box<dyn Watch> {
        begun.push(number);
        Box::new(Silent)
    };
    assert!(train_all(&runs, &library, &store, &AtomicBool::new(false), &mut remember).unwrap());
    assert_eq!(begun, [2, 3], "what was done is not done again");

    let found = Found::read(experiment.clone(), &runs, &store).unwrap();
    let report = Report::of(&found);
    assert_eq!(report.missing_runs, 0);
    let reached = |name: &str, evaluation: usize| {
        run::read_evaluation(&run::folder(&store, name), "after").unwrap().unwrap()[evaluation].score.share
    };
    for (index, scores) in report.scores.iter().enumerate() {
        for arm in &scores.arms {
            let by_hand = [3, 5].map(|seed| reached(&format!("small.{}.{seed}", arm.arm), index));
            assert_eq!(arm.by_seed, by_hand);
            assert!((arm.mean - (by_hand[0] + by_hand[1]) / 2.0).abs() < 1e-12);
            assert!(arm.interval.low <= arm.mean && arm.mean <= arm.interval.high);
        }
    }
    for difference in &report.differences {
        assert_eq!((difference.arm.as_str(), difference.baseline.as_str()), ("mixed", "nested"));
        let scores = report.scores.iter().find(|scores| scores.evaluation == difference.evaluation).unwrap();
        let by_hand = scores.arms[0].mean - scores.arms[1].mean;
        assert!((difference.mean - by_hand).abs() < 1e-12, "{by_hand}");
    }
    let trajectories: Vec<f64> = report.costs.iter().map(|cost| cost.trajectories).collect();
    assert_eq!(trajectories, [8.0, 8.0]);
    let page = report.markdown("the command");
    assert!(page.contains("`the command` made this page") && page.contains("| mixed |"), "{page}");
    assert!(
        report.charts.iter().any(|(name, picture)| name == "tictactoe-by-tokens.svg" && picture.contains("nested"))
    );

    // A run of another plan is not taken for one of this experiment.
    let other = Experiment::read(&folder.path().join("experiment.toml").to_string_lossy(), false).unwrap();
    let other = other.plan(&["steps=1".into(), "optimizer.learning_rate=1e-4".into()], &library).unwrap();
    assert!(train_all(&other, &library, &store, &AtomicBool::new(false), &mut |_, _| Box::new(Silent)).is_err());
    assert!(Found::read(experiment.clone(), &other, &store).is_err());

    // Nor is one of which something is lost taken for a whole one.
    let both: &[&str] = &["", "[]\n"];
    for (name, file, all_damaged) in [
        ("small.nested.5", "metrics.jsonl", both),
        ("small.nested.5", "timing.jsonl", both),
        ("small.nested.5", "evaluation/before.json", both),
        ("small.nested.5", "evaluation/after.json", both),
        ("small.mixed.3", "evaluation/random.json", &["", "[{\"na"]),
    ] {
        let path = run::folder(&store, name).join(file);
        let whole = fs::read(&path).unwrap();
        for damaged in all_damaged {
            fs::write(&path, damaged).unwrap();
            let error = Found::read(experiment.clone(), &runs, &store).err().map(|error| error.to_string());
            assert!(error.as_ref().is_some_and(|error| error.contains(file)), "{file}: {error:?}");
        }
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(Found::read(experiment, &runs, &store).unwrap().runs.len(), 4);
}

#[test]
fn with_equal_tokens_every_run_ends_with_the_step_that_reaches_them() {
    let (folder, library) = (tempfile::tempdir().unwrap(), library());
    let head = "equal = \"sampled-tokens\"\nset = [\"sampled_tokens_max=150\", \"evaluation.episodes=1\"]";
    let (experiment, _) = planned(folder.path(), &library, head, TWO_ARMS).unwrap();
    let runs = experiment.plan(&["steps=50".into()], &library).unwrap();
    let store = folder.path().join("store");
    assert!(train_all(&runs, &library, &store, &AtomicBool::new(false), &mut |_, _| Box::new(Silent)).unwrap());
    for run in Found::read(experiment, &runs, &store).unwrap().runs {
        let sampled = run.total(|step| step.sampled_tokens);
        let before_the_last = sampled - run.steps.last().unwrap().sampled_tokens;
        assert!(before_the_last < 150 && sampled >= 150, "{sampled} tokens, {before_the_last} before the last step");
    }
}

#[test]
fn arms_that_do_not_play_as_much_or_are_not_evaluated_alike_are_refused() {
    let (folder, library) = (tempfile::tempdir().unwrap(), library());
    let refused = |head: &str, set: &str| {
        let arms = format!("{TWO_ARMS}[[arm]]\nname = \"other\"\nset = [{set}]\n");
        planned(folder.path(), &library, head, &arms).map(drop).unwrap_err().to_string()
    };
    let unequal = refused("", "\"rollout.groups=3\"");
    assert!(unequal.contains("mixed and other do not have as many trajectories a run (8 and 12)"), "{unequal}");
    let otherwise = refused("", "\"evaluation.episodes=5\"");
    assert!(otherwise.contains("not evaluated alike"), "{otherwise}");
    for set in ["\"stage.0.attempts=7\"", "\"reply.tokens=1\"", "\"stage.0.options.rounds=2\""] {
        let otherwise = refused("", set);
        assert!(otherwise.contains("not evaluated alike"), "{set}: {otherwise}");
    }
    let early = refused("", "\"sampled_tokens_max=5\"");
    assert!(early.contains("the arm other may end early, by its sampled_tokens_max"), "{early}");
    for (set, follows) in [("\"seed=5\"", "`seed` follows from"), ("\"name = mine\"", "`name` follows from")] {
        let refused = refused("", set);
        assert!(refused.contains("arm other") && refused.contains(follows), "{refused}");
    }
    let untold = refused("equal = \"sampled-tokens\"", "\"task.kind=mixed\"");
    assert!(untold.contains("sampled_tokens_max"), "{untold}");
    assert!(refused("baseline = \"none\"", "").contains("`baseline` is none of the arms"));
    assert!(refused("", "\"stage.0.train=false\", \"stage.1.train=false\"").contains("at least one [[stage]]"));
}
