//! Games whose answers break the contract: each is a fault of its own kind.

use ludus_host::fault::FaultKind;
use ludus_host::turn::{Count, Outcome, Progress, Rejection, Request, Turn};

use crate::guest::*;

/// The kind of fault that comes of a step with this answer, while seats 0 and 1 are asked.
fn answered(progress: &Progress) -> Result<Progress, FaultKind> {
    let guest =
        Guest::good().with(|guest| guest.start_returns(&asks(&[1, 0]))).with(|guest| guest.step_returns(progress));
    let library = library();
    let (mut instance, turn) = begin(&guest.load(&library).unwrap()).unwrap();
    assert_eq!(turn, asks(&[0, 1]), "requests are sorted by seat");
    let moves = [1, 0].map(|seat| ludus_host::turn::Move { seat, text: "left".into() });
    let answer = instance.step(&moves, stream(2)).map_err(|fault| fault.kind);
    if answer.is_err() {
        assert_eq!(instance.view(None).unwrap_err().kind, FaultKind::Dead);
        play_well(&library);
    }
    answer
}

fn ended(scores: &[f64], counts: &[Count]) -> Result<Progress, FaultKind> {
    let outcome = Outcome { scores: scores.to_vec(), counts: counts.to_vec(), summary: String::new() };
    answered(&Progress { rejections: vec![], turn: Turn::Over(outcome) })
}

fn decide(requests: &[(u32, &str)]) -> Result<Progress, FaultKind> {
    let requests = requests.iter().map(|&(seat, prompt)| Request { seat, prompt: prompt.into() }).collect();
    answered(&Progress { rejections: vec![], turn: Turn::Decide(requests) })
}

fn reject(seats: &[u32], turn: Turn) -> Result<Progress, FaultKind> {
    let rejections = seats.iter().map(|&seat| Rejection { seat, reason: "No.".into() }).collect();
    answered(&Progress { rejections, turn })
}

#[test]
fn scores_must_be_numbers_from_0_to_1() {
    for score in [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.000001, -0.5] {
        assert_eq!(ended(&[score, 0.0], &[]), Err(FaultKind::BadScores), "{score}");
        assert_eq!(ended(&[1.0, score], &[]), Err(FaultKind::BadScores), "{score}");
    }
}

#[test]
fn every_seat_has_exactly_one_score() {
    for scores in [&[][..], &[1.0], &[1.0, 0.0, 0.5]] {
        assert_eq!(ended(scores, &[]), Err(FaultKind::BadScores), "{scores:?}");
    }
}

#[test]
fn a_score_of_minus_0_becomes_0() {
    let Ok(Progress { turn: Turn::Over(outcome), .. }) = ended(&[-0.0, 1.0], &[]) else { panic!("refused") };
    assert_eq!(outcome.scores[0].to_bits(), 0.0f64.to_bits());
}

#[test]
fn only_seats_at_the_table_are_asked_and_each_once() {
    assert_eq!(decide(&[(2, "Move!")]), Err(FaultKind::BadSeats));
    assert_eq!(decide(&[(u32::MAX, "Move!")]), Err(FaultKind::BadSeats));
    assert_eq!(decide(&[(0, "Move!"), (0, "Move!")]), Err(FaultKind::BadSeats));
    assert_eq!(decide(&[]), Err(FaultKind::BadSeats));
}

#[test]
fn a_prompt_must_say_something() {
    assert_eq!(decide(&[(0, " \n")]), Err(FaultKind::BadText));
}

#[test]
fn only_moves_that_were_made_are_rejected_and_each_once() {
    assert!(reject(&[1, 0], asks(&[0, 1])).is_ok());
    assert_eq!(reject(&[2], asks(&[0, 1])), Err(FaultKind::BadSeats));
    assert_eq!(reject(&[0, 0], asks(&[0, 1])), Err(FaultKind::BadSeats));
}

#[test]
fn a_rejected_seat_that_is_not_asked_again_is_a_fault() {
    assert_eq!(reject(&[0], asks(&[1])), Err(FaultKind::BadSeats));
    assert_eq!(reject(&[0], over(&[0.0, 1.0])), Err(FaultKind::BadSeats));
}

#[test]
fn counts_are_of_a_seat_with_a_name_and_no_more_times_than_chances() {
    let count = |seat, name: &str, times, chances| Count { seat, name: name.into(), times, chances };
    assert!(ended(&[0.0, 1.0], &[count(0, "wins-taken", 2, 3), count(1, "wins-taken", 0, 0)]).is_ok());
    let broken = [
        vec![count(2, "wins-taken", 0, 0)],
        vec![count(0, "wins-taken", 4, 3)],
        vec![count(0, "Wins taken", 0, 0)],
        vec![count(0, "wins-taken", 0, 0), count(0, "wins-taken", 0, 0)],
        (0..300).map(|number| count(0, &format!("count-{number}"), 0, 0)).collect(),
    ];
    for counts in broken {
        assert_eq!(ended(&[0.0, 1.0], &counts), Err(FaultKind::BadCounts), "{counts:?}");
    }
}

#[test]
fn a_list_of_legal_moves_has_some_and_not_too_many_and_none_is_empty() {
    let listed = |moves: Option<Vec<String>>| {
        let guest = Guest::good()
            .with(|guest| guest.memory = "(memory (export \"memory\") 8)")
            .with(|guest| guest.legal_moves_return(moves.as_deref()));
        let (mut instance, _) = begin(&guest.load(&library()).unwrap()).unwrap();
        instance.legal_moves(0).map_err(|fault| fault.kind)
    };
    assert_eq!(listed(None), Ok(None));
    assert_eq!(listed(Some(vec![])), Err(FaultKind::BadLegalMoves));
    assert_eq!(listed(Some(vec!["left".into(), "".into()])), Err(FaultKind::BadText));
    assert!(listed(Some((0..4_096).map(|number| number.to_string()).collect())).is_ok());
    assert_eq!(listed(Some((0..4_097).map(|number| number.to_string()).collect())), Err(FaultKind::BadLegalMoves));
}

#[test]
fn a_house_player_without_a_move_is_a_fault() {
    for (answer, kind) in [(Err("I am no player here."), FaultKind::BadHousePlayer), (Ok(""), FaultKind::BadText)] {
        let guest = Guest::good().with(|guest| guest.house_move_returns(answer));
        let (mut instance, _) = begin(&guest.load(&library()).unwrap()).unwrap();
        assert_eq!(instance.house_move(0, "leftist", stream(2)).map_err(|fault| fault.kind), Err(kind));
    }
}

#[test]
fn a_game_may_refuse_its_setup_with_a_reason() {
    let guest = Guest::good().with(|guest| guest.start_refuses("`doors` is even."));
    let fault = begin(&guest.load(&library()).unwrap()).err().unwrap();
    assert_eq!((fault.kind, fault.detail.as_str()), (FaultKind::SetupRefused, "`doors` is even."));
}
