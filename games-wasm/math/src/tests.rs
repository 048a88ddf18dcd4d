//! What the rules promise, played natively.

use std::collections::BTreeSet;

use ludus_game::Outcome;
use ludus_game::testing::{Session, check_game};

use super::*;

const ITEMS: &str = r#"{"items":[{"problem":"What is half of 3?","answer":"\\frac{3}{2}"}]}"#;

fn reply(options: &str, text: &str) -> Outcome {
    let mut session = Session::<Math>::start(1, options, 7).expect("the options are served");
    session.play(&[text]);
    session.outcome().expect("one reply ends it").clone()
}

#[test]
fn the_game_keeps_what_every_game_promises() {
    check_game::<Math>(1, "{}", 400);
    check_game::<Math>(1, r#"{"levels":[4,5],"kinds":["systems","geometry"]}"#, 100);
    check_game::<Math>(1, ITEMS, 10);
}

#[test]
fn the_solver_always_scores_one() {
    for seed in 0..2000 {
        let outcome = Session::<Math>::start(1, "{}", seed)
            .expect("the defaults are served")
            .play_out(|session, seat| session.house(seat, "solver"));
        assert_eq!(outcome.scores, [1.0], "{}", outcome.summary);
    }
}

#[test]
fn a_guess_rarely_scores() {
    let right = (0..2000)
        .filter(|&seed| {
            Session::<Math>::start(1, "{}", seed)
                .expect("the defaults are served")
                .play_out(|session, seat| session.house(seat, "random"))
                .scores
                == [1.0]
        })
        .count();
    assert!(right < 60, "{right} of 2000");
}

#[test]
fn only_the_chosen_levels_and_kinds_are_drawn_and_all_of_them() {
    let mut seen = BTreeSet::new();
    for seed in 0..500 {
        let session = Session::<Math>::start(1, r#"{"levels":[2,4],"kinds":["fractions","systems"]}"#, seed)
            .expect("the options are served");
        let Origin::Generated { kind, level } = session.game().origin else { panic!("no items were given") };
        seen.insert((kind.name(), level));
    }
    assert_eq!(seen, BTreeSet::from([("fractions", 2), ("fractions", 3), ("fractions", 4), ("systems", 4)]));
}

#[test]
fn an_item_takes_the_place_of_a_generated_problem() {
    let session = Session::<Math>::start(1, ITEMS, 1).expect("the options are served");
    assert_eq!(session.prompt(0), "What is half of 3?\nReply with the answer only.");
    for (text, score) in [("1.5", 1.0), ("3/2", 1.0), ("x = 1 1/2.", 1.0), ("2", 0.0), ("three halves", 0.0)] {
        assert_eq!(reply(ITEMS, text).scores, [score], "{text}");
    }
}

#[test]
fn every_item_can_be_drawn() {
    let items = r#"{"items":[{"problem":"a","answer":"1"},{"problem":"b","answer":"2"},{"problem":"c","answer":"3"}]}"#;
    let drawn: BTreeSet<String> = (0..60)
        .map(|seed| Session::<Math>::start(1, items, seed).expect("they are served").game().problem.text.clone())
        .collect();
    assert_eq!(drawn.len(), 3);
}

#[test]
fn any_short_text_is_a_reply_and_no_other() {
    let mut session = Session::<Math>::start(1, "{}", 1).expect("the defaults are served");
    assert_eq!(session.step(&["  "]).len(), 1);
    assert_eq!(session.step(&[&"1".repeat(201)]).len(), 1);
    assert_eq!(session.prompt(0), "Reply with the answer only.");
    assert!(session.step(&["I do\nnot know"]).is_empty());
    assert_eq!(session.outcome().map(|outcome| outcome.scores.clone()), Some(vec![0.0]));
}

#[test]
fn the_answer_is_hidden_from_the_seat_until_it_has_replied() {
    let mut session = Session::<Math>::start(1, ITEMS, 1).expect("they are served");
    assert!(!session.game().view(Some(0)).contains("frac") && session.game().view(None).contains("frac"));
    session.play(&["1"]);
    assert!(session.game().view(Some(0)).contains("frac"));
}

#[test]
fn a_solved_problem_is_counted_for_its_level_and_its_kind() {
    let outcome = Session::<Math>::start(1, r#"{"levels":[3,3],"kinds":["percent"]}"#, 3)
        .expect("it is served")
        .play_out(|session, seat| session.house(seat, "solver"));
    let counted: Vec<&str> = outcome
        .counts
        .iter()
        .filter(|count| (count.times, count.chances) == (1, 1))
        .map(|count| count.name.as_str())
        .collect();
    assert_eq!(counted, ["solved-level-3", "solved-percent"]);
    let names = |outcome: &Outcome| outcome.counts.iter().map(|count| count.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&outcome), names(&reply(ITEMS, "0")), "the same names in every episode");
}

#[test]
fn options_that_cannot_be_served_are_refused_with_their_name() {
    for (options, named) in [
        (r#"{"levels":[0,5]}"#, "levels"),
        (r#"{"levels":[4,2]}"#, "levels"),
        (r#"{"levels":[1,3],"kinds":["systems"]}"#, "kinds"),
        (r#"{"kinds":["astrology"]}"#, "astrology"),
        (r#"{"items":[{"problem":"","answer":"1"}]}"#, "items"),
        (r#"{"level":1}"#, "level"),
    ] {
        let reason = Session::<Math>::start(1, options, 0).err().expect("it is refused");
        assert!(reason.contains(named), "{reason}");
    }
}
