//! Replies without a move, moves that are not taken, attempts that run out, and games that misbehave.

use std::sync::Arc;

use ludus_host::component::Component;
use ludus_host::engine::Allocation;
use ludus_host::episode::{Episode, Finished};
use ludus_host::fault::{Call, FaultKind};
use ludus_host::instance::Instance;
use ludus_host::library::{Library, LibraryOptions};
use ludus_host::limits::Limits;
use ludus_host::player::Player;
use ludus_host::record::{Line, read_lines};
use ludus_host::replay::{ReplayError, Verdict, replay};
use ludus_host::reply::ReplyFormat;
use ludus_host::result::Ended;
use ludus_host::stream::Stream;
use ludus_host::task::{LearnerSeat, OnIllegal, StageSpec, Task, TaskSpec};
use ludus_host::turn::{Progress, Request, Setup, Turn};

use crate::games::{self, Components, ROW_PLAYER};
use crate::guest::{self, About, Guest, asks};

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
    let finished = episode.finish().unwrap();
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
    assert_eq!(episode.finish().unwrap().result.stages[0].score, 1.0);
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
    (episode.finish().unwrap(), component)
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
    let finished = episode.finish().unwrap();
    assert_eq!(finished.fault.as_ref().map(|fault| fault.call), Some(Call::View));
    assert_eq!(replay(finished.record.bytes(), &Components::of(&component)).expect("a replay"), Verdict::Identical);
}

/// Code that computes for a while: about five units of fuel a round.
pub fn burn(rounds: u32) -> String {
    format!(
        "(local $left i32) (local.set $left (i32.const {rounds}))
         (loop $again (local.set $left (i32.sub (local.get $left) (i32.const 1))) (br_if $again (local.get $left)))"
    )
}

/// A game that never ends, and asks both seats with a prompt of so many bytes.
pub fn endless(prompt_bytes: usize) -> Guest {
    let prompt = "?".repeat(prompt_bytes);
    let ask = |seat| Request { seat, prompt: prompt.clone() };
    let turn = Turn::Decide(vec![ask(0), ask(1)]);
    Guest::good().with(|guest| {
        guest.describe(&About { name: "sample", steps_max: 100_000, schema: r#"{"type":"object"}"#.into() });
        guest.start_returns(&turn);
        guest.step_returns(&Progress { rejections: vec![], turn });
    })
}

fn check_endless(guest: &Guest, limits: Limits, kind: FaultKind) {
    let library = guest::open(limits);
    let (finished, component) = play_guest(&library, guest, |_| {});
    assert_eq!(finished.fault.as_ref().map(|fault| fault.kind), Some(kind));
    let steps = finished.result.stages[0].moves;
    assert!((3..1_000).contains(&steps), "it played {steps} steps");
    assert_eq!(replay(finished.record.bytes(), &Components::of(&component)).expect("a replay"), Verdict::Identical);
}

#[test]
fn a_game_that_talks_without_end_ends_the_episode_and_replays() {
    let limits = Limits { episode_bytes_max: 200_000, ..guest::TIGHT };
    check_endless(&endless(10_000), limits, FaultKind::EpisodeTooLarge);
}

#[test]
fn a_game_that_is_slow_at_every_call_ends_the_episode_and_replays() {
    let limits = Limits { fuel_per_episode: 5_000_000, ..guest::TIGHT };
    // The calls for the player in seat 1 count, and a replay does not make them.
    let guest = endless(10).first("step", &burn(10_000)).first("legal-moves", &burn(10_000));
    check_endless(&guest, limits, FaultKind::EpisodeOutOfFuel);
}

#[test]
fn what_one_stage_computed_is_missing_in_the_next() {
    let guest = Guest::good().first("start", &burn(100_000));
    let limits = Limits { fuel_per_episode: 750_000, ..guest::TIGHT };
    let (finished, component) = play_guest(&guest::open(limits), &guest, |_| {});
    let ended: Vec<Ended> = finished.result.stages.iter().map(|stage| stage.ended).collect();
    assert_eq!(ended, [Ended::Over, Ended::Fault]);
    assert_eq!(replay(finished.record.bytes(), &Components::of(&component)).expect("a replay"), Verdict::Identical);
}

#[test]
fn our_own_games_use_less_than_a_hundredth_of_what_an_episode_may() {
    let limits = Limits {
        fuel_per_episode: Limits::STANDARD.fuel_per_episode / 100,
        episode_bytes_max: Limits::STANDARD.episode_bytes_max / 100,
        ..Limits::STANDARD
    };
    let options = LibraryOptions { games_dirs: vec![games::built_dir()], cache_dir: None, limits };
    let library = Library::open(options).expect("a library");
    let big_board = serde_json::json!({ "rows": 5, "columns": 5, "in_a_row": 4 });
    for (game, player, options) in [
        ("tictactoe", "house:optimal", serde_json::json!({})),
        ("tictactoe", "house:optimal", big_board),
        ("spy", "house:clues", serde_json::json!({})),
        ("matrix", "house:equilibrium", serde_json::json!({})),
        ("math", "random", serde_json::json!({})),
    ] {
        let stage = StageSpec { players: vec![player.to_string()], options, ..StageSpec::new(game) };
        let task = Task::resolve_for(&games::task(vec![stage]), &library, Player::Random).expect(game);
        for seed in 0..5 {
            assert_eq!(Episode::new(Arc::clone(&task), seed, 0).finish().unwrap().fault, None, "{game}");
        }
    }
}

#[test]
fn the_fallback_player_that_the_task_names_stands_in_for_an_opponent() {
    let mut stage = games::tictactoe("script:1");
    stage.fallback = "house:optimal".into();
    stage.attempts = 1;
    let finished = games::play_first_moves(&games::task(vec![stage.clone()]), 5, 0);
    let result = &finished.result.stages[0];
    // Its script is right at most once, and then the perfect player takes over from the learner's first moves.
    assert_eq!((result.ended, result.score), (Ended::Over, 0.0));
    assert!(result.substituted >= 2, "{}", result.substituted);
    assert_eq!((result.illegal, result.malformed), (0, 0));
    assert_eq!(replay(finished.record.bytes(), &Components::built()).expect("a replay"), Verdict::Identical);

    stage.fallback = "script:1".into();
    let error = Task::resolve(&games::task(vec![stage.clone()]), games::library()).expect_err("no fallback");
    assert!(error.to_string().contains("must be random or house:NAME"), "{error}");
    stage.fallback = "house:nobody".into();
    assert!(Task::resolve(&games::task(vec![stage]), games::library()).is_err());
}

#[test]
fn a_task_that_seats_a_person_is_refused_where_nobody_can_be_asked() {
    let with_person = Task::resolve(&games::task(vec![games::dilemma("person")]), games::library()).expect("a task");
    let message = with_person.refuse_unasked(|_| false).expect_err("a person").to_string();
    assert!(message.contains("stage 1 (matrix)") && message.contains("nobody is there"), "{message}");
    let spec = games::task(vec![games::dilemma("random")]);
    let as_person = Task::resolve_for(&spec, games::library(), Player::Person).expect("a task");
    assert!(as_person.refuse_unasked(|_| false).is_err());
    assert!(as_person.refuse_unasked(|player| *player == Player::Person).is_ok());
    let sandboxed = Task::resolve_for(&spec, games::library(), Player::Random).expect("a task");
    assert!(sandboxed.refuse_unasked(|_| false).is_ok());
}

#[test]
fn what_a_game_refuses_is_refused_before_anything_is_played() {
    let refused = |guest: &Guest, player: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sample.wasm");
        std::fs::write(&path, guest.bytes_of_component()).expect("written");
        let mut stage = StageSpec::new(path.to_str().expect("UTF-8"));
        stage.players = vec![player.to_string()];
        let spec = games::task(vec![stage]);
        Task::resolve(&spec, &guest::library()).expect_err("it is refused").to_string()
    };
    let no_options = Guest::good().with(|guest| guest.start_refuses("`doors` is even."));
    assert!(refused(&no_options, "random").ends_with("`doors` is even."));
    let no_player = Guest::good().with(|guest| guest.house_move_returns(Err("I need a door.")));
    assert!(refused(&no_player, "house:leftist").ends_with("I need a door."));
}

#[test]
fn a_host_without_room_for_a_game_keeps_no_record_and_blames_nobody() {
    // An episode holds the game of a stage until the next one is dealt.
    let narrow = Allocation::Pooling { instances_max: 2, keep_resident_bytes: 0 };
    let options = LibraryOptions { games_dirs: vec![], cache_dir: None, limits: Limits::STANDARD };
    let library = Library::open_with(options, narrow).expect("a library");
    let (finished, component) = play_guest(&library, &Guest::good(), |_| {});
    let components = Components::of(&component);
    assert_eq!(replay(finished.record.bytes(), &components).expect("there is room"), Verdict::Identical);

    let setup = Setup { seats: 2, options: "{}".to_string() };
    let hold = || Instance::start(&component, &setup, Stream::derive(0, &[])).expect("one of the two");
    let _held = [hold(), hold()];
    let replayed = replay(finished.record.bytes(), &components);
    assert!(matches!(&replayed, Err(ReplayError::Host(failure)) if failure.to_string().contains("short of memory")));
}
