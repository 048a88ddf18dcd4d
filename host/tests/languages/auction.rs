//! The protocol between host and game as the SDKs without a run time of their own keep it: the same small game in C and in
//! Zig, in which all seats bid at the same time. It has house players that misbehave, and options of every kind.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use ludus_host::component::Component;
use ludus_host::fault::{Fault, FaultKind};
use ludus_host::instance::Instance;
use ludus_host::turn::Setup;
use serde_json::{Value, json};

use crate::harness::{Played, deal, load, stream};

fn source(language: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/languages/auction").join(language)
}

/// Builds a copy of the game in a folder of its own; the component's file is `built/auction.wasm` in it.
fn build_copy(language: &str) -> (tempfile::TempDir, Arc<Component>) {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(source(language)).expect("the game") {
        let path = entry.expect("an entry").path();
        fs::copy(&path, folder.path().join(path.file_name().expect("a name"))).expect("a copy");
    }
    let component = load(folder.path(), &folder.path().join("built"));
    (folder, component)
}

/// The game in both languages.
fn both() -> [(&'static str, Arc<Component>); 2] {
    static BUILT: OnceLock<[(&str, Arc<Component>); 2]> = OnceLock::new();
    BUILT.get_or_init(|| ["c", "zig"].map(|language| (language, build_copy(language).1))).clone()
}

fn rejections(played: &mut Played, moves: &[(u32, &str)]) -> Vec<(u32, String)> {
    played.step(moves).rejections.into_iter().map(|rejection| (rejection.seat, rejection.reason)).collect()
}

fn asked(played: &Played) -> Vec<(u32, &str)> {
    played.requests().iter().map(|request| (request.seat, request.prompt.as_str())).collect()
}

#[test]
fn a_move_is_held_until_all_are_there_and_only_who_erred_is_asked_again() {
    for (language, component) in both() {
        let mut played = deal(&component, 3, json!({}), 1);
        assert_eq!(asked(&played), [(0, "Seat 0, round 0."), (1, "Seat 1, round 0."), (2, "Seat 2, round 0.")]);
        let refused = rejections(&mut played, &[(0, "ten"), (1, "4"), (2, "12345")]);
        assert_eq!(refused, [(0, "3 bytes are no bid.".into()), (2, "5 bytes are no bid.".into())], "{language}");
        assert_eq!(asked(&played), [(0, "Seat 0, again."), (2, "Seat 2, again.")]);
        assert_eq!(rejections(&mut played, &[(0, "1"), (2, "")]), [(2, "0 bytes are no bid.".into())]);
        assert_eq!(asked(&played), [(2, "Seat 2, again.")]);
        assert!(played.instance.view(None).expect("a view").ends_with(" 0 0 0"), "nothing is played yet");
        assert_eq!(rejections(&mut played, &[(2, "9")]), []);
        assert!(played.instance.view(Some(2)).expect("a view").ends_with(" 1 4 9"));
        assert_eq!(asked(&played), [(0, "Seat 0, round 1."), (1, "Seat 1, round 1."), (2, "Seat 2, round 1.")]);

        played.step(&[(0, " 8. "), (1, "5"), (2, "0")]);
        let outcome = played.outcome().expect("it is over");
        assert_eq!(outcome.scores, [0.5, 0.5, 0.5]);
        assert_eq!(outcome.summary, "2 rounds");
        let counts: Vec<(u32, &str, u32, u32)> =
            outcome.counts.iter().map(|count| (count.seat, count.name.as_str(), count.times, count.chances)).collect();
        assert_eq!(counts, [(0, "sum", 9, 18), (1, "sum", 9, 18), (2, "sum", 9, 18)]);
    }
}

#[test]
fn a_game_without_legal_moves_says_that_any_text_may_be_one() {
    for (language, component) in both() {
        assert_eq!(deal(&component, 2, json!({}), 1).instance.legal_moves(1), Ok(None), "{language}");
    }
}

#[test]
fn options_of_every_kind_arrive_as_they_were_written() {
    let word = "a \"quoted\" \\ back\nslash\t{[,:]} \u{1} é 字 🎲";
    let options = json!({
        "inner": {"depth": -7, "list": [1, 2, 3]}, "loud": true, "names": ["", "x,y", "ß}"], "rounds": 3, "share": 0.25,
        "word": word,
    });
    for (language, component) in both() {
        let view = |options: Value| {
            let text = deal(&component, 2, options, 1).instance.view(None).expect("a view");
            text.rsplit_once('|').expect("a deck").0.to_string()
        };
        assert_eq!(view(options.clone()), format!("-1|{word}|,x,y,ß}},|true|-7|25"), "{language}");
        assert_eq!(view(json!({})), "-1|none||false|-1|50", "{language}");
    }
}

fn refusal(component: &Arc<Component>, options: Value) -> Fault {
    let setup = Setup { seats: 2, options: component.check_options(&options).expect("any object will do") };
    Instance::start(component, &setup, stream(1, 0)).map(|_| ()).expect_err("refused")
}

#[test]
fn options_that_will_not_do_are_refused_in_words() {
    for (language, component) in both() {
        let fault = refusal(&component, json!({"rounds": 13}));
        assert_eq!((fault.kind, fault.detail.as_str()), (FaultKind::SetupRefused, "`rounds` of 13 bring bad luck."));
        for wrong in [
            json!({"rounds": "two"}),
            json!({"rounds": 2.5}),
            json!({"loud": 1}),
            json!({"word": 1}),
            json!({"share": null}),
        ] {
            let fault = refusal(&component, wrong.clone());
            assert_eq!(fault.kind, FaultKind::SetupRefused, "{language} {wrong}: {fault}");
        }
    }
    let [(_, c), _] = both();
    for (wrong, reason) in [
        (json!({"rounds": "two"}), "`rounds` must be a whole number, not \"two\"."),
        (json!({"loud": [1, {"a": "]"}]}), "`loud` must be true or false, not [1,{\"a\":\"]\"}]."),
        (json!({"word": null}), "`word` must be a text, not null."),
        (json!({"share": "half"}), "`share` must be a number, not \"half\"."),
    ] {
        assert_eq!(refusal(&c, wrong).detail, reason);
    }
}

#[test]
fn texts_longer_than_the_memory_of_a_call_pass_whole_again_and_again() {
    let long = "y".repeat(60_000);
    let padding = "x".repeat(60_000);
    for (language, component) in both() {
        let mut played = deal(&component, 4, json!({"rounds": 5, "padding": 60_000}), 1);
        for round in 0..5 {
            for (seat, prompt) in asked(&played) {
                assert_eq!(prompt, format!("Seat {seat}, round {round}.{padding}"), "{language}");
            }
            let refused = rejections(&mut played, &[(0, &long), (1, &long), (2, &long), (3, &long)]);
            assert_eq!(refused, [0, 1, 2, 3].map(|seat| (seat, "60000 bytes are no bid.".to_string())));
            played.step(&[(0, "1"), (1, "2"), (2, "3"), (3, "4")]);
        }
        assert!(played.outcome().is_some());
    }
}

#[test]
fn draws_are_those_of_the_host_in_the_order_of_the_rust_sdk() {
    for (language, component) in both() {
        for seed in 0..20 {
            let mut played = deal(&component, 2, json!({}), seed);
            let (mut random, mut deck) = (stream(seed, 0), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
            for last in (1..deck.len()).rev() {
                deck.swap(last, random.below(last as u32 + 1) as usize);
            }
            let drawn: String = deck.iter().map(u32::to_string).collect();
            let view = played.instance.view(None).expect("a view");
            assert!(view.contains(&format!("|{drawn} ")), "{language}: {view} has not {drawn}");

            let mut random = stream(seed, 77);
            let chance = u32::from(random.below(3) < 1);
            let probable = u32::from(random.below(1 << 31) < 1 << 29);
            let chosen = deck[random.below(10) as usize];
            let made = played.instance.house_move(0, "fair", stream(seed, 77)).expect("a move");
            assert_eq!(made, format!("{chance} {probable} {chosen}"), "{language}");
        }
    }
}

#[test]
fn where_memory_or_stack_runs_out_the_game_stops_with_a_fault() {
    for (language, component) in both() {
        for (player, kinds) in [
            ("hungry", [FaultKind::OutOfMemory, FaultKind::Trap]),
            ("deep", [FaultKind::StackOverflow, FaultKind::Trap]),
        ] {
            let mut played = deal(&component, 2, json!({}), 1);
            let fault = played.instance.house_move(0, player, stream(1, 1)).expect_err("it cannot go on");
            assert!(kinds.contains(&fault.kind), "{language} {player}: {:?} {fault}", fault.kind);
        }
    }
}

#[test]
fn the_same_source_makes_the_same_bytes_in_any_folder_and_no_other_file() {
    for language in ["c", "zig"] {
        let bytes = |folder: &Path| fs::read(folder.join("built/auction.wasm")).expect("the component");
        let ((one, _), (other, _)) = (build_copy(language), build_copy(language));
        assert!(bytes(one.path()) == bytes(other.path()), "{language}");
        let folder_name = one.path().file_name().expect("a name").as_encoded_bytes().to_vec();
        assert!(!bytes(one.path()).windows(folder_name.len()).any(|window| window == folder_name), "{language}");
        let mut left: BTreeSet<String> = fs::read_dir(one.path())
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        for written in fs::read_dir(source(language)).expect("the game") {
            left.remove(written.expect("an entry").file_name().to_string_lossy().as_ref());
        }
        assert_eq!(left, BTreeSet::from([".ludus".to_string(), "built".to_string()]), "{language}");
    }
}
