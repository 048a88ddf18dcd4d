//! `optimal` against outside truth: the known size of tic-tac-toe, and its value by plain minimax.

use std::collections::{BTreeMap, BTreeSet};

use ludus_game::Random;
use ludus_game::testing::Session;
use tictactoe::TicTacToe;
use tictactoe::board::{Board, Cells, cell_set};
use tictactoe::house;
use tictactoe::search::best_moves;

/// The stones of the side to move, and of the other.
type Position = (Cells, Cells);

fn board() -> Board {
    Board::new(3, 3, 3).expect("a board")
}

fn moves(board: &Board, (own, other): Position) -> Vec<Cells> {
    cell_set(board.free(own, other)).map(|cell| 1 << cell).collect()
}

/// 1, 0, -1 for the side to move where the game is over.
fn ended(board: &Board, (own, other): Position) -> Option<i32> {
    if board.full_line(other).is_some() {
        return Some(-1);
    }
    (board.free(own, other) == 0).then_some(0)
}

/// Plain minimax over all positions, no pruning: the value for the side to move.
fn value(board: &Board, position: Position, values: &mut BTreeMap<Position, i32>) -> i32 {
    if let Some(value) = values.get(&position) {
        return *value;
    }
    let (own, other) = position;
    let found = ended(board, position).unwrap_or_else(|| {
        let replies = moves(board, position).into_iter().map(|cell| -value(board, (other, own | cell), values));
        replies.max().expect("a move")
    });
    values.insert(position, found);
    found
}

#[test]
fn there_are_255168_games_and_5478_positions() {
    fn games(board: &Board, position: Position, seen: &mut BTreeSet<Position>) -> u32 {
        seen.insert(position);
        if ended(board, position).is_some() {
            return 1;
        }
        let (own, other) = position;
        moves(board, position).into_iter().map(|cell| games(board, (other, own | cell), seen)).sum()
    }
    let mut seen = BTreeSet::new();
    assert_eq!(games(&board(), (0, 0), &mut seen), 255_168);
    assert_eq!(seen.len(), 5_478);
}

#[test]
fn optimal_keeps_the_value_of_every_position_that_can_arise() {
    let board = board();
    // Pre-placed stones are among them: one stone each is a position after two moves.
    let mut values = BTreeMap::new();
    value(&board, (0, 0), &mut values);
    let mut checked = 0;
    for (&(own, other), &value) in values.iter().filter(|(position, _)| ended(&board, **position).is_none()) {
        let best = best_moves(&board, own, other);
        assert!(best != 0 && best & !board.free(own, other) == 0);
        for cell in cell_set(best) {
            assert_eq!(-values[&(other, own | 1 << cell)], value, "{own:b} {other:b} {cell}");
        }
        checked += 1;
    }
    // 5,478 positions less the 958 that are over.
    assert_eq!(checked, 4_520);
}

#[test]
fn optimal_never_loses_in_either_seat_whatever_the_other_plays() {
    fn loses(
        board: &Board,
        (own, other): Position,
        optimal_moves: bool,
        seen: &mut BTreeSet<(Position, bool)>,
    ) -> bool {
        if !seen.insert(((own, other), optimal_moves)) {
            return false;
        }
        if let Some(value) = ended(board, (own, other)) {
            return if optimal_moves { value < 0 } else { value > 0 };
        }
        let cells = if optimal_moves { best_moves(board, own, other) } else { board.free(own, other) };
        cell_set(cells).any(|cell| loses(board, (other, own | 1 << cell), !optimal_moves, seen))
    }
    for optimal_first in [true, false] {
        let mut seen = BTreeSet::new();
        assert!(!loses(&board(), (0, 0), optimal_first, &mut seen));
        assert!(seen.len() > 300, "a whole tree was walked: {}", seen.len());
    }
}

/// Plain minimax that counts moves: a win now is worth 10, each move later one less.
fn urgency(board: &Board, (own, other): Position) -> i32 {
    match ended(board, (own, other)) {
        Some(value) => 10 * value,
        None => {
            let replies = moves(board, (own, other)).into_iter();
            let best = replies.map(|cell| -urgency(board, (other, own | cell))).max().expect("a move");
            best - best.signum()
        }
    }
}

#[test]
fn optimal_has_all_quickest_wins_and_all_drawing_moves_to_choose_from() {
    let board = board();
    let mut values = BTreeMap::new();
    value(&board, (0, 0), &mut values);
    let held = values.iter().filter(|(_, value)| **value >= 0);
    for (&(own, other), _) in held.filter(|(position, _)| ended(&board, **position).is_none()) {
        let after = |cell: &Cells| -urgency(&board, (other, own | *cell));
        let cells = moves(&board, (own, other));
        let best = cells.iter().map(after).max().expect("a move");
        let expected = cells.iter().filter(|cell| after(cell) == best).sum::<Cells>();
        assert_eq!(best_moves(&board, own, other), expected, "{own:b} {other:b}");
    }
}

#[test]
fn optimal_blocks_a_threat_even_where_another_one_wins() {
    // The other holds 1, 3 and 9 and threatens 2, 5 and 6; the own 4 and 8 threaten nothing at once.
    assert_eq!(best_moves(&board(), 1 << 3 | 1 << 7, 0b1_0000_0101), 0b0_0011_0010);
}

#[test]
fn optimal_wins_at_once_where_it_can() {
    let board = board();
    // 1 and 2 are mine, 4 and 5 the other's: 3 wins now, and nothing else is as good.
    assert_eq!(best_moves(&board, 0b11, 0b11000), 0b100);
}

#[test]
fn random_against_random_wins_as_often_as_enumeration_says() {
    // The exact probability that the first mover wins, both moving uniformly at random: 737 / 1260.
    fn wins(board: &Board, position: Position, first_to_move: bool) -> f64 {
        if let Some(value) = ended(board, position) {
            return f64::from(u8::from(value < 0 && !first_to_move));
        }
        let (own, other) = position;
        let moves = moves(board, position);
        moves.iter().map(|cell| wins(board, (other, own | cell), !first_to_move)).sum::<f64>() / moves.len() as f64
    }
    assert!((wins(&board(), (0, 0), true) - 737.0 / 1260.0).abs() < 1e-12);

    let mut won = 0;
    for seed in 0..4_000 {
        let session = Session::<TicTacToe>::start(2, r#"{"first": "seat-0"}"#, seed).expect("it starts");
        let outcome = session.play_out(|session, seat| session.house(seat, "random"));
        won += u32::from(outcome.scores[0] == 1.0);
    }
    // 2,339.7 on average, standard deviation 31.2.
    assert!(won.abs_diff(2_340) < 187, "{won}");
}

#[test]
fn fallible_errs_as_often_as_its_argument_says() {
    let board = board();
    let mut random = Random::seeded(5);
    // One winning cell of five free ones: a random move misses it in 4 of 5.
    let (own, other) = (0b11, 0b11000);
    let missed =
        (0..10_000).filter(|_| house::choose(&board, own, other, "fallible:0.5", &mut random) != Ok(2)).count();
    // 0.5 x 0.8 of 10,000; six standard deviations.
    assert!(missed.abs_diff(4_000) < 294, "{missed}");
    assert!((0..100).all(|_| house::choose(&board, own, other, "fallible:0", &mut random) == Ok(2)));
}

#[test]
fn optimal_wins_three_in_a_row_on_four_by_four_and_holds_four() {
    let play = |options: &str, seed, optimal: u32, other: &'static str| {
        let session = Session::<TicTacToe>::start(2, options, seed).expect("it starts");
        session.play_out(|session, seat| session.house(seat, if seat == optimal { "optimal" } else { other })).scores
            [optimal as usize]
    };
    let three = r#"{"rows": 4, "columns": 4, "in_a_row": 3, "first": "seat-0"}"#;
    let four = r#"{"rows": 4, "columns": 4, "in_a_row": 4, "first": "seat-1"}"#;
    for seed in 0..5 {
        assert_eq!(play(three, seed, 0, "optimal"), 1.0, "the first to move wins");
        assert_eq!(play(four, seed, 0, "optimal"), 0.5, "a draw");
        assert_eq!(play(three, seed, 0, "random"), 1.0);
        assert!(play(four, seed, 0, "random") >= 0.5);
    }
}
