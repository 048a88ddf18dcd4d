//! `ludus-train report`: the page of a real run holds what the run's files hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::scene::{Ended, Scene, end_of, run_folder};

fn report(scene: &Scene, store: &Path, more: &[&str]) -> (Ended, PathBuf) {
    let output = scene.store("report.html");
    let mut command = scene.program(store);
    command.arg("report").args(more).arg("--output").arg(&output);
    (end_of(command), output)
}

/// What a page is drawn from.
fn data_of(page: &Path) -> Value {
    let html = fs::read_to_string(page).unwrap();
    let (_, rest) = html.split_once("id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

/// Every number of a file of lines, by its place and step.
fn numbers_of(file: &Path, prefix: &str) -> BTreeMap<(String, u64), f64> {
    fn collect(place: String, step: u64, value: &Value, found: &mut BTreeMap<(String, u64), f64>) {
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(key, field)| collect(format!("{place}/{key}"), step, field, found));
            }
            Value::Null => {}
            value => drop(found.insert((place, step), value.as_f64().unwrap())),
        }
    }
    let mut found = BTreeMap::new();
    for line in fs::read_to_string(file).unwrap().lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let step = line.as_object_mut().unwrap().remove("step").unwrap().as_u64().unwrap();
        collect(prefix.to_string(), step, &line, &mut found);
    }
    found
}

/// The numbers of one of a page's tables of curves.
fn numbers_in(table: &Value) -> BTreeMap<(String, u64), f64> {
    let steps = table["steps"].as_array().unwrap();
    let columns = table["columns"].as_object().unwrap();
    let of_column = |(name, values): (&String, &Value)| {
        let values =
            values.as_array().unwrap().iter().zip(steps).filter_map(|(value, step)| {
                value.as_f64().map(|value| ((name.clone(), step.as_u64().unwrap()), value))
            });
        values.collect::<Vec<_>>()
    };
    columns.iter().flat_map(of_column).collect()
}

#[test]
fn a_report_holds_every_number_of_a_run_and_every_token_that_it_sampled() {
    let scene = Scene::new(&[]);
    let store = scene.store("store");
    scene.train_to_the_end(&store);
    let (ended, page) = report(&scene, &store, &["small"]);
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert_eq!(ended.output, format!("{}\n", page.display()));
    let (data, folder) = (data_of(&page), run_folder(&store));
    let run = &data["runs"][0];

    for (table, file, prefix) in [(0, "metrics.jsonl", "train"), (1, "timing.jsonl", "time")] {
        let numbers = numbers_of(&folder.join(file), prefix);
        assert!(numbers.len() >= 10, "{file} has {} numbers", numbers.len());
        assert_eq!(numbers_in(&run["curves"][table]), numbers, "{file}");
    }
    for (place, (title, file)) in
        [("random play", "random"), ("before", "before"), ("after", "after")].iter().enumerate()
    {
        let text = fs::read_to_string(folder.join(format!("evaluation/{file}.json"))).unwrap();
        let shown = &run["evaluations"][place];
        assert_eq!(shown["title"], *title);
        assert_eq!(shown["evaluated"], serde_json::from_str::<Value>(&text).unwrap(), "{file}");
    }
    assert_eq!((&run["state"], &run["steps"], &run["steps_done"]), (&"finished".into(), &2.into(), &2.into()));
    assert!(run["commands"]["resume"].is_null());

    let sampled: Vec<Value> = [1, 2]
        .iter()
        .flat_map(|step| {
            let text = fs::read_to_string(folder.join(format!("rollouts/step-{step:06}.jsonl"))).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
        })
        .collect();
    let episodes = data["episodes"].as_array().unwrap();
    assert_eq!((episodes.len(), &data["left_out"]), (16, &Value::Array(Vec::new())));
    for (episode, sampled) in episodes.iter().zip(&sampled) {
        assert_eq!((&episode["hash"], &episode["kept"]), (&sampled["episode"], &sampled["kept"]));
        assert!(episode["differs"].is_null());
        let events = episode["stages"].as_array().unwrap().iter().flat_map(|stage| stage["events"].as_array().unwrap());
        let replies: Vec<&Value> = events.filter(|event| event["is"] == "reply").collect();
        let of = |replies: &[&Value], name: &str| -> f64 {
            replies.iter().flat_map(|reply| reply[name].as_array().unwrap()).map(|value| value.as_f64().unwrap()).sum()
        };
        let known: Vec<&Value> = sampled["replies"].as_array().unwrap().iter().collect();
        assert_eq!(replies.len(), known.len());
        let pieces = replies.iter().map(|reply| reply["pieces"].as_array().unwrap().len()).sum::<usize>() as f64;
        assert!(pieces > 0.0);
        assert!((of(&replies, "log_probabilities") - of(&known, "log_probabilities")).abs() < 1e-3 * pieces);
        for (reply, known) in replies.iter().zip(&known) {
            let advantage = known["advantage"].as_f64().expect("a step writes its advantages down");
            assert!((reply["advantage"].as_f64().unwrap() - advantage).abs() < 1e-3);
        }
    }
    let kept = sampled.iter().filter(|episode| episode["kept"] == true).count() as f64;
    let groups_kept = numbers_of(&folder.join("metrics.jsonl"), "train").into_iter();
    let groups_kept: f64 =
        groups_kept.filter(|((name, _), _)| name == "train/groups_kept").map(|(_, count)| count).sum();
    assert_eq!(kept, groups_kept * 4.0, "groups are of four");
    // Of a group that was trained on, somebody did better than others.
    let better = sampled.iter().flat_map(|episode| episode["replies"].as_array().unwrap());
    assert!(better.filter_map(|reply| reply["advantage"].as_f64()).any(|advantage| advantage > 0.0));
}

#[test]
fn several_runs_are_laid_over_each_other_and_episodes_are_chosen_evenly() {
    let scene = Scene::new(&[]);
    let (store, other) = (scene.store("store"), scene.store("other"));
    scene.train_to_the_end(&store);
    let changed = Scene::new(&["seed=2", "steps=1"]);
    changed.train_to_the_end(&other);
    let elsewhere = run_folder(&other);
    let (ended, page) = report(&scene, &store, &["small", &elsewhere.to_string_lossy(), "--episodes", "8"]);
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    let data = data_of(&page);
    let runs = data["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    assert!(
        runs[1]["differences"].as_array().unwrap().iter().any(|one| one == "seed is 2, was 1"),
        "{}",
        runs[1]["differences"]
    );
    let returns = |run: &Value| run["curves"][0]["columns"]["train/return_mean"].as_array().unwrap().len();
    assert_eq!((returns(&runs[0]), returns(&runs[1])), (2, 1));
    let found: Vec<(u64, u64)> = data["episodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|episode| (episode["run"].as_u64().unwrap(), episode["step"].as_u64().unwrap()))
        .collect();
    assert_eq!(found, [(0, 1), (0, 1), (0, 2), (0, 2), (1, 1), (1, 1), (1, 1), (1, 1)]);
    assert_eq!(data["episodes_sampled"], 24);
    let command = runs[1]["commands"]["replay_step"].as_str().unwrap();
    assert!(command.ends_with(&format!("--store {} replay small", other.display())), "{command}");
}

#[test]
fn what_is_there_of_a_run_is_shown_and_what_is_not_is_named() {
    let scene = Scene::new(&["steps=0"]);
    let store = scene.store("store");
    scene.train_to_the_end(&store);
    // A run that has only just begun.
    for file in ["metrics.jsonl", "timing.jsonl"] {
        fs::remove_file(run_folder(&store).join(file)).unwrap();
    }
    fs::remove_file(run_folder(&store).join("evaluation/after.json")).unwrap();
    let (ended, page) = report(&scene, &store, &["small"]);
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    let data = data_of(&page);
    assert_eq!((&data["runs"][0]["state"], &data["runs"][0]["steps_done"]), (&"stopped".into(), &0.into()));
    assert!(data["runs"][0]["commands"]["resume"].as_str().unwrap().ends_with("--resume"));
}

#[test]
fn an_episode_whose_record_is_gone_is_left_out_and_the_page_says_so() {
    let scene = Scene::new(&["steps=1"]);
    let store = scene.store("store");
    scene.train_to_the_end(&store);
    let file = run_folder(&store).join("rollouts/step-000001.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let hash = serde_json::from_str::<Value>(text.lines().next().unwrap()).unwrap()["episode"].clone();
    fs::write(&file, text.replace(hash.as_str().unwrap(), &"0".repeat(64))).unwrap();
    let (ended, page) = report(&scene, &store, &["small"]);
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    let data = data_of(&page);
    assert!(data["episodes"].as_array().unwrap().len() < 8);
    let left_out = data["left_out"][0].as_str().unwrap();
    assert!(left_out.starts_with(&"0".repeat(64)) && left_out.contains("of small, step 1: "), "{left_out}");
}

#[test]
fn what_cannot_be_reported_is_said_in_a_sentence_and_leaves_no_file() {
    let scene = Scene::new(&["steps=1"]);
    let store = scene.store("store");
    scene.train_to_the_end(&store);
    let refused = |more: &[&str], what: &str| {
        let (ended, page) = report(&scene, &store, more);
        assert_eq!(ended.code, Some(2), "{}", ended.errors);
        assert!(ended.errors.starts_with("ludus-train: ") && ended.errors.contains(what), "{}", ended.errors);
        assert_eq!(ended.errors.lines().count(), 1, "{}", ended.errors);
        let folder = fs::read_dir(page.parent().unwrap()).unwrap();
        let left = folder.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("report.html"));
        assert!(!left, "nothing half-written stays");
    };
    refused(&["another"], "there is no run another in ");
    let file = run_folder(&store).join("metrics.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}{{\"step\":\n")).unwrap();
    refused(&["small"], "line 2 of ");
    fs::write(&file, text).unwrap();
    let file = run_folder(&store).join("rollouts/step-000001.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("\"seed\"", "\"sead\"", 1)).unwrap();
    refused(&["small"], "line 1 of ");
    fs::write(&file, text).unwrap();
    // A folder where the file should be.
    fs::create_dir(scene.store("taken")).unwrap();
    let mut command = scene.program(&store);
    command.args(["report", "small", "--output"]).arg(scene.store("taken"));
    let ended = end_of(command);
    assert_eq!(ended.code, Some(2), "{}", ended.errors);
    assert!(ended.errors.contains("; name another --output file"), "{}", ended.errors);
}
