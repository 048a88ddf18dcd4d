//! `ludus-train replay`: a step rolled out again is the step that was, or the first token that differs is named.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::scene::{Scene, end_of, run_folder};

#[test]
fn a_step_rolled_out_again_is_identical_and_only_those_with_weights_before_them_can_be() {
    let scene = Scene::new(&["steps=3", "checkpoint.keep=2"]);
    let store = scene.store("store");
    scene.train_to_the_end(&store);

    for step in ["1", "3"] {
        let ended = scene.replay(&store, step, &[]);
        assert_eq!(ended.code, Some(0), "{}{}", ended.output, ended.errors);
        let verdict = format!("step {step} of small is identical: 8 episodes, ");
        assert!(ended.output.starts_with(&verdict), "{}", ended.output);
    }
    // The checkpoints of steps 2 and 3 stayed.
    for step in ["2", "4"] {
        let ended = scene.replay(&store, step, &[]);
        assert_eq!(ended.code, Some(2), "{}", ended.output);
        assert!(ended.errors.contains("steps 1 and 3 can"), "{}", ended.errors);
    }
    let elsewhere = scene.replay(&scene.store("another"), "1", &[]);
    assert_eq!(elsewhere.code, Some(2));
    assert!(elsewhere.errors.contains("there is no run small"), "{}", elsewhere.errors);
}

#[test]
fn a_step_that_differs_names_the_first_token_that_does() {
    let scene = Scene::new(&["steps=1"]);
    let store = scene.store("store");
    scene.train_to_the_end(&store);

    // Somebody claims that the third episode sampled something else.
    let file = run_folder(&store).join("rollouts/step-000001.jsonl");
    let mut lines: Vec<Value> =
        fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let reply = &mut lines[2]["replies"][1];
    let place = reply["at"].as_u64().unwrap();
    reply["ids"][0] = Value::from(7);
    let claimed: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(&file, claimed).unwrap();

    let json = scene.store("verdict.json");
    let ended = scene.replay(&store, "1", &["--json", &json.to_string_lossy()]);
    assert_eq!(ended.code, Some(1), "{}", ended.errors);
    assert!(ended.output.starts_with("step 1 of small differs"), "{}", ended.output);
    assert!(ended.output.contains(&format!("episode 3    token {place}, in reply 2: it was 7 ")), "{}", ended.output);
    let verdict: Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(verdict["identical"], false);
    assert_eq!((&verdict["difference"]["episode"], &verdict["difference"]["token"]), (&3.into(), &place.into()));
}

#[test]
fn what_was_changed_in_the_folder_of_a_run_is_what_a_replay_names() {
    let scene = Scene::new(&["steps=1"]);
    let store = scene.store("store");
    scene.train_to_the_end(&store);

    let recipe = run_folder(&store).join("recipe.toml");
    let text = fs::read_to_string(&recipe).unwrap();
    let edited = text.replacen("seed = 1\n", "seed = 2\n", 1);
    assert_ne!(edited, text);
    fs::write(&recipe, edited).unwrap();
    let ended = scene.replay(&store, "1", &[]);
    assert_eq!(ended.code, Some(2), "{}", ended.output);
    let sentence = format!("ludus-train: {} is not the recipe that the run small was made with; ", recipe.display());
    assert!(ended.errors.starts_with(&sentence), "{}", ended.errors);
    fs::write(&recipe, text).unwrap();

    // Nothing was kept, so there is no record of what differs.
    fs::write(run_folder(&store).join("rollouts/step-000001.jsonl"), "").unwrap();
    let ended = scene.replay(&store, "1", &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.errors);
    assert!(ended.output.contains("episode 1    there were 0 episodes, now there are 8\n"), "{}", ended.output);
    assert!(!ended.output.lines().any(|line| line.starts_with("record")), "{}", ended.output);
}

/// A rebuilt game is another component though it plays the same: some toolchains do not make the same bytes twice.
#[test]
fn a_run_keeps_the_games_that_it_began_with_though_they_were_built_again() {
    let scene = Scene::new(&["steps=1"]);
    let store = scene.store("store");
    scene.train_to_the_end(&store);

    let rebuilt = scene.store("rebuilt");
    fs::create_dir(&rebuilt).unwrap();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../games-wasm/built")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        // A custom section of no meaning: its size, the length of its name, its name, its content.
        bytes.extend([0, 3, 1, b'x', 0]);
        fs::write(rebuilt.join(path.file_name().unwrap()), bytes).unwrap();
    }
    let with_rebuilt = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ludus-train"));
        command.arg("--store").arg(&store).arg("--games").arg(&rebuilt).args(arguments);
        end_of(command)
    };
    let replayed = with_rebuilt(&["replay", "small", "1"]);
    assert_eq!(replayed.code, Some(0), "{}{}", replayed.output, replayed.errors);
    assert!(replayed.output.starts_with("step 1 of small is identical"), "{}", replayed.output);
    let recipe = run_folder(&store).join("recipe.toml");
    let resumed = with_rebuilt(&["train", &recipe.to_string_lossy(), "--resume"]);
    assert_eq!(resumed.code, Some(0), "{}{}", resumed.output, resumed.errors);

    // Without them in the store they are missed.
    fs::remove_dir_all(store.join("components")).unwrap();
    let missed = with_rebuilt(&["replay", "small", "1"]);
    assert_eq!(missed.code, Some(2), "{}", missed.output);
    assert!(missed.errors.contains("other builds of its games"), "{}", missed.errors);
}
