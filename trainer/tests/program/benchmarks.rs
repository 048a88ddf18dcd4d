//! `ludus-train benchmark` as a process.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::scene::{Ended, Scene, end_of};

fn data(task: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/benchmarks").join(task)
}

fn benchmark(scene: &Scene, models: usize, task: &str, data: &Path, more: &[&str]) -> Ended {
    let mut command = scene.program(&scene.store("store"));
    command.arg("benchmark").args((0..models).map(|_| scene.model()));
    command.args(["--task", task, "--device", "cpu"]).arg("--data").arg(data).args(more);
    end_of(command)
}

#[test]
fn two_models_are_asked_the_same_items_and_compared_and_every_item_is_written() {
    let scene = Scene::new(&[]);
    let (json, markdown) = (scene.store("answers.json"), scene.store("table.md"));
    let more =
        ["--limit", "2", "--shots", "1", "--json", json.to_str().unwrap(), "--markdown", markdown.to_str().unwrap()];
    let ended = benchmark(&scene, 2, "mmlu", &data("parquet/mmlu"), &more);
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert!(
        ended.output.contains("4 items of test") && ended.output.contains("the first 1 of dev"),
        "{}",
        ended.output
    );
    assert!(ended.output.contains("McNemar's exact p = 1.000"), "{}", ended.output);
    assert!(fs::read_to_string(&markdown).unwrap().contains("| acc |"));

    let written: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let reports = written["reports"].as_array().unwrap();
    assert_eq!(reports.len(), 2);
    let answers = reports[0]["answers"].as_array().unwrap();
    assert_eq!(answers.len(), 4);
    for answer in answers {
        assert_eq!(answer["log_likelihoods"].as_array().unwrap().len(), 4);
        assert_eq!(answer["scores"].as_array().unwrap().len(), 3);
    }
    // The model is the same one, and so is what it answers.
    assert_eq!(reports[0]["answers"], reports[1]["answers"]);
}

#[test]
fn replies_are_the_same_however_many_are_made_at_a_time() {
    let scene = Scene::new(&[]);
    let replies = |rows: &str| {
        let json = scene.store("replies.json");
        let more = ["--tokens", "12", "--rows", rows, "--json", json.to_str().unwrap()];
        let ended = benchmark(&scene, 1, "common-gen", &data("common-gen"), &more);
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        let written: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
        written["reports"][0]["answers"].clone()
    };
    let one = replies("1");
    assert_eq!(one.as_array().unwrap().len(), 12);
    assert_eq!(one, replies("16"));
}

#[test]
fn every_model_is_looked_at_before_the_first_question() {
    let scene = Scene::new(&[]);
    let folder = scene.store("broken");
    fs::create_dir(&folder).unwrap();
    for name in ["config.json", "tokenizer.json"] {
        fs::write(folder.join(name), "{}").unwrap();
    }
    // The first model has a mistake too, which shows only when it is loaded.
    fs::remove_file(scene.model().join("model.safetensors")).unwrap();
    let cases = [(Path::new("nowhere"), "there is no model `nowhere`"), (folder.as_path(), "broken/config.json: ")];
    for (second, expected) in cases {
        let mut command = scene.program(&scene.store("store"));
        command.arg("benchmark").arg(scene.model()).arg(second).args(["--task", "mmlu", "--device", "cpu"]);
        command.arg("--data").arg(data("mmlu"));
        let ended = end_of(command);
        assert_eq!(ended.code, Some(2), "{}", ended.errors);
        assert!(ended.errors.contains(expected) && ended.errors.trim_end().lines().count() == 1, "{}", ended.errors);
    }
}

#[test]
fn what_cannot_be_asked_gets_a_sentence_and_exit_code_2() {
    let scene = Scene::new(&[]);
    let broken = scene.store("broken.jsonl");
    fs::write(&broken, "{\"question\": \"Q\"}\n").unwrap();
    let cases: [(&str, PathBuf, &[&str], &str); 6] = [
        ("mmlu", broken.clone(), &[], "broken.jsonl, row 1: it has no `A`, but question"),
        ("mmlu", scene.store("absent"), &[], "absent"),
        (
            "mmlu",
            data("mmlu"),
            &["--shots", "3"],
            "has 2 solved examples about astronomy, and 3 are to be shown: lower --shots",
        ),
        ("mmlu", data("mmlu/test.jsonl"), &["--shots", "1"], "is a single file: name its folder as --data"),
        ("mmlu", data("mmlu"), &["--tokens", "9"], "leave it out"),
        ("gsm8k", data("gsm8k"), &["--shots", "0", "--tokens", "9999"], "lower --tokens"),
    ];
    for (task, data, more, expected) in cases {
        let ended = benchmark(&scene, 1, task, &data, more);
        assert_eq!(ended.code, Some(2), "{expected}: {}", ended.errors);
        assert!(ended.errors.contains(expected) && ended.errors.trim_end().lines().count() == 1, "{}", ended.errors);
    }
}
