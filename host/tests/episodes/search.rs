//! The player that searches: how well it plays, and that it knows no more than its seat.

use std::sync::Arc;

use ludus_host::episode::{Episode, Finished};
use ludus_host::library::Library;
use ludus_host::limits::Limits;
use ludus_host::player::Player;
use ludus_host::record::{Line, read_lines};
use ludus_host::replay::{Verdict, replay};
use ludus_host::result::Ended;
use ludus_host::task::{LearnerSeat, StageSpec, Task};
use ludus_host::turn::{Progress, Request, Turn};
use serde_json::{Value, json};

use crate::failures::burn;
use crate::games::{self, Components};
use crate::guest::{self, Guest, over};

/// Plays `search:PLAYOUTS` in the learner's seat.
fn play(stage: StageSpec, playouts: u32, seeds: std::ops::Range<u64>) -> Vec<Finished> {
    let task =
        Task::resolve_for(&games::task(vec![stage]), games::library(), Player::Search(playouts)).expect("a task");
    seeds.map(|seed| Episode::new(Arc::clone(&task), seed, 0).finish().expect("the host has room")).collect()
}

fn against(game: &str, options: Value, opponent: &str) -> StageSpec {
    StageSpec { options, players: vec![opponent.to_string()], ..StageSpec::new(game) }
}

fn scores(played: &[Finished]) -> Vec<f64> {
    played.iter().map(|finished| finished.result.stages[0].score).collect()
}

#[test]
fn at_tictactoe_it_does_not_lose_against_perfect_play_with_1600_playouts_and_seldom_with_200() {
    let stage = || against("tictactoe", json!({}), "house:optimal");
    assert_eq!(scores(&play(stage(), 1_600, 0..30)), [0.5; 30]);
    let lost = |played: &[Finished]| scores(played).iter().filter(|score| **score < 0.5).count();
    let (few, random) = (play(stage(), 200, 0..40), play(stage(), 1, 0..40));
    // Chance alone loses nearly always: one playout tells nothing of a move.
    assert!(lost(&few) <= 12 && lost(&random) >= 25, "{} and {} of 40", lost(&few), lost(&random));
}

#[test]
fn at_tictactoe_it_beats_random_play_nearly_always() {
    let played = play(against("tictactoe", json!({}), "random"), 200, 0..40);
    let scores = scores(&played);
    assert!(scores.iter().all(|score| *score >= 0.5), "{scores:?}");
    assert!(scores.iter().sum::<f64>() >= 38.0, "{scores:?}");
}

#[test]
fn the_same_seed_gives_the_same_record_and_its_replay_needs_no_search() {
    let [one, other] = [0, 1].map(|_| play(against("tictactoe", json!({}), "search:30"), 30, 5..8));
    assert_eq!(one, other);
    for finished in &one {
        assert_eq!(finished.fault, None);
        let lines = read_lines(finished.record.bytes()).expect("a record");
        assert!(lines.iter().any(|line| matches!(line, Line::Reply { by, .. } if by == "search")));
        assert_eq!(replay(finished.record.bytes(), &Components::built()).expect("a replay"), Verdict::Identical);
    }
}

/// What seat 0 is told when it chooses a door.
enum Told {
    Nothing,
    TheMove,
}

/// A prize lies behind one of two doors, and seat 0 opens one: 1 where it is there. `right` in a step is `$is_right` below.
fn doors() -> Guest {
    let mut guest = Guest::good();
    guest.extra = "(global $secret (mut i32) (i32.const 0)) (global $begun (mut i32) (i32.const 0))".to_string();
    guest
}

/// Whether the first move that is handed in begins with `r`.
const IS_RIGHT: &str = "(i32.eq (i32.load8_u (i32.load offset=4 (local.get $moves))) (i32.const 114))";

/// The address of what a step returns that compares the move with the secret.
fn opened(guest: &mut Guest) -> String {
    let [found, missed] = [[1.0, 0.0], [0.0, 1.0]]
        .map(|scores| guest.step_returns(&Progress { rejections: vec![], turn: over(&scores) }));
    format!(
        "(if (result i32) (i32.eq {IS_RIGHT} (global.get $secret))
            (then (i32.const {found})) (else (i32.const {missed})))"
    )
}

/// The prize is dealt, and nobody is told where.
fn dealt_doors() -> Guest {
    let mut guest = doors();
    let open = opened(&mut guest);
    guest.body("step", &open).first("start", "(global.set $secret (call $below (i32.const 2)))")
}

/// Seat 1 puts the prize behind a door.
fn hiding_doors(told: &Told) -> Guest {
    let mut guest = doors();
    guest.start_returns(&guest::asks(&[1]));
    let open = opened(&mut guest);
    let prompts = match told {
        Told::Nothing => ["Left or right?"; 2],
        Told::TheMove => ["She went left. Left or right?", "She went right. Left or right?"],
    };
    let [left, right] = prompts.map(|prompt| {
        let ask = Turn::Decide(vec![Request { seat: 0, prompt: prompt.to_string() }]);
        guest.step_returns(&Progress { rejections: vec![], turn: ask })
    });
    let hide = format!(
        "(global.set $begun (i32.const 1)) (global.set $secret {IS_RIGHT})
         (select (i32.const {right}) (i32.const {left}) (global.get $secret))"
    );
    guest.body("step", &format!("(if (result i32) (i32.eqz (global.get $begun)) (then {hide}) (else {open}))"))
}

/// The moves and scores of seat 0, which searches, over these seeds.
fn open_doors(guest: &Guest, opponent: &str, seeds: std::ops::Range<u64>) -> Vec<(String, f64)> {
    open_doors_with(guest, &guest::library(), 30, opponent, seeds)
}

fn open_doors_with(
    guest: &Guest,
    library: &Library,
    playouts: u32,
    opponent: &str,
    seeds: std::ops::Range<u64>,
) -> Vec<(String, f64)> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sample.wasm");
    std::fs::write(&path, guest.bytes_of_component()).expect("written");
    let stage = StageSpec {
        learner: LearnerSeat::Seat(0),
        players: vec![opponent.to_string()],
        ..StageSpec::new(path.to_str().expect("UTF-8"))
    };
    let task = Task::resolve_for(&games::task(vec![stage]), library, Player::Search(playouts)).expect("a task");
    let play = |seed| {
        let finished = Episode::new(Arc::clone(&task), seed, 0).finish().expect("the host has room");
        let lines = read_lines(finished.record.bytes()).expect("a record");
        let own = lines.iter().find_map(|line| match line {
            Line::Reply { seat: 0, text, .. } => Some(text.clone()),
            _ => None,
        });
        (own.expect("a move"), finished.result.stages[0].score)
    };
    seeds.map(play).collect()
}

#[test]
fn a_game_that_takes_too_much_is_searched_with_fewer_playouts() {
    // A few hundred of a million.
    let library = guest::open(Limits { fuel_per_episode: 20_000_000, ..guest::TIGHT });
    let slow = dealt_doors().first("step", &burn(100_000));
    let [one, other] = [0, 1].map(|_| open_doors_with(&slow, &library, 1_000_000, "random", 0..2));
    assert_eq!(one, other, "the same playouts each time");
}

#[test]
fn what_was_dealt_in_secret_is_not_known_to_it() {
    let found: f64 = open_doors(&dealt_doors(), "random", 0..100).iter().map(|(_, score)| score).sum();
    assert!((30.0..=70.0).contains(&found), "it finds {found} of 100 prizes, and can only guess");
}

#[test]
fn a_move_that_its_seat_was_not_told_is_not_known_to_it() {
    let guest = hiding_doors(&Told::Nothing);
    let [left, right] = ["script:left", "script:right"].map(|opponent| open_doors(&guest, opponent, 0..40));
    for ((one, one_score), (other, other_score)) in left.iter().zip(&right) {
        assert_eq!(one, other, "the same luck and the same words lead to the same move");
        assert_eq!(one_score + other_score, 1.0);
    }
}

#[test]
fn a_move_that_its_seat_was_told_is_known_to_it() {
    let guest = hiding_doors(&Told::TheMove);
    for opponent in ["script:left", "script:right"] {
        assert!(open_doors(&guest, opponent, 0..20).iter().all(|(_, score)| *score == 1.0), "{opponent}");
    }
}

#[test]
fn where_it_cannot_think_of_a_world_its_moves_are_legal_ones() {
    for (game, opponent) in
        [("battleship", "house:hunt"), ("spy", "house:clues"), ("dilemma-talk", "random"), ("codewords", "random")]
    {
        let played = play(against(game, json!({}), opponent), 8, 0..2);
        for finished in played {
            let stage = &finished.result.stages[0];
            assert_eq!((stage.ended, stage.malformed, stage.illegal), (Ended::Over, 0, 0), "{game}");
        }
    }
}

/// A game in another language, as it was built for the golden records.
fn golden(game: &str) -> String {
    format!("{}/../tests/golden/{game}/component.wasm", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn games_in_other_languages_are_searched_too() {
    let wins: f64 = scores(&play(against(&golden("connect-four"), json!({}), "random"), 60, 0..8)).iter().sum();
    assert!(wins >= 7.0, "{wins} of 8 at connect four");
    let wins: f64 = scores(&play(against(&golden("nim"), json!({}), "random"), 200, 0..20)).iter().sum();
    assert!(wins >= 14.0, "{wins} of 20 at nim");
}

/// The card of a seat in a view of Kuhn poker.
fn card(view: &str, seat: u32) -> u32 {
    let (_, rest) = view.split_once(&format!("Seat {seat}: card ")).expect("a card");
    rest[..1].parse().expect("a number")
}

#[test]
fn at_kuhn_poker_it_goes_by_its_own_card_and_not_by_the_others() {
    let stage = StageSpec {
        learner: LearnerSeat::Seat(0),
        ..against(&golden("kuhn-poker"), json!({ "first": "seat-1" }), "script:bet")
    };
    let task = Task::resolve_for(&games::task(vec![stage]), games::library(), Player::Search(60)).expect("a task");
    // By own card and the other's: how often it was dealt, and how often it called.
    let mut called = [[(0, 0); 4]; 4];
    for seed in 0..60 {
        let mut episode = Episode::new(Arc::clone(&task), seed, 0);
        let view = episode.view(None).expect("a view");
        let [own, other] = [0, 1].map(|seat| card(&view, seat) as usize);
        let finished = episode.finish().expect("the host has room");
        let text = String::from_utf8(finished.record.bytes().to_vec()).expect("UTF-8");
        called[own][other].0 += 1;
        called[own][other].1 += u32::from(text.contains(r#""by":"search","text":"call""#));
    }
    for other in [2, 3] {
        assert_eq!(called[1][other].1, 0, "the lowest card never wins a call: {called:?}");
    }
    for other in [1, 2] {
        assert_eq!(called[3][other].1, called[3][other].0, "the highest card wins every call: {called:?}");
    }
    let share = |(dealt, called): (u32, u32)| f64::from(called) / f64::from(dealt);
    let difference = share(called[2][1]) - share(called[2][3]);
    assert!(difference.abs() < 0.5, "with the middle card it cannot know when to call: {called:?}");
}
