//! Several processes that train together, started with the variables that torchrun would set: the update is that of one process,
//! and where one of them dies the others end.
//!
//! Built without c10d the program has no ranks. These tests then say that they did not run.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use ludus_tests::server::Server;
use ludus_trainer::model::weights;
use ludus_trainer::sampled::{self, SampledEpisode};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::scene::{Ended, Scene, checkpoint, end_of, files_of, run_folder};

/// Settings under which a step has several minibatches, groups and packs to share. The larger epsilon makes AdamW's step a smooth
/// function of the gradient: with the usual one a gradient that is nothing but rounding makes a whole step.
const CHANGES: [&str; 9] = [
    "steps=3",
    "model.threads=1",
    "rollout.groups=4",
    "algorithm.minibatches=2",
    "algorithm.pack_tokens=600",
    "algorithm.oversample_max=2",
    "optimizer.epsilon=1e-3",
    "evaluation.every=2",
    "checkpoint.every=1",
];

fn scene(more: &[&str]) -> Scene {
    Scene::new(&CHANGES.iter().chain(more).copied().collect::<Vec<_>>())
}

/// Starts the ranks of a run, or goes on with it.
fn start(scene: &Scene, store: &Path, ranks: usize) -> Vec<Child> {
    // Whoever took the port meanwhile would be told from the ranks; that it is free is likely enough.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let spawn = |mut command: Command| command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let rank = |rank: usize| {
        let mut command = scene.train(store);
        command.env("RANK", rank.to_string()).env("LOCAL_RANK", rank.to_string());
        command.env("WORLD_SIZE", ranks.to_string()).env("LOCAL_WORLD_SIZE", ranks.to_string());
        command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", port.to_string());
        spawn(command)
    };
    (0..ranks).map(rank).collect()
}

fn end(process: Child) -> Ended {
    let Output { status, stdout, stderr } = process.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { code: status.code(), output: text(stdout), errors: text(stderr) }
}

/// Trains to the end, which is a good one.
fn train(scene: &Scene, store: &Path, ranks: usize) {
    for (rank, process) in start(scene, store, ranks).into_iter().enumerate() {
        let ended = end(process);
        assert_eq!(ended.code, Some(0), "rank {rank}: {}", ended.errors);
        assert_eq!(ended.output.is_empty(), rank > 0, "the first rank alone tells: {}", ended.output);
        assert_eq!(ended.errors, "", "rank {rank}");
    }
}

/// The steps that a run has written down.
fn steps(store: &Path) -> usize {
    fs::read_to_string(run_folder(store).join("metrics.jsonl")).unwrap_or_default().lines().count()
}

#[expect(clippy::disallowed_methods, reason = "at which moment a rank is killed decides nothing")]
fn wait_for_steps(store: &Path, wanted: usize, ranks: &mut [Child]) {
    while steps(store) < wanted {
        std::thread::sleep(Duration::from_millis(2));
        for rank in &mut *ranks {
            assert_eq!(rank.try_wait().expect("its state"), None, "it ended before step {wanted}");
        }
    }
}

fn rollout(store: &Path, step: u32) -> Vec<SampledEpisode> {
    let file = run_folder(store).join(format!("rollouts/step-{step:06}.jsonl"));
    sampled::from_lines(&fs::read_to_string(file).unwrap()).unwrap()
}

/// Numbers are close where they differ by so much of their size, or by so much where that is small.
fn assert_close(found: &Value, expected: &Value, tolerance: f64, place: &str) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            assert!(found.keys().eq(expected.keys()), "{place}");
            found
                .iter()
                .for_each(|(key, found)| assert_close(found, &expected[key], tolerance, &format!("{place}.{key}")));
        }
        (Value::Number(found), Value::Number(expected)) => {
            let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
            assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{place}: {found}, {expected}");
        }
        _ => assert_eq!(found, expected, "{place}"),
    }
}

/// The largest distance of two folders' weights.
fn distance(folder: &Path, other: &Path) -> f64 {
    let load = |folder: &Path| weights::load_file(&folder.join("model.safetensors"), Device::Cpu).unwrap();
    let (found, expected) = (load(folder), load(other));
    assert!(found.keys().eq(expected.keys()));
    let distance = |(name, tensor): (&String, &Tensor)| (tensor - &expected[name]).abs().max().to_kind(Kind::Double);
    found.iter().map(|pair| distance(pair).double_value(&[])).fold(0.0, f64::max)
}

#[cfg_attr(not(ludus_c10d), ignore = "this build has no c10d: Gloo's headers are missing (libgloo-dev)")]
#[test]
fn two_ranks_make_the_update_of_one_to_rounding() {
    // Of fifty thousand tokens that are about as likely, each has so small a part of the probability that rounding chooses among
    // them; of fifty it does not.
    let scene = scene(&["rollout.top_k=50"]);
    let (one, two) = (scene.store("one"), scene.store("two"));
    scene.train_to_the_end(&one);
    train(&scene, &two, 2);

    for step in 1..=3 {
        let (found, expected) = (rollout(&two, step), rollout(&one, step));
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!((&found.episode, found.seed, found.member), (&expected.episode, expected.seed, expected.member));
            for (found, expected) in found.replies.iter().zip(&expected.replies) {
                assert_eq!((&found.before, &found.ids), (&expected.before, &expected.ids));
                let pairs = found.log_probabilities.iter().zip(&expected.log_probabilities);
                assert!(
                    pairs.clone().all(|(found, expected)| (found - expected).abs() < 1e-4),
                    "{found:?} {expected:?}"
                );
            }
        }
    }
    let metrics = |store: &Path| fs::read_to_string(run_folder(store).join("metrics.jsonl")).unwrap();
    let lines = |text: &str| -> Vec<Value> { text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
    let (found, expected) = (lines(&metrics(&two)), lines(&metrics(&one)));
    assert_eq!(found.len(), 3);
    for (found, expected) in found.iter().zip(&expected) {
        assert!(found["updates"].as_u64() >= Some(2), "there are minibatches to share: {found}");
        assert_close(found, expected, 1e-4, "metrics");
    }
    // Weights are up to 1, and steps some hundred times the tolerance.
    let apart = distance(&checkpoint(&two, 3), &checkpoint(&one, 3));
    let moved = distance(&checkpoint(&two, 3), &scene.model());
    println!("weights moved by {moved:e}, and two ranks differ from one by {apart:e}");
    assert!(apart < 1e-6 && moved > 1e-4, "weights moved by {moved:e}, and two ranks differ from one by {apart:e}");

    let described = fs::read_to_string(run_folder(&two).join("run.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&described).unwrap()["made_with"][0]["ranks"], 2);
    // One process rolls out again what two did, bit for bit.
    for step in ["1", "3"] {
        let ended = scene.replay(&two, step, &[]);
        assert_eq!(ended.code, Some(0), "{}{}", ended.output, ended.errors);
    }
}

#[cfg_attr(not(ludus_c10d), ignore = "this build has no c10d: Gloo's headers are missing (libgloo-dev)")]
#[test]
fn ranks_that_share_the_optimizer_make_the_same_checkpoint_bit_for_bit() {
    let whole = scene(&[]);
    let store = whole.store("whole");
    train(&whole, &store, 3);
    let shared = scene(&["optimizer.sharded=true"]);
    let other = shared.store("sharded");
    train(&shared, &other, 3);
    let weights = |store: &Path| -> BTreeMap<String, String> {
        files_of(store).into_iter().filter(|(name, _)| name.ends_with(".safetensors")).collect()
    };
    let (found, expected) = (weights(&other), weights(&store));
    assert_eq!(expected.len(), 6, "weights and moments of three steps: {expected:?}");
    assert_eq!(found, expected);
}

#[cfg_attr(not(ludus_c10d), ignore = "this build has no c10d: Gloo's headers are missing (libgloo-dev)")]
#[test]
fn where_a_rank_dies_the_others_end_with_a_sentence_and_resume_goes_on() {
    let scene = scene(&["steps=8", "optimizer.sharded=true"]);
    let whole = scene.store("whole");
    train(&scene, &whole, 2);

    let store = scene.store("killed");
    for victim in [1, 0] {
        let done = steps(&store);
        let mut ranks = start(&scene, &store, 2);
        // Once they have met and made a step that is not behind the newest checkpoint.
        wait_for_steps(&store, done + 1, &mut ranks);
        let mut killed = ranks.remove(victim);
        killed.kill().expect("it is killed");
        killed.wait().expect("it is gone");
        let left = end(ranks.remove(0));
        assert_eq!(left.code, Some(1), "{}", left.errors);
        assert!(left.errors.starts_with("ludus-train: another rank ended or cannot be reached ("), "{}", left.errors);
        assert!(left.errors.ends_with("--resume goes on from the newest checkpoint\n"), "{}", left.errors);
        assert_eq!(left.errors.lines().count(), 1, "{}", left.errors);
    }
    assert!(!checkpoint(&store, 8).exists(), "it was killed before its end");
    train(&scene, &store, 2);
    assert_eq!(files_of(&store), files_of(&whole));
}

#[cfg_attr(not(ludus_c10d), ignore = "this build has no c10d: Gloo's headers are missing (libgloo-dev)")]
#[test]
fn a_stop_of_one_rank_stops_all_and_the_run_goes_on_with_another_number_of_ranks() {
    let scene = scene(&["steps=40", "optimizer.sharded=true", "evaluation.every=0"]);
    let store = scene.store("stopped");
    let mut ranks = start(&scene, &store, 2);
    wait_for_steps(&store, 1, &mut ranks);
    // SAFETY: it sends a signal to a child that was not waited for.
    assert_eq!(unsafe { libc::kill(ranks[1].id() as i32, libc::SIGINT) }, 0);
    for (rank, process) in ranks.into_iter().enumerate() {
        let ended = end(process);
        assert_eq!(ended.code, Some(0), "rank {rank}: {}", ended.errors);
        assert_eq!(ended.output.contains("stopped after "), rank == 0, "{}", ended.output);
    }
    let done = steps(&store);
    let mut alone = [scene.train(&store).stdout(Stdio::null()).spawn().expect("it runs")];
    wait_for_steps(&store, done + 1, &mut alone);
    // SAFETY: it sends a signal to a child that was not waited for.
    assert_eq!(unsafe { libc::kill(alone[0].id() as i32, libc::SIGINT) }, 0);
    assert_eq!(alone[0].wait().expect("it ends").code(), Some(130), "a process by itself says that it was interrupted");
    let described: Value =
        serde_json::from_str(&fs::read_to_string(run_folder(&store).join("run.json")).unwrap()).unwrap();
    let made_with = described["made_with"].as_array().unwrap();
    let ranks: Vec<Option<u64>> = made_with.iter().map(|entry| entry["ranks"].as_u64()).collect();
    assert_eq!(ranks, [Some(2), None], "{described}");
}

#[cfg_attr(not(ludus_c10d), ignore = "this build has no c10d: Gloo's headers are missing (libgloo-dev)")]
#[test]
fn what_the_first_rank_cannot_do_ends_all_of_them() {
    let scene = scene(&["steps=0"]);
    let store = scene.store("store");
    train(&scene, &store, 2);
    // Without --resume there is a run already.
    fs::rename(run_folder(&store).join("run.json"), run_folder(&store).join("run")).unwrap();
    let ranks = {
        let mut commands = start(&scene, &store, 2);
        // The description comes back before either looks for it: they load libtorch first.
        fs::rename(run_folder(&store).join("run"), run_folder(&store).join("run.json")).unwrap();
        (commands.remove(0), commands.remove(0))
    };
    let (first, other) = (end(ranks.0), end(ranks.1));
    assert_eq!((first.code, other.code), (Some(2), Some(1)), "{} {}", first.errors, other.errors);
    assert!(first.errors.contains("there is a run small already"), "{}", first.errors);
    assert!(other.errors.contains("another rank cannot go on, and says why"), "{}", other.errors);
}

#[cfg_attr(not(ludus_c10d), ignore = "this build has no c10d: Gloo's headers are missing (libgloo-dev)")]
#[test]
fn calls_to_a_server_that_any_rank_made_are_counted_together() {
    let server = Server::that_says("5", |call| call % 2 == 1);
    let url = format!("endpoints.rival.url=\"{}\"", server.url);
    let changes = [
        "steps=1",
        "evaluation.every=0",
        &url,
        "endpoints.rival.model=\"any\"",
        "endpoints.rival.retries=0",
        "stage.1.players=[\"endpoint:rival\"]",
    ];
    let scene = scene(&changes);
    let ranks = start(&scene, &scene.store("store"), 2);
    let ended: Vec<Ended> = ranks.into_iter().map(end).collect();
    assert_eq!(ended.iter().map(|ended| ended.code).collect::<Vec<_>>(), [Some(0), Some(0)], "{}", ended[0].errors);
    let calls = server.calls();
    let told = format!("rival: {} of {calls} calls failed; ", calls / 2);
    assert!(calls > 8 && ended[0].output.contains(&told), "{told}\n{}", ended[0].output);
}

#[cfg_attr(ludus_c10d, ignore = "this build has c10d, and so has ranks")]
#[test]
fn without_c10d_a_run_of_several_ranks_is_refused() {
    let scene = scene(&[]);
    let mut command = scene.train(&scene.store("store"));
    command.env("WORLD_SIZE", "2").env("RANK", "0").env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", "29500");
    let ended = end_of(command);
    assert_eq!(ended.code, Some(2), "{}", ended.errors);
    assert!(ended.errors.contains("built to run alone: install Gloo's headers"), "{}", ended.errors);
}

#[test]
fn a_comparison_under_torchrun_is_refused_with_a_sentence() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ludus-train"));
    command.args(["compare", "nesting", "--dry-run"]);
    for (name, value) in [("RANK", "0"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", "29500")] {
        command.env(name, value);
    }
    let ended = end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs"));
    assert_eq!(ended.code, Some(2), "{}", ended.errors);
    assert!(ended.errors.contains("torchrun started 2: start it by itself"), "{}", ended.errors);
}
