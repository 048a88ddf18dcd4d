//! The template of every language is the same game: a race to a total, played here move by move against its rules.

use std::sync::Arc;

use ludus_host::build::{Language, build};
use ludus_host::component::Component;
use ludus_host::fault::FaultKind;
use ludus_host::starter::{Start, start};
use serde_json::json;

use crate::harness::{Played, deal, load, stream};

const RULES: &str = "Two players take turns adding 1, 2 or 3 to a total that begins at 0. Whoever reaches";
const NOT_A_MOVE: &str = "A move is 1, 2 or 3.";

#[test]
fn a_new_game_in_rust_builds_at_once_and_is_the_race() {
    check_new_game(Start::Rust);
}

#[test]
fn a_new_game_in_c_builds_at_once_and_is_the_race() {
    check_new_game(Start::In(Language::C));
}

#[test]
fn a_new_game_in_zig_builds_at_once_and_is_the_race() {
    check_new_game(Start::In(Language::Zig));
}

#[test]
fn a_new_game_in_go_builds_at_once_and_is_the_race() {
    check_new_game(Start::In(Language::Go));
}

#[test]
fn a_new_game_in_javascript_builds_at_once_and_is_the_race() {
    check_new_game(Start::In(Language::Javascript));
}

#[test]
fn a_new_game_in_python_builds_at_once_and_is_the_race() {
    check_new_game(Start::In(Language::Python));
}

fn check_new_game(language: Start) {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = start(folder.path(), "race", language).expect("a new game");
    check_race(&load(&dir, &dir.join("built")));
}

/// Checks that a component named `race` is the game of the templates.
fn check_race(component: &Arc<Component>) {
    check_manifest(component);
    let mut began = [false; 2];
    for seed in 0..8 {
        check_words(component, seed);
        check_house_players(component, seed);
        began[first(seed) as usize] = true;
    }
    assert_eq!(began, [true; 2], "the seeds let either seat begin");
}

/// The seat that moves first: the one draw of `start`.
fn first(seed: u64) -> u32 {
    stream(seed, 0).below(2)
}

fn check_manifest(component: &Component) {
    let manifest = &component.manifest;
    assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("race", "1.0.0"));
    assert_eq!(manifest.summary, "Race to a total: add 1, 2 or 3 in turn, and whoever reaches it wins.");
    assert_eq!((manifest.seats_min, manifest.seats_max, manifest.steps_max), (2, 2, 100));
    assert_eq!(manifest.house_players, ["random", "optimal"]);
    assert_eq!(manifest.abilities, ["planning", "arithmetic"]);

    let schema = &manifest.options_schema;
    assert_eq!((&schema["type"], &schema["additionalProperties"]), (&json!("object"), &json!(false)));
    assert_eq!(schema["properties"].as_object().map(|properties| properties.len()), Some(1));
    let target = &schema["properties"]["target"];
    for (keyword, value) in [
        ("type", json!("integer")),
        ("minimum", json!(4)),
        ("maximum", json!(100)),
        ("default", json!(21)),
        ("description", json!("The total to reach.")),
    ] {
        assert_eq!(target[keyword], value, "{keyword}");
    }
    for wrong in [json!({"target": 3}), json!({"target": 101}), json!({"goal": 9})] {
        assert!(component.check_options(&wrong).is_err(), "{wrong}");
    }
}

/// One game to 6, with everything that can be said in it.
fn check_words(component: &Arc<Component>, seed: u64) {
    let (first, second) = (first(seed), 1 - first(seed));
    let mut played = deal(component, 2, json!({"target": 6}), seed);
    asked(&mut played, first, &format!("{RULES} 6 wins.\nTotal: 0. Add 1, 2 or 3."), &["1", "2", "3"]);
    for text in ["4", "0", "", "1.", "one", "1 2", "01", "+1", "-1", "99999999999999999999"] {
        refused(&mut played, first, text, NOT_A_MOVE);
        asked(&mut played, first, "Total: 0. Add 1, 2 or 3.", &["1", "2", "3"]);
        assert_eq!(played.instance.view(None).expect("a view"), "Total: 0 of 6.");
    }

    played.step(&[(first, " 3\n")]);
    asked(&mut played, second, &format!("{RULES} 6 wins.\nTotal: 3. Add 1, 2 or 3."), &["1", "2", "3"]);
    played.step(&[(second, "2")]);
    asked(&mut played, first, "Total: 5. Add 1, 2 or 3.", &["1"]);
    refused(&mut played, first, "2", "2 would pass 6.");
    refused(&mut played, first, "3", "3 would pass 6.");
    refused(&mut played, first, "4", NOT_A_MOVE);
    asked(&mut played, first, "Total: 5. Add 1, 2 or 3.", &["1"]);
    for viewer in [None, Some(0), Some(1)] {
        assert_eq!(played.instance.view(viewer).expect("a view"), "Total: 5 of 6.");
    }

    played.step(&[(first, "1")]);
    let outcome = played.outcome().expect("it is over");
    assert_eq!(outcome.scores, if first == 0 { [1.0, 0.0] } else { [0.0, 1.0] });
    assert_eq!((outcome.summary.as_str(), outcome.counts.len()), (format!("seat {first} reaches 6").as_str(), 0));
    assert_eq!(played.instance.view(None).expect("a view"), "Total: 6 of 6.");
}

/// A game to 21, the default: 1 wins from the beginning, and from a multiple of four no move is better than another.
fn check_house_players(component: &Arc<Component>, seed: u64) {
    let (first, second) = (first(seed), 1 - first(seed));
    let mut played = deal(component, 2, json!({}), seed);
    assert!(played.requests()[0].prompt.starts_with(&format!("{RULES} 21 wins.\n")));
    assert_eq!(played.house(first, "optimal"), "1");
    let fault = played.instance.house_move(first, "nobody", stream(seed, 9)).expect_err("no such player");
    assert_eq!(fault.kind, FaultKind::BadHousePlayer);
    assert!(fault.detail.contains("There is no house player nobody."), "{}", fault.detail);

    let mut played = deal(component, 2, json!({}), seed);
    played.step(&[(first, "1")]);
    for call in 100..120 {
        let drawn = (1 + stream(seed, call).below(3)).to_string();
        for player in ["random", "optimal"] {
            let made = played.instance.house_move(second, player, stream(seed, call)).expect("a move");
            assert_eq!(made, drawn, "{player}");
        }
    }
    played.step(&[(second, "3")]);
    assert_eq!(played.house(first, "optimal"), "1");
    played.step(&[(first, "2")]);
    assert_eq!(played.house(second, "optimal"), "3");
    let outcome = played.play_out(&["optimal", "optimal"]);
    assert_eq!(outcome.scores[second as usize], 1.0, "who leaves a multiple of four to go wins");
}

fn asked(played: &mut Played, seat: u32, prompt: &str, legal: &[&str]) {
    let requests: Vec<(u32, &str)> =
        played.requests().iter().map(|request| (request.seat, request.prompt.as_str())).collect();
    assert_eq!(requests, [(seat, prompt)]);
    let moves = played.instance.legal_moves(seat).expect("legal moves").expect("a list");
    assert_eq!(moves, legal);
}

fn refused(played: &mut Played, seat: u32, text: &str, reason: &str) {
    let progress = played.step(&[(seat, text)]);
    let rejections: Vec<(u32, &str)> =
        progress.rejections.iter().map(|rejection| (rejection.seat, rejection.reason.as_str())).collect();
    assert_eq!(rejections, [(seat, reason)], "{text:?}");
}

#[test]
fn a_folder_of_c_that_defines_no_game_is_told_what_to_define() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("ludus.toml"), "name = \"nothing\"\nlanguage = \"c\"\n").expect("a manifest");
    std::fs::write(folder.path().join("game.c"), "#include \"ludus.h\"\n").expect("a source");
    let error = build(folder.path(), None).expect_err("there is no game").to_string();
    assert!(error.contains("no .c file defines `ludus_game`"), "{error}");
}
