//! The player that searches: how well it plays, and that it knows no more than its seat.

use std::sync::Arc;

use ludus_host::episode::{Episode, Finished};
use ludus_host::player::Player;
use ludus_host::record::{Line, read_lines};
use ludus_host::replay::{Verdict, replay};
use ludus_host::result::Ended;
use ludus_host::task::{LearnerSeat, StageSpec, Task};
use ludus_host::turn::{Outcome, Progress, Request, Turn};
use serde_json::{Value, json};

use crate::games::{self, Components};
use crate::guest::{About, Guest};

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
fn at_tictactoe_it_never_loses_against_perfect_play() {
    let played = play(against("tictactoe", json!({}), "house:optimal"), 200, 0..40);
    assert_eq!(scores(&played), [0.5; 40]);
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
