//! Records are executed again: the same, or it is said where not.

use std::sync::Arc;

use ludus_host::component::Component;
use ludus_host::episode::{Episode, Finished};
use ludus_host::journal::Entry;
use ludus_host::library::Library;
use ludus_host::limits::Limits;
use ludus_host::player::Player;
use ludus_host::record::Record;
use ludus_host::replay::{Difference, ReplayError, Replayer, Verdict, replay, transcribe};
use ludus_host::task::{StageSpec, Task, TaskSpec};

use crate::failures::{burn, endless};
use crate::games::{self, Components, LOSS, ROW_PLAYER, WIN};
use crate::guest::{self, Guest, asks, over};

fn nested() -> TaskSpec {
    TaskSpec { reveal: true, ..games::task(vec![games::tictactoe(ROW_PLAYER), games::dilemma("house:uniform")]) }
}

fn played() -> Finished {
    games::play(&nested(), &["1", "1", "2", "3", "", "b."]).0
}

/// The record with one text put in place of another, which must be there.
fn edited(record: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(record.to_vec()).expect("UTF-8");
    assert!(text.contains(from), "`{from}` is not in {text}");
    text.replacen(from, to, 1).into_bytes()
}

fn difference(record: &[u8], components: &Components) -> Difference {
    match replay(record, components).expect("a replay") {
        Verdict::Differs(difference) => difference,
        Verdict::Identical => panic!("it should differ"),
    }
}

#[test]
fn every_game_replays_identically() {
    for (game, house) in [("tictactoe", "house:optimal"), ("matrix", "house:equilibrium"), ("spy", "house:clues")] {
        for seed in 0..5 {
            let stage = StageSpec { players: vec![house.to_string()], ..StageSpec::new(game) };
            let mut episode = games::begin(&games::task(vec![stage]), seed, 2);
            while !episode.is_over() {
                let decision = episode.pending()[0].clone();
                let moves = episode.legal_moves(decision.seat);
                episode.answer(decision.seat, moves.as_ref().map_or("something small", |moves| &moves[0]));
            }
            let record = episode.finish().unwrap().record;
            assert_eq!(
                replay(record.bytes(), &Components::built()).expect(game),
                Verdict::Identical,
                "{game}, seed {seed}"
            );
        }
    }
}

#[test]
fn records_of_several_tasks_are_replayed_one_after_the_other() {
    let record = |players: &str, seed| {
        let stage = StageSpec { players: vec![players.to_string()], ..StageSpec::new("tictactoe") };
        games::play_first_moves(&games::task(vec![stage]), seed, 3).record
    };
    let components = Components::built();
    let mut replayer = Replayer::new(&components);
    for players in ["random", "house:optimal", "random"] {
        for seed in [0, u64::MAX] {
            let record = record(players, seed);
            assert_eq!(replayer.replay(record.bytes()).expect("a replay"), Verdict::Identical, "{players}, {seed}");
            let other = edited(record.bytes(), "\"verdict\":\"taken\"", "\"verdict\":\"illegal\"");
            assert!(matches!(replayer.replay(&other).expect("a replay"), Verdict::Differs(_)), "{players}, {seed}");
            let none = edited(record.bytes(), ",\"member\":3}", ",\"member\":three}");
            assert!(matches!(replayer.replay(&none), Err(ReplayError::Record(_))), "{players}, {seed}");
        }
    }
}

#[test]
fn an_episode_with_failures_and_stages_replays_identically() {
    assert_eq!(replay(played().record.bytes(), &Components::built()).expect("a replay"), Verdict::Identical);
}

#[test]
fn a_truncated_episode_replays_identically() {
    let mut episode = games::begin(&nested(), 1, 0);
    episode.answer(0, "1");
    episode.truncate();
    let record = episode.finish().unwrap().record;
    assert_eq!(replay(record.bytes(), &Components::built()).expect("a replay"), Verdict::Identical);
}

#[test]
fn an_edited_move_changes_what_follows() {
    let win = games::play(&games::task(vec![games::tictactoe(ROW_PLAYER)]), &WIN).0;
    // The move that won becomes one that does not: the game does not end where the record says.
    let from = r#"{"line":"reply","seat":0,"by":"learner","text":"3"}"#;
    let record = edited(win.record.bytes(), from, &from.replace("\"3\"", "\"7\""));
    let difference = difference(&record, &Components::built());
    assert!(difference.place.starts_with("stage 1 (tictactoe), turn 5: "), "{}", difference.place);
    assert!(difference.recorded.contains("stage-end"), "{}", difference.recorded);
    assert!(difference.replayed.contains("\"ask\""), "{}", difference.replayed);
}

#[test]
fn an_edited_score_is_found() {
    let loss = games::play(&games::task(vec![games::tictactoe(ROW_PLAYER)]), &LOSS).0;
    let record = edited(loss.record.bytes(), r#""return":0.0"#, r#""return":1.0"#);
    let difference = difference(&record, &Components::built());
    assert_eq!(difference.recorded, r#"{"line":"end","combined":0.0,"return":1.0}"#);
    assert_eq!(difference.replayed, r#"{"line":"end","combined":0.0,"return":0.0}"#);
}

#[test]
fn an_edited_speaker_or_seed_is_found() {
    let record = played().record;
    let speaker = edited(record.bytes(), r#""by":"script""#, r#""by":"random""#);
    assert!(difference(&speaker, &Components::built()).place.contains("turn 2:"));
    let problem = games::task(vec![StageSpec::new("math")]);
    let record = games::play_seed(&problem, 1, 0, &["0"]).0.record;
    let seed = edited(record.bytes(), r#""seed":1"#, r#""seed":2"#);
    assert!(difference(&seed, &Components::built()).line <= 3);
}

#[test]
fn a_record_that_is_cut_off_differs_at_its_end() {
    let record = played().record;
    let last = record.bytes()[..record.bytes().len() - 1].iter().rposition(|byte| *byte == b'\n').expect("lines");
    let difference = difference(&record.bytes()[..=last], &Components::built());
    assert_eq!(difference.recorded, "");
    assert!(difference.place.contains("recorded is nothing more"), "{}", difference.place);
}

#[test]
fn a_record_that_goes_on_after_its_end_differs() {
    let record = played().record;
    let twice = [record.bytes(), b"{\"line\":\"truncated\"}\n"].concat();
    assert_eq!(difference(&twice, &Components::built()).replayed, "");
}

#[test]
fn spaces_that_do_not_belong_are_found() {
    let record = played().record;
    let spaced = edited(record.bytes(), r#"{"line":"ask","#, r#"{"line": "ask","#);
    assert!(difference(&spaced, &Components::built()).place.contains("not written alike"));
}

/// An episode of a game that lies in no folder of games, between random players.
fn record_of(component: &Component, library: &Library) -> Record {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sample.wasm");
    std::fs::write(&path, component.bytes()).expect("written");
    let spec = TaskSpec::single(path.to_str().expect("UTF-8"));
    let task = Task::resolve_for(&spec, library, Player::Random).expect("a task");
    Episode::new(task, 0, 0).finish().expect("an episode").record
}

/// Two versions of a game that asks seat 0 and is over: the second ends differently.
fn two_versions(library: &Library) -> [Arc<Component>; 2] {
    let version = |score: f64| {
        let ended = ludus_host::turn::Progress { rejections: vec![], turn: over(&[score, 0.0]) };
        Guest::good()
            .with(|guest| guest.start_returns(&asks(&[0, 1])))
            .with(|guest| guest.step_returns(&ended))
            .load(library)
            .expect("it loads")
    };
    [version(1.0), version(0.5)]
}

#[test]
fn a_changed_component_is_noticed_at_the_first_turn_that_differs() {
    let library = guest::library();
    let [old, new] = two_versions(&library);
    let record = record_of(&old, &library);

    let same = Components::of(&old);
    assert_eq!(replay(record.bytes(), &same).expect("a replay"), Verdict::Identical);
    let other = Components { all: vec![], in_place_of_all: Some(new) };
    let difference = difference(record.bytes(), &other);
    assert!(
        difference.place.starts_with("stage 1 (sample), turn 2: recorded is the end of the stage"),
        "{}",
        difference.place
    );
}

#[test]
fn another_component_with_the_same_turns_is_not_identical() {
    let library = guest::library();
    let old = Guest::good().load(&library).expect("it loads");
    let new = Guest::good().with(|guest| guest.view_returns("two other doors")).load(&library).expect("it loads");
    assert_ne!(old.hash, new.hash);
    let record = record_of(&old, &library);
    let other = Components { all: vec![], in_place_of_all: Some(new) };
    assert!(difference(record.bytes(), &other).place.contains("the component is another one"));
}

#[test]
fn a_missing_component_and_an_unknown_version_are_errors() {
    let record = played().record;
    let nothing = Components { all: vec![], in_place_of_all: None };
    assert!(matches!(replay(record.bytes(), &nothing), Err(ReplayError::Component { .. })));
    let future = edited(record.bytes(), r#""version":1"#, r#""version":2"#);
    let error = replay(&future, &Components::built()).expect_err("a version of the future").to_string();
    assert!(error.contains("format version 2"), "{error}");
}

#[test]
fn a_transcript_holds_every_prompt_and_a_view_of_each_position() {
    let (finished, asked) = games::play(&games::task(vec![games::tictactoe(ROW_PLAYER)]), &WIN);
    let transcript = transcribe(finished.record.bytes(), &Components::built()).expect("a transcript");
    assert_eq!(transcript.verdict, Verdict::Identical);
    assert_eq!(transcript.result, Some(finished.result));
    let learner_prompts: Vec<&String> = transcript
        .entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Prompt { seat: 0, text } => Some(text),
            _ => None,
        })
        .collect();
    assert_eq!(learner_prompts, asked.iter().map(|decision| &decision.prompt).collect::<Vec<_>>());
    let views = transcript.entries.iter().filter(|entry| matches!(entry, Entry::View(_)));
    assert_eq!(views.count(), 1 + 5, "the deal and five moves");
}

#[test]
fn a_game_that_fails_when_it_is_looked_at_has_a_transcript_without_views() {
    let library = guest::library();
    let component = Guest::good().body("view", "unreachable").load(&library).expect("it loads");
    let record = record_of(&component, &library);
    let transcript = transcribe(record.bytes(), &Components::of(&component)).expect("a transcript");
    assert_eq!(transcript.verdict, Verdict::Identical);
    assert!(transcript.entries.iter().any(|entry| matches!(entry, Entry::Prompt { .. })));
    assert!(!transcript.entries.iter().any(|entry| matches!(entry, Entry::View(_))));
}

#[test]
fn views_that_take_long_are_left_out_of_a_transcript_after_a_while() {
    let limits = Limits { fuel_per_episode: 1_000_000, episode_bytes_max: 20_000, ..guest::TIGHT };
    let library = guest::open(limits);
    let component = endless(100).first("view", &burn(20_000)).load(&library).expect("it loads");
    let record = record_of(&component, &library);
    let transcript = transcribe(record.bytes(), &Components::of(&component)).expect("a transcript");
    assert_eq!(transcript.verdict, Verdict::Identical);
    let views = transcript.entries.iter().filter(|entry| matches!(entry, Entry::View(_))).count();
    let prompts = transcript.entries.iter().filter(|entry| matches!(entry, Entry::Prompt { .. })).count();
    assert!((2..12).contains(&views) && prompts > 30, "{views} views of {prompts} questions");
}

// A change here is a new version of the format.
#[test]
fn a_record_is_written_as_it_always_was() {
    let library = guest::library();
    let component = Guest::good().load(&library).expect("it loads");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sample.wasm");
    std::fs::write(&path, component.bytes()).expect("written");
    let spec = TaskSpec { name: "golden".to_string(), ..TaskSpec::single(path.to_str().expect("UTF-8")) };
    let task =
        ludus_host::task::Task::resolve_for(&spec, &library, ludus_host::player::Player::Random).expect("a task");
    let record = ludus_host::episode::Episode::new(task, 7, 0).finish().unwrap().record;
    let text = String::from_utf8(record.bytes().to_vec()).expect("UTF-8");
    assert_eq!(text.replace(&component.hash.to_string(), "COMPONENT"), GOLDEN);
}

const GOLDEN: &str = r#"{"line":"episode","version":1,"task":{"name":"golden","stages":[{"game":"sample","options":{},"seats":2,"learner":"random","players":["random"],"attempts":3,"on_illegal":"forfeit","threshold":0.5}],"combine":"mean","on_failure":"continue","reveal":false,"truncation":"keep","malformed_penalty":0.1,"illegal_penalty":0.1,"reply":"bare","opponent_stream":"group"},"components":["COMPONENT"],"learner":"random","seed":7,"member":0}
{"line":"stage","stage":0,"game":"sample","component":"COMPONENT","options":{},"seats":2,"learner_seat":0,"players":["random","random"]}
{"line":"ask","seat":0,"prompt":"3af84960721b28338f1e817627d0b83123ac484c1237a747159290be99a4c090"}
{"line":"reply","seat":0,"by":"random","text":"right"}
{"line":"verdict","seat":0,"verdict":"taken","reason":""}
{"line":"stage-end","stage":0,"ended":"over","score":1.0,"scores":[1.0,0.0],"counts":[],"summary":"It is over."}
{"line":"end","combined":1.0,"return":1.0}
"#;
