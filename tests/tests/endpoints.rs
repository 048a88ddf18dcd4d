//! A training run whose opponents are a model behind a server: here one that always says the same.

use std::fs;
use std::sync::atomic::AtomicBool;

use ludus_host::component_files::StoredComponents;
use ludus_host::record::{Line, read_lines};
use ludus_host::replay::{Verdict, replay};
use ludus_host::store::Store;
use ludus_tests::server::Server;
use ludus_tests::{library, plan, run, run_to_its_end, small_model};
use ludus_trainer::evaluate::Evaluated;
use ludus_trainer::metrics::StepMetrics;
use ludus_trainer::replay::ReplayError;
use ludus_trainer::train::endpoints::told;
use ludus_trainer::watch::{Phase, Timing, Watch};

#[test]
fn a_model_behind_a_server_plays_in_training_and_its_failures_decide_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let url = format!("endpoints.rival.url=\"{}\"", Server::that_says("5", |_| false).url);
    let changes = [
        "steps=1",
        &url,
        "endpoints.rival.model=\"any\"",
        "stage.1.players=[\"endpoint:rival\"]",
        "stage.1.fallback=\"house:optimal\"",
        "stage.1.attempts=1",
        "stage.1.evaluate=[\"endpoint:rival\"]",
    ];
    let plan = plan(&small_model(folder.path()), &library, &changes);
    let store_folder = folder.path().join("store");
    let outcome = run_to_its_end(&plan, &library, &store_folder);
    assert_eq!(outcome.steps_done, 1);
    assert!(outcome.after.iter().any(|one| one.name == "tictactoe against endpoint:rival"));

    let store = Store::open(&store_folder).unwrap();
    let components = StoredComponents::new(store.components(), &library);
    let (mut said, mut stood_in) = (0, 0);
    for hash in store.hashes(Some("small")).unwrap() {
        let bytes = store.record(&hash).unwrap();
        assert_eq!(replay(&bytes, &components).unwrap(), Verdict::Identical, "no server is asked again");
        for line in read_lines(&bytes).unwrap() {
            if let Line::Reply { by, text, .. } = line {
                said += usize::from(by == "endpoint" && text == "5");
                stood_in += usize::from(by == "substitute");
            }
        }
    }
    assert!(said > 8 && stood_in > 8, "{said} replies, {stood_in} moves in somebody's place");
    // Its failed replies are not the learner's.
    let metrics = fs::read_to_string(outcome.folder.join("metrics.jsonl")).unwrap();
    let step: serde_json::Value = serde_json::from_str(metrics.lines().next().unwrap()).unwrap();
    assert!(step["replies"].as_u64().unwrap() > 0);

    let again = ludus_trainer::replay::replay(&store_folder, "small", 1, &library, &mut |_, _| {});
    assert!(matches!(again, Err(ReplayError::Endpoints { .. })));
}

/// Keeps what a run says in lines of their own.
struct Heard(Vec<String>);

impl Watch for Heard {
    fn progress(&mut self, _: Phase, _: usize, _: usize) {}
    fn step(&mut self, _: &StepMetrics, _: &Timing) {}
    fn evaluated(&mut self, _: &str, _: &[Evaluated]) {}
    fn say(&mut self, line: &str) {
        self.0.push(line.to_string());
    }
}

#[test]
fn calls_that_fail_in_training_are_told_of_with_their_step_and_counted_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let url = format!("endpoints.rival.url=\"{}\"", Server::that_says("5", |call| call % 2 == 1).url);
    let changes = [
        "steps=1",
        &url,
        "endpoints.rival.model=\"any\"",
        "endpoints.rival.retries=0",
        "stage.1.players=[\"endpoint:rival\"]",
    ];
    let plan = plan(&small_model(folder.path()), &library, &changes);
    let mut heard = Heard(Vec::new());
    let (store, stop) = (folder.path().join("store"), AtomicBool::new(false));
    let outcome = run(&plan, &library, &store, false, &mut heard, &stop).unwrap();
    let rival = &outcome.endpoints["rival"];
    // Every other call, and none is made again.
    assert!(rival.failed > 4 && rival.replies - rival.failed <= 1, "{rival:?}");
    assert!(told("rival", rival).contains(" calls failed; the last one: "), "{}", told("rival", rival));
    // Only the step met it.
    assert_eq!(heard.0, [format!("endpoint {}", told("rival", rival))]);
}
