//! Several stages in one conversation, and what their scores become.

use ludus_host::episode::{Episode, Finished};
use ludus_host::result::Ended;
use ludus_host::task::{Combine, OnFailure, TaskSpec, Truncation};

use crate::games::{self, DRAW, DRAW_PLAYER, LOSS, ROW_PLAYER, WIN};

/// A loss, a win and a draw: 0, 1 and 0.5.
fn three_stages() -> TaskSpec {
    games::task(vec![games::tictactoe(ROW_PLAYER), games::tictactoe(ROW_PLAYER), games::tictactoe(DRAW_PLAYER)])
}

fn replies() -> Vec<&'static str> {
    [&LOSS[..], &WIN, &DRAW].concat()
}

fn combined(change: impl FnOnce(&mut TaskSpec), replies: &[&str]) -> Finished {
    let mut spec = three_stages();
    change(&mut spec);
    games::play(&spec, replies).0
}

fn scores(finished: &Finished) -> Vec<f64> {
    finished.result.stages.iter().map(|stage| stage.score).collect()
}

#[test]
fn a_win_a_draw_and_a_loss_score_as_the_rules_say() {
    let finished = combined(|_| {}, &replies());
    assert_eq!(scores(&finished), [0.0, 1.0, 0.5]);
    assert_eq!(finished.result.stages[0].scores, [0.0, 1.0]);
    assert!(finished.result.stages.iter().all(|stage| stage.ended == Ended::Over));
}

#[test]
fn a_simultaneous_game_scores_the_learners_own_payoff() {
    for (own, other, score) in [("A", "A", 0.6), ("B", "A", 1.0), ("A", "B", 0.0), ("B", "B", 0.2)] {
        let spec = games::task(vec![games::dilemma(&format!("script:{other}"))]);
        assert_eq!(games::play(&spec, &[own]).0.result.task_return, score, "{own} against {other}");
    }
}

#[test]
fn the_scores_combine_as_the_task_says() {
    let with = |combine| combined(|spec| spec.combine = combine, &replies()).result.combined;
    assert_eq!(with(Combine::Mean), 0.5);
    assert_eq!(with(Combine::Product), 0.0);
    assert_eq!(with(Combine::Min), 0.0);
    assert_eq!(with(Combine::All), 0.0);

    let all_well = [&WIN[..], &WIN, &DRAW].concat();
    let with = |combine| combined(|spec| spec.combine = combine, &all_well).result.combined;
    assert_eq!(with(Combine::Product), 0.5);
    assert_eq!(with(Combine::Min), 0.5);
    assert_eq!(with(Combine::All), 1.0, "a draw reaches the threshold of one half");
}

#[test]
fn a_task_that_stops_at_a_failure_leaves_the_rest_unplayed() {
    let finished = combined(|spec| spec.on_failure = OnFailure::Stop, &LOSS);
    let ended: Vec<Ended> = finished.result.stages.iter().map(|stage| stage.ended).collect();
    assert_eq!(ended, [Ended::Over, Ended::Unplayed, Ended::Unplayed]);
    assert_eq!(finished.result.combined, 0.0);
}

#[test]
fn a_task_that_stops_at_a_failure_goes_on_after_a_passed_stage() {
    let spec = TaskSpec { on_failure: OnFailure::Stop, ..three_stages() };
    let (finished, _) = games::play(&spec, &[&WIN[..], &LOSS].concat());
    assert_eq!(scores(&finished), [1.0, 0.0, 0.0]);
    assert_eq!(finished.result.stages[2].ended, Ended::Unplayed);
    assert_eq!(finished.result.combined, 1.0 / 3.0);
}

#[test]
fn a_revealed_score_is_the_first_line_of_the_next_stage() {
    let spec = TaskSpec { reveal: true, ..three_stages() };
    let (_, asked) = games::play(&spec, &replies());
    let first_of = |stage| asked.iter().find(|decision| decision.stage == stage).expect("a decision").prompt.clone();
    assert_eq!(first_of(1).lines().next(), Some("The game tictactoe is over. Your score: 0 of 1."));
    assert_eq!(first_of(2).lines().next(), Some("The game tictactoe is over. Your score: 1 of 1."));
    assert!(!first_of(0).contains("score"));
}

#[test]
fn without_reveal_no_score_is_told() {
    let (_, asked) = games::play(&three_stages(), &replies());
    assert!(asked.iter().all(|decision| !decision.prompt.contains("score")), "{asked:?}");
}

#[test]
fn each_stage_begins_with_its_own_rules_in_the_same_conversation() {
    let (_, asked) = games::play(&three_stages(), &replies());
    let first_prompts: Vec<&str> = (0..3)
        .map(|stage| asked.iter().find(|decision| decision.stage == stage).expect("a decision").prompt.as_str())
        .collect();
    assert_eq!(first_prompts[0], first_prompts[1]);
    assert!(asked[1].prompt.len() < asked[0].prompt.len(), "the rules are told once a stage");
}

/// Wins the first stage, moves once in the second, and runs out of tokens.
fn truncated(truncation: Truncation) -> Finished {
    let spec = TaskSpec { truncation, ..three_stages() };
    let mut episode = games::begin(&spec, 1, 0);
    for reply in [&WIN[..], &["1"]].concat() {
        episode.answer(0, reply);
    }
    episode.truncate();
    assert!(episode.is_over() && episode.pending().is_empty());
    episode.truncate();
    episode.finish().unwrap()
}

#[test]
fn a_truncated_episode_keeps_the_scores_of_finished_stages() {
    let finished = truncated(Truncation::Keep);
    let ended: Vec<Ended> = finished.result.stages.iter().map(|stage| stage.ended).collect();
    assert_eq!(ended, [Ended::Over, Ended::Truncated, Ended::Unplayed]);
    assert_eq!(finished.result.combined, 1.0 / 3.0);
}

#[test]
fn a_truncated_episode_loses_everything_where_the_task_says_so() {
    let finished = truncated(Truncation::Forfeit);
    assert_eq!(finished.result.combined, 0.0);
    assert_eq!(finished.result.stages[0].score, 1.0, "what was reached is still reported");
}

#[test]
fn a_game_of_many_seats_is_played_to_its_end() {
    let mut stage = ludus_host::task::StageSpec::new("spy");
    stage.seats = Some(5);
    stage.players = vec!["house:clues".to_string()];
    let task = games::task(vec![stage]);
    for seed in 0..5 {
        let mut episode: Episode = games::begin(&task, seed, 0);
        let mut decisions = 0;
        while !episode.is_over() {
            let decision = episode.pending()[0].clone();
            let reply =
                episode.legal_moves(decision.seat).map_or("it is a thing".to_string(), |moves| moves[0].clone());
            episode.answer(decision.seat, &reply);
            decisions += 1;
        }
        let result = episode.finish().unwrap().result;
        assert_eq!(result.stages[0].ended, Ended::Over, "seed {seed}");
        assert_eq!(result.stages[0].decisions, decisions, "seed {seed}");
    }
}
