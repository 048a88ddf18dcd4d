//! The game as a player meets it.

use battleship::Battleship;
use battleship::fleet::Fleet;
use battleship::options::{Notation, Options};
use battleship::sea::{Cells, Sea};
use ludus_game::testing::{Session, check_game};
use ludus_game::{Game, Random, Seat, Turn};

fn ship(names: &[&str]) -> Cells {
    names.iter().map(|name| 1 << Sea { size: 5 }.cell(name).expect("a cell")).sum()
}

fn fleet(ships: &[&[&str]]) -> Fleet {
    Fleet { ships: ships.iter().map(|names| ship(names)).collect() }
}

/// Seat 0 begins and has a ship along row 1 and one down column E; seat 1's lie along row 5 and down column A.
fn dealt(options: Options) -> Battleship {
    let fleets = [fleet(&[&["A1", "B1", "C1"], &["E4", "E5"]]), fleet(&[&["C5", "D5", "E5"], &["A1", "A2"]])];
    Battleship::dealt(options, fleets, 0)
}

/// Plays shots in turn, seat 0 first, and gives what each mover was asked before its shot.
fn shoot(game: &mut Battleship, shots: &[&str]) -> Vec<String> {
    let mut prompts = Vec::new();
    for shot in shots {
        let Turn::Decide(seats) = game.turn() else { panic!("it is over before {shot}") };
        prompts.push(game.prompt(seats[0]));
        let cell = game.parse(seats[0], shot).expect("a legal shot");
        game.play(vec![(seats[0], cell)], &mut Random::seeded(0));
    }
    prompts
}

fn scores(game: &Battleship) -> Vec<f64> {
    let Turn::Over(outcome) = game.turn() else { panic!("it is not over") };
    outcome.scores
}

#[test]
fn every_shape_keeps_every_promise() {
    check_game::<Battleship>(2, "{}", 200);
    check_game::<Battleship>(2, r#"{"size": 4, "ships": [1, 1, 2], "shots": 3, "notation": "grid"}"#, 200);
    check_game::<Battleship>(2, r#"{"size": 10, "ships": [5, 4, 3, 3, 2]}"#, 10);
}

#[test]
fn prompts_tell_the_rules_once_then_the_news_and_what_is_known() {
    let mut game = dealt(Options::default());
    let prompts = shoot(&mut game, &["C3", "A1", "A2", "E5", "A1", "E4"]);
    assert_eq!(
        prompts[0],
        "Battleship on 5 by 5 cells: columns A to E, rows 1 to 5. Each player has hidden ships of 3 and 2 cells in straight \
         lines. You shoot in turn. Who first sinks all ships of the other wins. Answer with a cell, such as B3.\n\
         Your ships: A1 B1 C1 E4 E5\nHit: none\nSunk: none\nMissed: none\nShips left: 3 2\nWhere do you shoot?"
    );
    assert!(prompts[1].starts_with("Battleship"));
    assert_eq!(
        prompts[2],
        "You shot C3: miss.\nThe other shot A1: hit.\nHit: none\nSunk: none\nMissed: C3\nShips left: 3 2\nWhere do you shoot?"
    );
    assert_eq!(
        game.prompt(0),
        "You shot A1: hit and sunk.\nThe other shot E4: hit and sunk.\nHit: none\nSunk: A1 A2\nMissed: C3\nShips left: 3\n\
         Where do you shoot?"
    );
}

#[test]
fn a_grid_shows_the_same_as_lists() {
    let mut game = dealt(Options { notation: Notation::Grid, ..Options::default() });
    shoot(&mut game, &["C3", "A3", "A2", "B3", "A1", "C3", "E5", "D3"]);
    assert_eq!(
        game.ask_again(0),
        "   A B C D E\n 1 s . . . .\n 2 s . . . .\n 3 . . o . .\n 4 . . . . .\n 5 . . . . x\n\
         . not shot at, x hit, s sunk, o missed\nShips left: 3\nWhere do you shoot?"
    );
}

#[test]
fn who_sinks_all_ships_first_wins_and_counts_tell_how() {
    let mut game = dealt(Options::default());
    // Seat 0: two hits in a row, a miss beside them, the next ship. Seat 1 wastes its shots, one of them after a hit.
    shoot(&mut game, &["A1", "B1", "A2", "D5", "C5", "A3", "C4", "B3", "D5", "C3", "E5"]);
    assert_eq!(scores(&game), [1.0, 0.0]);
    let Turn::Over(outcome) = game.turn() else { panic!("it is over") };
    assert_eq!(outcome.summary, "seat 0 sinks all ships with 6 shots");
    let counts: Vec<_> =
        outcome.counts.iter().map(|count| (count.seat, count.name.as_str(), count.times, count.chances)).collect();
    // Chances of seat 0: A2, C4, D5, E5, all beside a hit. Of seat 1: the four shots after B1, none beside it.
    assert_eq!(counts, [(0, "hits", 5, 6), (0, "followed-up", 4, 4), (1, "hits", 1, 5), (1, "followed-up", 0, 4)]);
}

#[test]
fn a_cap_ends_the_game_and_the_shares_that_were_hit_are_compared() {
    let options = Options { shots: 2, ..Options::default() };
    let mut game = dealt(options.clone());
    let prompts = shoot(&mut game, &["A1", "B3", "A2", "A1"]);
    assert!(prompts[0].contains("After 2 shots each, who has hit more is ahead."));
    // Two of five cells against one of five.
    assert_eq!(scores(&game), [0.5 + 0.1, 0.5 - 0.1]);

    let mut game = dealt(options);
    shoot(&mut game, &["B3", "B3", "C3", "C3"]);
    assert_eq!(scores(&game), [0.5, 0.5]);
}

#[test]
fn refused_shots_say_why_and_change_nothing() {
    let mut session = Session::<Battleship>::start(2, "{}", 4).expect("it starts");
    for cell in ["C3", "C3"] {
        session.play(&[cell]);
    }
    let seat = session.asked()[0];
    let before = (session.game_view(), session.game().ask_again(seat));
    for text in ["", "F1", "A6", "A0", "3B", "B", "33", "A1 A2", "miss", "A-1", "Ａ1", "A18446744073709551617"] {
        let rejections = session.step(&[text]);
        assert_eq!(
            rejections[0].reason, "A shot is a column from A to E and a row from 1 to 5, such as B3.",
            "{text:?}"
        );
        assert_eq!((session.game_view(), session.prompt(seat).to_owned()), before);
    }
    assert_eq!(session.step(&["c3."])[0].reason, "You have shot at C3 before: take another cell.");
    assert_eq!((session.game_view(), session.prompt(seat).to_owned()), before);
    session.play(&[" d4.\n"]);
    assert_ne!(session.game_view(), before.0);
}

/// Everything that reaches a seat, and what the house players would do there.
fn known(game: &mut Battleship, seat: Seat) -> (String, String, Option<Vec<String>>, Vec<String>) {
    let house = ["random", "hunt"].map(|player| {
        let moves = (0..20).map(|seed| game.house_move(seat, player, &mut Random::seeded(seed)).expect("a shot"));
        moves.collect::<Vec<_>>().join(" ")
    });
    (game.prompt(seat), game.view(Some(seat)), game.legal_moves(seat), house.to_vec())
}

#[test]
fn nothing_that_a_seat_sees_depends_on_where_the_others_unhit_ships_lie() {
    let mut random = Random::seeded(8);
    let mut compared = 0;
    for _ in 0..300 {
        let sea = Sea { size: 5 };
        let own = Fleet::deal(sea, &[3, 2], &mut random);
        let [one, other] = [(); 2].map(|()| Fleet::deal(sea, &[3, 2], &mut random));
        let mut games =
            [&one, &other].map(|hidden| Battleship::dealt(Options::default(), [own.clone(), hidden.clone()], 0));
        // Shots that are answered alike by both fleets: those that both miss.
        let both_miss: Vec<String> =
            (0..25).filter(|cell| (one.cells() | other.cells()) & 1 << cell == 0).map(|cell| sea.name(cell)).collect();
        for (shot, reply) in both_miss.iter().take(8).zip(["A1", "B2", "C3", "D4", "E5", "A5", "E1", "C1"]) {
            let [first, second] = &mut games;
            assert_eq!(known(first, 0), known(second, 0));
            for game in &mut games {
                shoot(game, &[shot, reply]);
            }
            compared += 1;
            if matches!(games[0].turn(), Turn::Over(_)) {
                break;
            }
        }
    }
    assert!(compared > 2_000, "{compared}");
}

#[test]
fn views_show_a_seat_its_own_ships_and_an_onlooker_both_fleets() {
    let mut game = dealt(Options::default());
    shoot(&mut game, &["A1", "A1", "B2", "B2"]);
    assert_eq!(
        game.view(Some(0)),
        "Your ships (# ship, x hit, s sunk, o missed):\n   A B C D E\n 1 x # # . .\n 2 . o . . .\n 3 . . . . .\n 4 . . . . #\n \
         5 . . . . #\nThe other's:\n   A B C D E\n 1 x . . . .\n 2 . o . . .\n 3 . . . . .\n 4 . . . . .\n 5 . . . . .\n\
         . not shot at, x hit, s sunk, o missed\nShips left: 3 2"
    );
    let onlooker = game.view(None);
    assert_eq!(onlooker.matches('#').count(), 1 + 10 - 2, "the legend and all cells but the two that were hit");
}

#[test]
fn fleets_that_cannot_be_dealt_are_named() {
    let error = |options: &str| Session::<Battleship>::start(2, options, 0).map(drop).expect_err("refused");
    assert!(error(r#"{"size": 3}"#).contains("`size`"));
    assert!(error(r#"{"shots": 0}"#).contains("`shots`"));
    for ships in ["[]", "[1,1,1,1,1,1,1]", "[0]", "[6]", "[5,5,3]"] {
        assert!(error(&format!(r#"{{"ships": {ships}}}"#)).contains("`ships`"), "{ships}");
    }
    assert!(error(r#"{"size": 4, "ships": [5]}"#).contains("ships have 1 to 4"));
}

#[test]
fn a_house_player_that_does_not_exist_is_an_error() {
    let game = dealt(Options::default());
    for player in ["optimal", "hunt:1", ""] {
        assert!(game.house_move(0, player, &mut Random::seeded(0)).is_err(), "{player}");
    }
}
