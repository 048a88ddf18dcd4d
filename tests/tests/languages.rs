//! Games in other languages than Rust are trained on as those in Rust are.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use ludus_host::component_files::StoredComponents;
use ludus_host::replay::{Replayer, Verdict};
use ludus_host::store::Store;
use ludus_tests::{Silent, library, small_model};
use ludus_trainer::plan::Plan;
use ludus_trainer::recipe::read;
use ludus_trainer::train::{TrainOptions, train};

#[test]
fn every_shipped_recipe_is_a_plan() {
    let library = library();
    for (name, _) in read::SHIPPED {
        let recipe = read::read(name, &[]).expect("a recipe");
        let plan = Plan::from_recipe(recipe, &library).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(plan.memory.is_some(), "{name} names a model of unknown size");
    }
}

#[test]
fn games_of_all_languages_are_trained_on_and_their_episodes_replay() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = format!("model.source={}", small_model(folder.path()).display());
    // A step of each game. The model's replies are noise, so most moves are those of its stand-in.
    let changes = [
        model.as_str(),
        "model.device=cpu",
        "model.precision=float32",
        "task.kind=alternate",
        "steps=6",
        "rollout.groups=1",
        "rollout.group_size=4",
        "evaluation.episodes=1",
    ];
    let library = library();
    let recipe = read::read("tabletop", &changes.map(str::to_string)).expect("a recipe");
    let plan = Plan::from_recipe(recipe, &library).expect("`./just languages` builds the games");
    let place = tempfile::tempdir().expect("a folder");
    let stop = AtomicBool::new(false);
    let store = place.path().to_path_buf();
    let options =
        TrainOptions { library: &library, store, name: "tabletop".into(), resume: false, stop: &stop, place: None };
    assert_eq!(train(&plan, &options, &mut Silent).expect("a run").steps_done, 6);

    let store = Store::open(place.path()).expect("a store");
    let components = StoredComponents::new(store.components(), &library);
    let mut replayer = Replayer::new(&components);
    let mut tasks = BTreeSet::new();
    for hash in store.hashes(Some("tabletop")).expect("a run") {
        let record = store.record(&hash).expect("a record");
        assert_eq!(replayer.replay(&record).expect("a replay"), Verdict::Identical, "{hash}");
        tasks.insert(store.entry(&hash).expect("an episode").labels.task);
    }
    let expected = ["connect-four", "kuhn-poker", "liars-dice", "mastermind", "negotiation", "nim"];
    assert!(expected.iter().all(|game| tasks.iter().any(|task| task.contains(game))), "{tasks:?}");
}
