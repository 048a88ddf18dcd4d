//! Replies without a move, moves that are not taken, attempts that run out, and games that misbehave.

use std::sync::Arc;

use ludus_host::component::Component;
use ludus_host::episode::{Episode, Finished};
use ludus_host::fault::{Call, FaultKind};
use ludus_host::library::Library;
use ludus_host::player::Player;
use ludus_host::record::{Line, read_lines};
use ludus_host::replay::{Verdict, replay};
use ludus_host::reply::ReplyFormat;
use ludus_host::result::Ended;
use ludus_host::task::{LearnerSeat, OnIllegal, StageSpec, Task, TaskSpec};

use crate::games::{self, Components, ROW_PLAYER};
use crate::guest::{self, Guest, asks};

#[test]
fn each_failed_reply_costs_its_own_penalty() {
    let mut spec = games::task(vec![games::tictactoe(ROW_PLAYER)]);
    spec.malformed_penalty = 0.25;
    spec.illegal_penalty = 0.125;
    let (finished, asked) = games::play(&spec, &["1", "", "4", "2", "99", "3"]);
    let stage = &finished.result.stages[0];
    assert_eq!((stage.malformed, stage.illegal), (1, 2));
    assert_eq!((stage.decisions, stage.moves), (3, 3));
    assert_eq!(finished.result.combined, 1.0);
    assert_eq!(finished.result.task_return, 1.0 - 0.25 - 2.0 * 0.125);
    let attempts: Vec<u32> = asked.iter().map(|decision| decision.attempt).collect();
    assert_eq!(attempts, [1, 1, 2, 3, 1, 2]);
}

#[test]
fn whoever_failed_reads_why_before_trying_again() {
    let spec = games::task(vec![games::tictactoe(ROW_PLAYER)]);
    let (_, asked) = games::play(&spec, &["1", "4", "", "2", "3"]);
    assert!(asked[2].prompt.starts_with("Cell 4 is taken."), "{}", asked[2].prompt);
    assert!(asked[3].prompt.contains("empty"), "{}", asked[3].prompt);
    assert!(!asked[4].prompt.contains("taken") && !asked[4].prompt.contains("empty"), "told once: {}", asked[4].prompt);
}

#[test]
fn only_the_move_in_the_tags_reaches_the_game() {
    let mut spec = games::task(vec![games::dilemma("script:A")]);
    spec.reply = ReplyFormat::Tags;
    let (finished, _) = games::play(&spec, &["B", "<think>A or B?</think><answer>B</answer>"]);
    assert_eq!(finished.result.stages[0].malformed, 1);
    assert_eq!(finished.result.combined, 1.0);
    let text = String::from_utf8(finished.record.bytes().to_vec()).expect("UTF-8");
    assert!(text.contains("<think>A or B?</think>"), "the raw reply is in the record");
}

#[test]
fn a_learner_without_attempts_left_forfeits_and_hears_of_it_in_the_next_stage() {
    let spec = games::task(vec![games::tictactoe(ROW_PLAYER), games::dilemma("script:A")]);
    let (finished, asked) = games::play(&spec, &["1", "1", "", "1", "B"]);
    let stage = &finished.result.stages[0];
    assert_eq!((stage.ended, stage.score, stage.scores.len()), (Ended::Forfeited, 0.0, 0));
    assert_eq!(finished.result.combined, 0.5);
    let next = &asked.last().expect("the second stage").prompt;
    assert!(next.starts_with("Cell 1 is taken.\nYou had no tries left, so that game is lost.\n"), "{next}");
}

#[test]
fn a_substitute_moves_where_the_task_says_so_and_the_learner_hears_of_it() {
    let mut stage = games::tictactoe(ROW_PLAYER);
    stage.on_illegal = OnIllegal::Random;
    stage.attempts = 1;
    let mut episode = games::begin(&games::task(vec![stage]), 3, 0);
    episode.answer(0, "no cell");
    let next = episode.pending()[0].clone();
    assert!(next.prompt.contains("a random legal move was made for you"), "{}", next.prompt);
    assert_eq!(next.attempt, 1);
    while !episode.is_over() {
        let moves = episode.legal_moves(0).expect("moves");
        episode.answer(0, &moves[0]);
    }
    let finished = episode.finish();
    let lines = read_lines(finished.record.bytes()).expect("a record");
    let substitutes = lines.iter().filter(|line| matches!(line, Line::Reply { by, .. } if by == "substitute"));
    assert_eq!(substitutes.count(), 1);
    assert_eq!(replay(finished.record.bytes(), &Components::built()).expect("a replay"), Verdict::Identical);
}

#[test]
fn an_opponent_that_fails_is_replaced_and_decides_nothing() {
    // Its script wants a taken cell for ever.
    let spec = games::task(vec![games::tictactoe("script:1")]);
    let finished = games::play_first_moves(&spec, 5, 0);
    assert_eq!(finished.result.stages[0].ended, Ended::Over);
    assert_eq!(finished.result.stages[0].illegal, 0, "its failures are not the learner's");
    assert_eq!(finished.result.task_return, finished.result.combined);
    assert_eq!(replay(finished.record.bytes(), &Components::built()).expect("a replay"), Verdict::Identical);
}

#[test]
fn a_person_may_try_for_ever() {
    let spec = games::task(vec![games::tictactoe(ROW_PLAYER)]);
    let task = Task::resolve_for(&spec, games::library(), Player::Person).expect("a task");
    let mut episode = Episode::new(task, 1, 0);
    for _ in 0..8 {
        episode.answer(0, "?");
    }
    for reply in games::WIN {
        episode.answer(0, reply);
    }
    assert_eq!(episode.finish().result.stages[0].score, 1.0);
}

/// Plays a made game with the learner in seat 0, always saying `left`.
fn play_guest(library: &Library, guest: &Guest, change: impl FnOnce(&mut StageSpec)) -> (Finished, Arc<Component>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sample.wasm");
    std::fs::write(&path, guest.bytes_of_component()).expect("written");
    let mut stage = StageSpec::new(path.to_str().expect("UTF-8"));
    stage.learner = LearnerSeat::Seat(0);
    change(&mut stage);
    let spec = TaskSpec { stages: vec![stage.clone(), stage], ..TaskSpec::single("sample") };
    let task = Task::resolve(&spec, library).expect("a task");
    let component = Arc::clone(&task.stages()[0].component);
    let mut episode = Episode::new(task, 1, 0);
    while !episode.is_over() {
        episode.answer(0, "left");
    }
    (episode.finish(), component)
}

fn check_fault(guest: &Guest, kind: FaultKind, call: Call) {
    let library = guest::library();
    let (finished, component) = play_guest(&library, guest, |_| {});
    let ended: Vec<Ended> = finished.result.stages.iter().map(|stage| stage.ended).collect();
    assert_eq!(ended, [Ended::Fault, Ended::Unplayed], "the whole episode ends");
    let fault = finished.fault.expect("a fault");
    assert_eq!((fault.kind, fault.call), (kind, call));
    let text = String::from_utf8(finished.record.bytes().to_vec()).expect("UTF-8");
    assert!(!text.contains(&fault.detail), "the detail stands beside the record: {text}");
    assert_eq!(replay(finished.record.bytes(), &Components::of(&component)).expect("a replay"), Verdict::Identical);
}

#[test]
fn a_game_that_traps_at_the_start_ends_the_episode_and_replays() {
    check_fault(&Guest::good().body("start", "unreachable"), FaultKind::Trap, Call::Start);
}

#[test]
fn a_game_that_loops_in_a_step_ends_the_episode_and_replays() {
    let guest = Guest::good().body("step", "(loop $again (br $again)) unreachable");
    check_fault(&guest, FaultKind::OutOfFuel, Call::Step);
}

#[test]
fn a_game_that_traps_while_it_lists_moves_for_a_player_ends_the_episode_and_replays() {
    let guest = Guest::good().with(|guest| guest.start_returns(&asks(&[0, 1]))).body("legal-moves", "unreachable");
    check_fault(&guest, FaultKind::Trap, Call::LegalMoves);
}

#[test]
fn a_game_whose_house_player_traps_ends_the_episode_and_replays() {
    let guest = Guest::good().with(|guest| guest.start_returns(&asks(&[0, 1]))).body("house-move", "unreachable");
    let library = guest::library();
    let (finished, component) = play_guest(&library, &guest, |stage| stage.players = vec!["house:leftist".to_string()]);
    let fault = finished.fault.as_ref().expect("a fault");
    assert_eq!((fault.kind, fault.call), (FaultKind::Trap, Call::HouseMove));
    assert_eq!(replay(finished.record.bytes(), &Components::of(&component)).expect("a replay"), Verdict::Identical);
}

#[test]
fn a_game_that_traps_when_it_is_looked_at_ends_the_episode_and_replays() {
    let library = guest::library();
    let component = Guest::good().body("view", "unreachable").load(&library).expect("it loads");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sample.wasm");
    std::fs::write(&path, component.bytes()).expect("written");
    let task = Task::resolve(&TaskSpec::single(path.to_str().expect("UTF-8")), &library).expect("a task");
    let seed = (0..).find(|seed| task.learner_seat(0, *seed) == 0).expect("a seed");
    let mut episode = Episode::new(task, seed, 0);
    assert_eq!(episode.view(None), None);
    assert!(episode.is_over());
    let finished = episode.finish();
    assert_eq!(finished.fault.as_ref().map(|fault| fault.call), Some(Call::View));
    assert_eq!(replay(finished.record.bytes(), &Components::of(&component)).expect("a replay"), Verdict::Identical);
}
