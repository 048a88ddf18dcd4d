//! A run that is killed at any moment, and goes on, is the run that was never killed: bit for bit, every file of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use ludus_host::hash::Hash;
use ludus_host::store::Store;
use ludus_host::stream::Stream;
use ludus_trainer::watch::Clock;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

use crate::scene::{Scene, checkpoint, end_of, files_of, partial_checkpoint, run_folder};

const KILLS: u32 = 20;

fn scene() -> Scene {
    // A checkpoint every other step, so that some steps are made again; evaluations in between.
    Scene::new(&["steps=4", "checkpoint.every=2", "checkpoint.keep=2", "evaluation.every=2", "model.threads=1"])
}

fn start(scene: &Scene, store: &Path) -> Child {
    scene.train(store).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().expect("ludus-train runs")
}

fn kill(mut process: Child) {
    process.kill().expect("it is killed");
    process.wait().expect("it is gone");
}

#[expect(clippy::disallowed_methods, reason = "at which moment a run is killed decides nothing")]
fn wait(duration: Duration) {
    std::thread::sleep(duration);
}

/// The same moments, but that a matrix lies flat.
fn reshaped(moments: &[u8]) -> Vec<u8> {
    let file = SafeTensors::deserialize(moments).expect("safetensors");
    let mut tensors = file.tensors();
    let (_, matrix) = tensors.iter_mut().find(|(_, view)| view.shape().len() == 2).expect("a matrix");
    let flat = vec![matrix.shape().iter().product()];
    *matrix = TensorView::new(matrix.dtype(), flat, matrix.data()).expect("as many numbers");
    safetensors::serialize(tensors, None).expect("safetensors")
}

/// The hashes of all episodes of a whole store.
fn episodes(store: &Path) -> BTreeSet<Hash> {
    let store = Store::open_read_only(store).expect("the store opens");
    store.check_structure().expect("it is whole");
    store.hashes(None).expect("hashes").into_iter().collect()
}

fn assert_same(store: &Path, whole: &Path, after: &str) {
    let (found, expected) = (files_of(store), files_of(whole));
    assert!(expected.keys().any(|name| name.ends_with("model.safetensors")));
    assert_eq!(found, expected, "{after}");
    assert_eq!(episodes(store), episodes(whole), "{after}");
}

#[test]
fn a_run_killed_at_twenty_moments_is_the_run_that_was_never_killed() {
    let scene = scene();
    let whole = scene.store("whole");
    let clock = Clock::start();
    scene.train_to_the_end(&whole);
    let whole_ms = (clock.seconds() * 1000.0) as u32;

    let mut moments = Stream::derive(11, &["kills".into()]);
    // How far a run was when it was killed: lines of its metrics.
    let mut steps_done = BTreeSet::new();
    let mut kills = 0;
    for number in 0.. {
        let store = scene.store(&format!("killed-{number}"));
        // Each life of a run may be as long as the whole; one that comes to its end is compared.
        let mut lives = Vec::new();
        loop {
            let mut process = start(&scene, &store);
            let moment_ms = moments.below(whole_ms);
            if kills < KILLS {
                wait(Duration::from_millis(u64::from(moment_ms)));
            } else {
                process.wait().expect("it ends");
            }
            if let Some(status) = process.try_wait().expect("its state") {
                assert!(status.success(), "after {lives:?} it ended with {status}");
                break;
            }
            kill(process);
            kills += 1;
            lives.push(moment_ms);
            let metrics = fs::read_to_string(run_folder(&store).join("metrics.jsonl")).unwrap_or_default();
            steps_done.insert(metrics.lines().count());
        }
        assert_same(&store, &whole, &format!("killed after {lives:?} ms of {whole_ms}"));
        fs::remove_dir_all(&store).expect("it was ours");
        if kills == KILLS {
            break;
        }
    }
    assert!(steps_done.len() > 2, "the kills all came at the same steps: {steps_done:?}");
}

#[test]
fn a_run_killed_while_it_writes_a_checkpoint_goes_on_from_the_one_before() {
    let scene = scene();
    let whole = scene.store("whole");
    scene.train_to_the_end(&whole);

    let store = (0..5).map(|attempt| scene.store(&format!("killed-{attempt}"))).find(|store| {
        let mut process = start(&scene, store);
        while !partial_checkpoint(store, 4).exists() {
            assert!(process.try_wait().expect("its state").is_none(), "it ended without a fourth step");
            wait(Duration::from_micros(200));
        }
        kill(process);
        // A quick disk may have finished it.
        partial_checkpoint(store, 4).exists()
    });
    let store = store.expect("one of five runs is killed in time");
    assert!(checkpoint(&store, 2).exists() && !checkpoint(&store, 4).exists());

    // Half-written at its worst: the last file is there, and the largest one is cut.
    let partial = partial_checkpoint(&store, 4);
    fs::create_dir_all(partial.join("trainer")).expect("its folder");
    fs::copy(checkpoint(&whole, 4).join("trainer/state.json"), partial.join("trainer/state.json")).expect("a state");
    let weights = fs::read(checkpoint(&whole, 4).join("model.safetensors")).expect("weights");
    fs::write(partial.join("model.safetensors"), &weights[..weights.len() / 2]).expect("half of them");

    scene.train_to_the_end(&store);
    assert_same(&store, &whole, "killed in a checkpoint");
}

#[test]
fn a_damaged_checkpoint_is_named_and_without_it_the_run_goes_on_from_the_one_before() {
    let scene = Scene::new(&["steps=3"]);
    let (store, whole) = (scene.store("damaged"), scene.store("whole"));
    scene.train_to_the_end(&whole);
    scene.train_to_the_end(&store);
    fs::remove_file(run_folder(&store).join("evaluation/after.json")).expect("the run was not finished");
    let is_refused = |file: &str, damaged: &[u8]| {
        let path = checkpoint(&store, 3).join(file);
        let whole = fs::read(&path).expect("a file of a checkpoint");
        fs::write(&path, damaged).expect("it can be written");
        let ended = end_of(scene.train(&store));
        assert_eq!(ended.code, Some(2), "{file}: {}", ended.errors);
        assert!(ended.errors.contains("step-000003 is damaged"), "{file}: {}", ended.errors);
        assert!(ended.errors.contains("`--resume` goes on from the checkpoint before"), "{}", ended.errors);
        fs::write(&path, whole).expect("it can be written");
    };
    let read = |file: &str| fs::read(checkpoint(&store, 3).join(file)).expect("a file of a checkpoint");
    for file in ["model.safetensors", "trainer/optimizer.safetensors"] {
        let bytes = read(file);
        let mut flipped = bytes.clone();
        *flipped.last_mut().expect("a byte") ^= 1;
        is_refused(file, &bytes[..bytes.len() / 2]);
        is_refused(file, &flipped);
    }
    let state = String::from_utf8(read("trainer/state.json")).expect("JSON");
    let another_step = state.replace("\"step\": 3", "\"step\": 2");
    assert_ne!(another_step, state);
    is_refused("trainer/state.json", another_step.as_bytes());

    // A state that names them does not make moments of another shape fit.
    let reshaped = reshaped(&read("trainer/optimizer.safetensors"));
    let named = |bytes: &[u8]| Hash::of(bytes).to_string();
    let of_them = state.replace(&named(&read("trainer/optimizer.safetensors")), &named(&reshaped));
    assert_ne!(of_them, state);
    fs::write(checkpoint(&store, 3).join("trainer/state.json"), of_them).expect("it can be written");
    is_refused("trainer/optimizer.safetensors", &reshaped);
    fs::write(checkpoint(&store, 3).join("trainer/state.json"), state).expect("it can be written");

    fs::remove_dir_all(checkpoint(&store, 3)).expect("as the sentence says");
    scene.train_to_the_end(&store);
    assert_same(&store, &whole, "without its newest checkpoint");
}
