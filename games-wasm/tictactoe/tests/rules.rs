//! The game as a player meets it.

use ludus_game::testing::{Session, check_game};
use tictactoe::TicTacToe;

fn start(options: &str) -> Session<TicTacToe> {
    Session::start(2, options, 7).expect("the options can be served")
}

const SEAT_0_FIRST: &str = r#"{"first": "seat-0"}"#;

#[test]
fn every_shape_keeps_every_promise() {
    check_game::<TicTacToe>(2, "{}", 300);
    check_game::<TicTacToe>(2, r#"{"preplaced": 0.5, "notation": "both"}"#, 300);
    check_game::<TicTacToe>(
        2,
        r#"{"rows": 4, "columns": 4, "in_a_row": 3, "preplaced": 1.0, "notation": "lines"}"#,
        10,
    );
    check_game::<TicTacToe>(2, r#"{"rows": 3, "columns": 5, "in_a_row": 5, "notation": "grid"}"#, 5);
}

#[test]
fn a_first_prompt_has_the_rules_and_a_later_one_the_position_alone() {
    let mut session = start(SEAT_0_FIRST);
    assert_eq!(
        session.prompt(0),
        "Tic-tac-toe on 3 rows of 3 cells, numbered from 1 row by row. Three in a line win. Answer with the number of a free cell.\n\
         You: none\nOther: none\nFree: 1 2 3 4 5 6 7 8 9"
    );
    session.play(&["5"]);
    assert!(session.prompt(1).starts_with("Tic-tac-toe"));
    session.play(&["1"]);
    assert_eq!(session.prompt(0), "You: 5\nOther: 1\nFree: 2 3 4 6 7 8 9");
}

#[test]
fn lines_show_the_marks_of_each_side_and_what_it_still_needs_and_x_is_ones_own_in_either_seat() {
    let mut session = start(r#"{"first": "seat-0", "notation": "lines"}"#);
    let opening = session.prompt(0);
    assert!(opening.contains("X is yours, O the other's."), "{opening}");
    assert!(opening.ends_with("\nFree: 1 2 3 4 5 6 7 8 9\nX: none\nO: none"), "{opening}");
    session.play(&["1"]);
    session.play(&["9"]);
    session.play(&["2"]);
    assert_eq!(session.prompt(1), "Free: 3 4 5 6 7 8\nX: X 7 8, X 3 6\nO: OO 3, O 4 7, O 5 8");
    session.play(&["3"]);
    assert_eq!(session.prompt(0), "Free: 4 5 6 7 8\nX: X 4 7, X 5 8\nO: O 7 8, OO 6, O 5 7");
}

#[test]
fn a_grid_shows_marks_and_free_numbers() {
    let mut session = start(r#"{"first": "seat-0", "notation": "grid"}"#);
    session.play(&["5"]);
    assert!(session.prompt(1).ends_with("You are O. Answer with the number of a free cell.\n1 2 3\n4 X 6\n7 8 9"));
}

#[test]
fn a_line_wins_and_the_score_is_the_winners() {
    let mut session = start(SEAT_0_FIRST);
    for cell in ["1", "4", "2", "5", "3"] {
        session.play(&[cell]);
    }
    let outcome = session.outcome().expect("it is over");
    assert_eq!(outcome.scores, [1.0, 0.0]);
    assert_eq!(outcome.summary, "X wins with 1 2 3");
}

#[test]
fn a_full_board_without_a_line_is_a_draw() {
    let mut session = start(SEAT_0_FIRST);
    for cell in ["1", "2", "3", "5", "4", "6", "8", "7", "9"] {
        session.play(&[cell]);
    }
    assert_eq!(session.outcome().expect("it is over").scores, [0.5, 0.5]);
}

#[test]
fn a_refused_move_names_the_reason_and_leaves_the_position() {
    let mut session = start(SEAT_0_FIRST);
    session.play(&["5"]);
    let view = session.game_view();
    for (text, reason) in [
        ("5", "Cell 5 is taken."),
        ("0", "A move is one number from 1 to 9."),
        ("10", "A move is one number from 1 to 9."),
        ("1 2", "A move is one number from 1 to 9."),
        ("the centre", "A move is one number from 1 to 9."),
        ("-1", "A move is one number from 1 to 9."),
        ("", "A move is one number from 1 to 9."),
    ] {
        let rejections = session.step(&[text]);
        assert_eq!((rejections[0].seat, rejections[0].reason.as_str()), (1, reason), "{text:?}");
        assert_eq!(session.prompt(1), "Free: 1 2 3 4 6 7 8 9");
        assert_eq!(session.game_view(), view);
    }
    session.play(&[" 9.\n"]);
    assert_eq!(session.game_view(), "1 2 3\n4 X 6\n7 8 O");
}

#[test]
fn a_view_tells_a_seat_its_mark() {
    use ludus_game::Game;
    let session = start(SEAT_0_FIRST);
    assert_eq!(session.game().view(Some(1)), "1 2 3\n4 5 6\n7 8 9\nYou are O.");
}

#[test]
fn preplaced_stones_are_one_each_and_never_end_the_game() {
    let mut seen = [0u32; 9];
    for seed in 0..2_000 {
        let session = Session::<TicTacToe>::start(2, r#"{"preplaced": 1.0}"#, seed).expect("it starts");
        assert!(session.outcome().is_none());
        let view = session.game_view();
        assert_eq!((view.matches('X').count(), view.matches('O').count()), (1, 1));
        seen[view.split_whitespace().position(|cell| cell == "X").expect("an X")] += 1;
    }
    // Each cell 222 times on average; six standard deviations.
    assert!(seen.iter().all(|count| count.abs_diff(222) < 85), "{seen:?}");
}

#[test]
fn half_of_the_games_are_preplaced_where_the_option_says_so_and_either_seat_begins() {
    let sessions =
        (0..2_000).map(|seed| Session::<TicTacToe>::start(2, r#"{"preplaced": 0.5}"#, seed).expect("it starts"));
    let (mut preplaced, mut seat_0_first) = (0u32, 0u32);
    for session in sessions {
        preplaced += u32::from(session.game_view().contains('X'));
        seat_0_first += u32::from(session.asked() == [0]);
    }
    // Six standard deviations around 1000.
    assert!(preplaced.abs_diff(1_000) < 135 && seat_0_first.abs_diff(1_000) < 135, "{preplaced} {seat_0_first}");
}

#[test]
fn counts_tell_wins_taken_and_losses_blocked_from_chances_missed() {
    let mut session = start(SEAT_0_FIRST);
    // X threatens 3; O does not block and threatens 6; X neither wins nor blocks, with a win at hand; O wins.
    for cell in ["1", "4", "2", "5", "9", "6"] {
        session.play(&[cell]);
    }
    let counts: Vec<_> = session
        .outcome()
        .expect("it is over")
        .counts
        .iter()
        .map(|count| (count.seat, count.name.as_str(), count.times, count.chances))
        .collect();
    assert_eq!(
        counts,
        [(0, "wins-taken", 0, 1), (0, "losses-blocked", 0, 0), (1, "wins-taken", 1, 1), (1, "losses-blocked", 0, 1)]
    );
}

#[test]
fn options_that_cannot_be_played_are_named() {
    let error = |options| Session::<TicTacToe>::start(2, options, 0).map(drop).expect_err("refused");
    assert!(error(r#"{"rows": 9}"#).contains("`rows`"));
    assert!(error(r#"{"in_a_row": 4}"#).contains("`in_a_row`"));
    assert!(error(r#"{"preplaced": 2.0}"#).contains("`preplaced`"));
}

#[test]
fn a_house_player_that_does_not_exist_is_an_error() {
    use ludus_game::{Game, Random};
    let session = start(SEAT_0_FIRST);
    let ask = |player| session.game().house_move(0, player, &mut Random::seeded(0));
    for player in ["perfect", "fallible:2", "fallible:x", "fallible:NaN", "optimal:1", ""] {
        assert!(ask(player).is_err(), "{player}");
    }
    assert!(ask("fallible:0.5").is_ok());
}
