//! Training adapters from end to end, on a small random model and the real games.

use std::fs;
use std::sync::atomic::AtomicBool;

use ludus_tests::{Silent, StopAfterOneStep, device, library, plan, run, run_to_its_end, small_model};
use ludus_trainer::metrics::StepMetrics;
use ludus_trainer::model::llama::Llama;
use ludus_trainer::model::lora;
use ludus_trainer::train::Outcome;
use tch::Kind;

/// With adapters that learn fast.
const CHANGES: [&str; 4] = ["lora.rank=4", "lora.alpha=8", "optimizer.learning_rate=1e-2", "algorithm.kl_weight=0.01"];

#[test]
fn adapters_alone_are_trained_and_a_run_that_was_stopped_and_resumed_has_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let plan = plan(&small_model(folder.path()), &library, &CHANGES);
    let stores = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let whole = run_to_its_end(&plan, &library, stores[0].path());

    let stop = AtomicBool::new(false);
    let stopped = run(&plan, &library, stores[1].path(), false, &mut StopAfterOneStep(&stop), &stop).unwrap();
    assert!(stopped.stopped && stopped.weights != whole.weights);
    let resumed = run(&plan, &library, stores[1].path(), true, &mut Silent, &AtomicBool::new(false)).unwrap();
    assert_eq!(resumed.weights, whole.weights);
    assert_eq!(resumed.after, whole.after);
    let metrics = |outcome: &Outcome| fs::read_to_string(outcome.folder.join("metrics.jsonl")).unwrap();
    assert_eq!(metrics(&resumed), metrics(&whole));

    // Adapters compute alike when they sample and when they learn.
    let lines: Vec<StepMetrics> = metrics(&whole).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    for line in &lines {
        let (most, off) = (line.ratio_max_on_policy.unwrap(), line.on_policy_ratio_error.unwrap());
        assert!((most - 1.0).abs() < 1e-3 && off < 1e-3, "on policy a ratio is {most}, off by {off}");
    }
    let moved: Vec<f64> = lines.iter().map(|line| line.kl_from_start.unwrap()).collect();
    assert!(moved[0].abs() < 1e-6 && moved[1] > 1e-6, "{moved:?}");

    // What is saved are adapters and no second copy of the network; every one of them has moved.
    assert!(!whole.checkpoint.join("model.safetensors").exists());
    let adapters = lora::read(&whole.checkpoint, device()).unwrap().unwrap();
    assert_eq!(adapters.base, folder.path());
    let (two_layers, seven_targets, pair) = (2, 7, 2);
    assert_eq!(adapters.tensors.len(), two_layers * seven_targets * pair);
    for (name, tensor) in adapters.tensors.iter().filter(|(name, _)| name.contains("lora_B")) {
        assert!(tensor.abs().max().double_value(&[]) > 0.0, "{name} is as it began");
    }
}

#[test]
fn adapters_merged_into_their_base_compute_what_they_computed_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let plan = plan(&small_model(folder.path()), &library, &CHANGES);
    let store = tempfile::tempdir().unwrap();
    let outcome = run_to_its_end(&plan, &library, store.path());

    let tokens: Vec<i64> = (10..40).collect();
    let adapters = lora::read(&outcome.checkpoint, device()).unwrap().unwrap();
    let frozen = Llama::load_frozen(folder.path(), device(), Kind::Float).unwrap();
    let base = frozen.logits_of(&tokens);
    let beside = frozen.with_adapters(adapters.lora, adapters.tensors).unwrap().logits_of(&tokens);
    let merged = Llama::load(&outcome.checkpoint, device(), Kind::Float).unwrap().logits_of(&tokens);
    let apart = |other: &tch::Tensor| (&beside - other).abs().max().double_value(&[]);
    assert!(apart(&merged) < 1e-4, "{}", apart(&merged));
    assert!(apart(&base) > 1e-2, "training has moved nothing: {}", apart(&base));
}
