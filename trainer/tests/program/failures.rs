//! A run that cannot go on says why in one sentence, and what to look at or to change.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use ludus_trainer::model::config::ModelConfig;
use ludus_trainer::model::weights;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::scene::{Ended, Scene, checkpoint, end_of, files_of, run_folder};

#[test]
fn what_a_run_consists_of_lies_beside_it() {
    let scene = Scene::new(&["steps=0", "model.threads=1"]);
    let store = scene.store("store");
    scene.train_to_the_end(&store);
    let text = fs::read_to_string(run_folder(&store).join("run.json")).unwrap();
    let described: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(described["plan"].as_str().map(str::len), Some(64));
    assert_eq!(described["games"][1]["name"], "tictactoe");
    let made_with = &described["made_with"][0];
    assert_eq!(made_with["ludus"], env!("CARGO_PKG_VERSION"));
    assert!(made_with["libtorch"].as_str().unwrap().starts_with("2."), "{text}");
    assert!(made_with["wasmtime"].as_str().unwrap().starts_with("48."), "{text}");
    assert!(made_with["engine"].as_str().unwrap().starts_with("wasmtime-48/"), "{text}");
    assert_eq!(
        [&made_with["from_step"], &made_with["device"], &made_with["precision"], &made_with["threads"]],
        [&Value::from(1), &Value::from("cpu"), &Value::from("float32"), &Value::from(1)]
    );
    // A source without its history has no commit.
    let commit = made_with["commit"].as_str().map(|commit| commit.trim_end_matches("-dirty").len());
    assert!(commit.is_none_or(|length| length == 40), "{text}");
}

/// A gradient that is too large for float32, of a loss that is not: the norm of a hidden state of zeros multiplies by the
/// inverse of the root of a tiny epsilon.
fn give_it_an_infinite_gradient(model: &Path) {
    let config = fs::read_to_string(model.join("config.json")).unwrap();
    fs::write(model.join("config.json"), config.replace("\"rms_norm_eps\": 1e-5", "\"rms_norm_eps\": 1e-42")).unwrap();
    let config = ModelConfig::read(model).unwrap();
    let tensors = weights::load(model, &config, Device::Cpu).unwrap();
    for (name, tensor) in &tensors {
        if name.ends_with("embed_tokens.weight") {
            // The token that begins every turn.
            let _ = tensor.get(1).zero_();
        }
    }
    let borrowed: Vec<(String, &Tensor)> = tensors.iter().map(|(name, tensor)| (name.clone(), tensor)).collect();
    weights::save(model, &borrowed, Kind::Float).unwrap();
}

#[test]
fn a_gradient_that_is_not_finite_ends_the_run_and_leaves_the_batch_to_look_at() {
    let scene = Scene::new(&[]);
    give_it_an_infinite_gradient(&scene.model());
    let store = scene.store("store");
    let ended = end_of(scene.train(&store));
    assert_eq!(ended.code, Some(1), "{}", ended.errors);
    let file = run_folder(&store).join("suspect/step-000001.jsonl");
    let sentence = format!("ludus-train: the gradient of step 1 is not finite: its batch is in {}; ", file.display());
    assert!(ended.errors.starts_with(&sentence), "{}", ended.errors);
    assert_eq!(ended.errors.lines().count(), 1, "{}", ended.errors);

    let text = fs::read_to_string(file).unwrap();
    let batch: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(batch.len() >= 4, "a group is trained on whole: {}", batch.len());
    for trajectory in &batch {
        let length = trajectory["tokens"].as_array().unwrap().len();
        for list in ["sampled", "log_probabilities", "stages", "advantages", "weights"] {
            assert_eq!(trajectory[list].as_array().unwrap().len(), length, "{list}");
        }
        assert!(trajectory["text"].as_str().unwrap().contains("<|im_start|>user"));
        assert!(trajectory["task_return"].is_number());
    }
    let spread = batch.iter().flat_map(|one| one["advantages"].as_array().unwrap()).any(|value| *value != 0.0);
    assert!(spread, "what was trained on has advantages");
}

#[test]
fn a_probability_that_is_not_finite_ends_the_run_too() {
    let scene = Scene::new(&["evaluation.temperature=1.0"]);
    let model = scene.model();
    let tensors = weights::load(&model, &ModelConfig::read(&model).unwrap(), Device::Cpu).unwrap();
    let (_, last) = tensors.iter().find(|(name, _)| name == "model.norm.weight").unwrap();
    let _ = last.shallow_clone().fill_(f64::from(f32::MAX));
    let borrowed: Vec<(String, &Tensor)> = tensors.iter().map(|(name, tensor)| (name.clone(), tensor)).collect();
    weights::save(&model, &borrowed, Kind::Float).unwrap();

    let store = scene.store("store");
    let ended = end_of(scene.train(&store));
    assert_eq!(ended.code, Some(1), "{}", ended.errors);
    assert!(ended.errors.contains("probability of a sampled token of step 1 is not finite"), "{}", ended.errors);
    let batch = fs::read_to_string(run_folder(&store).join("suspect/step-000001.jsonl")).unwrap();
    assert_eq!(batch.lines().count(), 8);
    assert!(batch.contains("null"), "a number that is not finite is null");
}

/// The bytes that a process may write to.
fn data_bytes(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmData:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// What a run needs differs from processor to processor, so the least is searched for with which it gets to its end. With
/// a little less what fails is the largest thing that it asks for, the logits of an update: all that is smaller still has
/// room. But the allocator gets memory in large pieces, and something small may be what needs the next one; then the process
/// is ended by a signal, and a little less still is tried.
#[test]
fn memory_that_runs_out_in_an_update_names_the_setting_to_lower() {
    const STEP: u64 = 8;
    let (mut too_few, mut enough) = (0_u64, 512_u64);
    while enough - too_few > STEP {
        let mebibytes = too_few.midpoint(enough);
        match end_with_mebibytes_left(mebibytes).code {
            Some(0) => enough = mebibytes,
            _ => too_few = mebibytes,
        }
    }
    let mut less = (1..=8).map(|steps| end_with_mebibytes_left(enough.saturating_sub(steps * STEP)));
    let ended = less.find(|ended| matches!(ended.code, Some(code) if code != 0));
    let ended = ended.expect("a run that says what it has too little memory for");
    assert_eq!(ended.code, Some(1), "{}", ended.errors);
    assert_eq!(ended.errors.lines().count(), 1, "{}", ended.errors);
    let sentence = "ludus-train: out of memory in an update: lower algorithm.pack_tokens (";
    assert!(ended.errors.starts_with(sentence), "{}", ended.errors);
}

/// How a run ends that gets no more than so much memory beside what it has after its first episode.
fn end_with_mebibytes_left(mebibytes: u64) -> Ended {
    // An evaluation asks for as many replies at once as a rollout does; an update needs the logits of all their tokens.
    let scene = Scene::new(&["reply.tokens=8", "evaluation.episodes=8"]);
    let store = scene.store("store");
    let mut command = scene.train(&store);
    // Every large tensor comes from the system and goes back to it, so that what an update holds is seen in full.
    command.env("MIMALLOC_DISALLOW_ARENA_ALLOC", "1").env("MIMALLOC_PURGE_DELAY", "0");
    // A backtrace takes memory, and where that runs out the standard library waits for itself.
    command.env("RUST_BACKTRACE", "0");
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ludus-train runs");
    // It is told when the first episode is over.
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.starts_with("evaluation of"))));
    let limit = data_bytes(process.id()) + (mebibytes << 20);
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
    // SAFETY: the limit is read during the call, and none is asked for.
    let set = unsafe { libc::prlimit(process.id() as i32, libc::RLIMIT_DATA, &limit, std::ptr::null_mut()) };
    assert_eq!(set, 0);
    let output = lines.map_while(Result::ok).collect();
    let ended = process.wait_with_output().unwrap();
    Ended { code: ended.status.code(), output, errors: String::from_utf8_lossy(&ended.stderr).into_owned() }
}

#[test]
fn a_run_goes_on_only_with_the_model_that_it_began_with() {
    let scene = Scene::new(&["steps=0"]);
    let store = scene.store("store");
    scene.train_to_the_end(&store);
    let sentence = format!(
        "ludus-train: the run small began with another model than the one that is in {} now: ",
        scene.model().display()
    );
    for file in ["model.safetensors", "config.json", "tokenizer.json"] {
        let file = scene.model().join(file);
        let bytes = fs::read(&file).unwrap();
        let mut changed = bytes.clone();
        // The last bit of a number, or a blank behind a text.
        match file.extension().is_some_and(|kind| kind == "json") {
            true => changed.push(b' '),
            false => *changed.last_mut().unwrap() ^= 1,
        }
        fs::write(&file, changed).unwrap();
        let ended = end_of(scene.train(&store));
        assert_eq!(ended.code, Some(2), "{}", ended.errors);
        assert!(ended.errors.starts_with(&sentence), "{}", ended.errors);
        fs::write(&file, bytes).unwrap();
    }
    scene.train_to_the_end(&store);
}

#[test]
fn what_is_gone_from_a_runs_folder_is_missed_before_anything_is_made_again() {
    let scene = Scene::new(&["steps=2"]);
    let store = scene.store("store");
    scene.train_to_the_end(&store);
    let folder = run_folder(&store);
    let after = folder.join("evaluation/after.json");
    let finished = fs::read(&after).unwrap();
    let is_missed = |file: &str, becomes: Option<&[u8]>, words: &str| {
        let path = folder.join(file);
        let bytes = fs::read(&path).unwrap();
        let _ = fs::remove_file(&after);
        match becomes {
            Some(other) => fs::write(&path, other).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let ended = end_of(scene.train(&store));
        assert_eq!(ended.code, Some(2), "{file}: {}", ended.errors);
        assert!(ended.errors.contains(file) && ended.errors.contains(words), "{file}: {}", ended.errors);
        fs::write(&path, bytes).unwrap();
        fs::write(&after, &finished).unwrap();
    };
    is_missed("evaluation/before.json", None, "it is not there, and 2 steps were made");
    is_missed("evaluation/before.json", Some(b"[{"), "put back a copy of it");
    is_missed("evaluation/before.json", Some(b"[]"), "every evaluation of the plan");
    is_missed("evaluation/random.json", Some(b""), "put back a copy of it");
    is_missed("metrics.jsonl", Some(b""), "it is not there, and 2 steps are done");
    is_missed("timing.jsonl", None, "it is not there, and 2 steps are done");
    is_missed("checkpoints/step-000002/config.json", Some(b"{}"), "config");
    is_missed("run.json", None, "it is not there, though a run was made here");
    let description = folder.join("run.json");
    let bytes = fs::read(&description).unwrap();
    fs::remove_file(&description).unwrap();
    let mut resumed = scene.train(&store);
    resumed.arg("--resume");
    let ended = end_of(resumed);
    assert_eq!(ended.code, Some(2), "{}", ended.errors);
    assert!(ended.errors.contains("though a run was made here"), "{}", ended.errors);
    fs::write(&description, bytes).unwrap();
    scene.train_to_the_end(&store);
}

#[test]
fn a_run_whose_checkpoints_are_gone_does_not_begin_anew_over_what_it_made() {
    let scene = Scene::new(&["steps=2"]);
    let store = scene.store("store");
    scene.train_to_the_end(&store);
    let made = files_of(&store);
    let (checkpoints, aside) = (run_folder(&store).join("checkpoints"), scene.store("aside"));
    fs::rename(&checkpoints, &aside).unwrap();
    let ended = end_of(scene.train(&store));
    assert_eq!(ended.code, Some(2), "{}", ended.errors);
    assert!(ended.errors.contains("made 2 steps and has no checkpoint left"), "{}", ended.errors);
    fs::remove_dir_all(&checkpoints).unwrap();
    fs::rename(&aside, &checkpoints).unwrap();
    scene.train_to_the_end(&store);
    assert_eq!(files_of(&store), made);
}

#[test]
fn a_run_whose_stages_do_not_ask_for_random_play_goes_on_too() {
    let scene = Scene::new(&["steps=1", "stage.1.references=[\"house:optimal\"]"]);
    let store = scene.store("store");
    scene.train_to_the_end(&store);
    scene.train_to_the_end(&store);
}

#[test]
fn evaluations_after_steps_that_are_made_again_are_made_again() {
    let scene = Scene::new(&["steps=3", "evaluation.every=1", "checkpoint.every=1", "checkpoint.keep=9"]);
    let store = scene.store("store");
    scene.train_to_the_end(&store);
    let made = files_of(&store);
    for step in [2, 3] {
        fs::remove_dir_all(checkpoint(&store, step)).unwrap();
    }
    for outdated in ["step-000002", "after"] {
        let path = run_folder(&store).join(format!("evaluation/{outdated}.json"));
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text + "\n").unwrap();
    }
    assert_ne!(files_of(&store), made);
    scene.train_to_the_end(&store);
    assert_eq!(files_of(&store), made);
}

#[test]
fn a_model_is_not_evaluated_in_longer_conversations_than_it_was_made_for() {
    let scene = Scene::new(&[]);
    let mut command = scene.program(&scene.store("store"));
    command.arg("evaluate").arg(scene.model()).arg("--recipe").arg(scene.model().with_file_name("small.toml"));
    command.arg("--set=rollout.context_tokens=1000000");
    let ended = end_of(command);
    assert_eq!(ended.code, Some(2), "{}", ended.errors);
    assert!(ended.errors.contains("rollout.context_tokens is 1000000, but the model was made for"), "{}", ended.errors);
}

#[test]
fn a_model_is_exported_into_a_folder_whose_name_ends_in_a_slash() {
    let scene = Scene::new(&[]);
    let folder = scene.store("exported");
    let mut command = scene.program(&scene.store("store"));
    command.arg("export").arg(scene.model()).arg(format!("{}/", folder.display()));
    let ended = end_of(command);
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert!(folder.join("model.safetensors").is_file() && !folder.join(".partial").exists());
}

/// The random model gives hardly a legal move, and somebody moves in its place each time.
#[test]
fn moves_in_the_models_place_are_no_replies_of_a_stage() {
    let scene = Scene::new(&["steps=1", "task.kind=single", "stage.0.train=false"]);
    let store = scene.store("store");
    scene.train_to_the_end(&store);
    let lines = fs::read_to_string(run_folder(&store).join("metrics.jsonl")).unwrap();
    let line: Value = serde_json::from_str(lines.trim()).unwrap();
    for share in ["illegal_share", "malformed_share"] {
        assert_eq!(line["stages"]["tictactoe"][share], line[share], "{line}");
    }
    assert!(line["illegal_share"].as_f64().unwrap() + line["malformed_share"].as_f64().unwrap() > 0.5, "{line}");
}

#[test]
fn weights_that_are_no_numbers_are_refused_before_anything_is_asked() {
    let scene = Scene::new(&[]);
    let weights = scene.model().join("model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let length = bytes.len();
    bytes[length - 4..].fill(0xff);
    fs::write(&weights, bytes).unwrap();
    let ended = end_of(scene.train(&scene.store("store")));
    assert_eq!(ended.code, Some(2), "{}", ended.errors);
    assert!(ended.errors.contains("has numbers that are not finite: the file is damaged"), "{}", ended.errors);
}

#[test]
fn a_run_whose_numbers_are_damaged_goes_on_once_a_copy_of_them_is_back() {
    let scene = Scene::new(&["steps=2"]);
    let store = scene.store("store");
    scene.train_to_the_end(&store);
    let file = run_folder(&store).join("metrics.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let damaged = text.replacen("\"step\":1,", "\"step\":1,garbage", 1);
    assert_ne!(damaged, text);
    fs::write(&file, &damaged).unwrap();
    let ended = end_of(scene.train(&store));
    assert_eq!(ended.code, Some(2), "{}", ended.errors);
    let sentence = format!("ludus-train: line 1 of {} is damaged: ", file.display());
    assert!(ended.errors.starts_with(&sentence), "{}", ended.errors);
    assert!(ended.errors.ends_with("; put back a copy of the file\n"), "{}", ended.errors);
    assert_eq!(fs::read_to_string(&file).unwrap(), damaged, "nothing of it is cut");
    fs::write(&file, &text).unwrap();
    scene.train_to_the_end(&store);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_place_that_cannot_be_written_is_noticed_before_anything_is_played() {
    let scene = Scene::new(&[]);
    let refused = |store: &Path, place: &Path| {
        let ended = end_of(scene.train(store));
        assert_eq!(ended.code, Some(2), "{}", ended.errors);
        let sentence = format!("ludus-train: cannot write {}: ", place.display());
        assert!(ended.errors.starts_with(&sentence), "{}", ended.errors);
        assert!(ended.errors.contains("choose another store with --store"), "{}", ended.errors);
        assert_eq!(ended.output, "");
        assert!(!run_folder(store).join("run.json").exists(), "it was not begun");
    };
    // A file where a folder should be.
    let file = scene.store("file");
    fs::write(&file, "").unwrap();
    refused(&file, &run_folder(&file));
    // Folders that are there, and in which nobody can make a file, not even root.
    for name in ["checkpoints", "evaluation", "rollouts"] {
        let store = scene.store(&format!("closed-{name}"));
        fs::create_dir_all(run_folder(&store)).unwrap();
        symlink("/proc/self", run_folder(&store).join(name)).unwrap();
        refused(&store, &run_folder(&store).join(name));
    }
}
