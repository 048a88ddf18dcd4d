//! Connect four, against a board of its own: lines in all directions, solved values, and how strong the house players are.

use std::collections::BTreeMap;
use std::sync::Arc;

use ludus_host::component::Component;
use ludus_host::fault::FaultKind;
use ludus_host::instance::Instance;
use ludus_host::turn::{Outcome, Setup};
use serde_json::{Value, json};

use crate::harness::{Played, deal, game, stream};

const OPEN: u8 = b'.';
const MARKS: [u8; 2] = [b'X', b'O'];

/// A board as one draws it: `columns[column][row]`, from the bottom up. No bits, no tricks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Board {
    columns: Vec<Vec<u8>>,
    rows: usize,
    in_a_row: usize,
}

impl Board {
    fn new(rows: usize, columns: usize, in_a_row: usize) -> Board {
        Board { columns: vec![vec![]; columns], rows, in_a_row }
    }

    fn at(&self, column: i32, row: i32) -> u8 {
        let stones = usize::try_from(column).ok().and_then(|column| self.columns.get(column));
        let stone = stones.and_then(|stones| stones.get(usize::try_from(row).ok()?));
        stone.copied().unwrap_or(OPEN)
    }

    fn open(&self) -> Vec<usize> {
        (0..self.columns.len()).filter(|&column| self.columns[column].len() < self.rows).collect()
    }

    fn dropped(&self, column: usize, seat: usize) -> Board {
        let mut board = self.clone();
        board.columns[column].push(MARKS[seat]);
        board
    }

    fn has_line(&self, seat: usize) -> bool {
        let (columns, rows) = (self.columns.len() as i32, self.rows as i32);
        let cells = (0..columns).flat_map(|column| (0..rows).map(move |row| (column, row)));
        cells.into_iter().any(|(column, row)| {
            [(1, 0), (0, 1), (1, 1), (1, -1)].iter().any(|(right, up)| {
                (0..self.in_a_row as i32).all(|step| self.at(column + right * step, row + up * step) == MARKS[seat])
            })
        })
    }

    /// The columns in which this seat makes a line at once.
    fn wins(&self, seat: usize) -> Vec<usize> {
        self.open().into_iter().filter(|&column| self.dropped(column, seat).has_line(seat)).collect()
    }

    /// As the game's view draws it.
    fn drawn(&self) -> String {
        let line = |cells: Vec<String>| cells.join(" ");
        let row = |row| line((0..self.columns.len()).map(|c| (self.at(c as i32, row) as char).to_string()).collect());
        let numbers = line((1..=self.columns.len()).map(|number| number.to_string()).collect());
        let rows: Vec<String> = (0..self.rows as i32).rev().map(row).chain([numbers]).collect();
        rows.join("\n")
    }

    fn options(&self) -> Value {
        json!({"rows": self.rows, "columns": self.columns.len(), "in_a_row": self.in_a_row, "first": "seat-0"})
    }
}

/// 1, 0 or -1 for the seat to move: every line of play to its end.
fn value(board: &Board, seat: usize, values: &mut BTreeMap<Board, i32>) -> i32 {
    if board.has_line(1 - seat) {
        return -1;
    }
    if let Some(&known) = values.get(board) {
        return known;
    }
    let replies = board.open().into_iter().map(|column| -value(&board.dropped(column, seat), 1 - seat, values));
    let best = replies.max().unwrap_or(0);
    values.insert(board.clone(), best);
    best
}

fn connect_four() -> Arc<Component> {
    game("connect-four")
}

/// Drops stones in turn, seat 0 first, and returns how it ended if it has.
fn drop_all(board: &Board, columns: &[usize]) -> Option<Outcome> {
    let mut played = deal(&connect_four(), 2, board.options(), 1);
    for (index, column) in columns.iter().enumerate() {
        assert!(played.outcome().is_none(), "it is over before {column}");
        played.step(&[(index as u32 % 2, &(column + 1).to_string())]);
    }
    played.outcome().cloned()
}

#[test]
fn four_in_a_line_win_in_every_direction_and_for_either_seat() {
    let board = Board::new(6, 7, 4);
    for (columns, winner) in [
        (vec![0, 0, 1, 1, 2, 2, 3], 0),
        (vec![6, 3, 6, 4, 0, 5, 6, 2], 1),
        (vec![2, 3, 2, 3, 2, 3, 2], 0),
        // Rising to the right, then to the left.
        (vec![0, 1, 1, 2, 2, 3, 2, 3, 3, 6, 3], 0),
        (vec![6, 5, 5, 4, 4, 3, 4, 3, 3, 0, 3], 0),
    ] {
        let outcome = drop_all(&board, &columns).expect("a win");
        assert_eq!(outcome.scores[winner], 1.0, "{columns:?}");
        assert_eq!(outcome.scores[1 - winner], 0.0);
        let last = columns.last().expect("a column") + 1;
        let mark = ["X", "O"][winner];
        assert_eq!(outcome.summary, format!("{mark} wins with a stone in column {last}"));
    }
}

#[test]
fn three_are_no_four_and_the_top_of_a_column_is_not_beside_the_bottom_of_the_next() {
    let board = Board::new(6, 7, 4);
    assert_eq!(drop_all(&board, &[0, 0, 1, 1, 2, 2]), None);
    // X has the upper two of the first column and the lower two of the second.
    assert_eq!(drop_all(&board, &[1, 0, 1, 0, 0, 0, 0, 6, 0]), None);
}

#[test]
fn games_of_every_shape_end_exactly_when_a_plain_board_says_so() {
    let mut draws = 0;
    for (rows, columns, in_a_row) in
        [(6, 7, 4), (3, 3, 3), (4, 4, 3), (4, 4, 4), (7, 8, 5), (7, 3, 4), (3, 8, 4), (5, 6, 4), (7, 7, 3), (3, 5, 5)]
    {
        for seed in 0..12 {
            let mut board = Board::new(rows, columns, in_a_row);
            let mut played = deal(&connect_four(), 2, board.options(), seed);
            for turn in 0.. {
                let seat = turn % 2;
                assert_eq!(played.instance.view(None).expect("a view"), board.drawn());
                let legal: Vec<String> = board.open().iter().map(|column| (column + 1).to_string()).collect();
                assert_eq!(played.instance.legal_moves(seat as u32), Ok(Some(legal)));
                let made = played.house(seat as u32, "random");
                played.step(&[(seat as u32, &made)]);
                board = board.dropped(made.parse::<usize>().expect("a column") - 1, seat);
                let won = board.has_line(seat);
                let scores = played.outcome().map(|outcome| outcome.scores.clone());
                if won || board.open().is_empty() {
                    let mut expected = [0.5; 2];
                    if won {
                        expected = [0.0; 2];
                        expected[seat] = 1.0;
                    }
                    assert_eq!(scores, Some(expected.to_vec()), "\n{}", board.drawn());
                    draws += i32::from(!won);
                    break;
                }
                assert_eq!(scores, None, "\n{}", board.drawn());
            }
        }
    }
    assert!(draws > 0, "some boards fill up");
}

#[test]
fn search_to_the_end_keeps_the_value_of_every_position_on_small_boards() {
    // The last number: with so many free cells the search sees the end within its bounds.
    for (rows, columns, in_a_row, games, exact_cells) in
        [(3, 3, 3, 20, 9), (4, 4, 3, 30, 16), (3, 5, 4, 20, 15), (4, 4, 4, 20, 16), (5, 4, 4, 20, 14)]
    {
        let start = Board::new(rows, columns, in_a_row);
        let mut values = BTreeMap::new();
        let mut checked = [0; 3];
        for seed in 0..games {
            let mut board = start.clone();
            let mut played = deal(&connect_four(), 2, board.options(), seed);
            let mut seat = 0;
            while played.outcome().is_none() {
                let free = rows * columns - board.columns.iter().map(Vec::len).sum::<usize>();
                let mut made = played.house(seat as u32, "random");
                if free <= exact_cells {
                    let worth = value(&board, seat, &mut values);
                    let best = played.house(seat as u32, "search:56");
                    let after = board.dropped(best.parse::<usize>().expect("a column") - 1, seat);
                    assert_eq!(-value(&after, 1 - seat, &mut values), worth, "{best} in\n{}", board.drawn());
                    checked[(worth + 1) as usize] += 1;
                    // Two thirds of the moves at random, so that all kinds of positions come up.
                    if (seed + free as u64).is_multiple_of(3) {
                        made = best;
                    }
                }
                played.step(&[(seat as u32, &made)]);
                board = board.dropped(made.parse::<usize>().expect("a column") - 1, seat);
                seat = 1 - seat;
            }
        }
        assert!(checked.iter().sum::<u64>() > 2 * games && checked[2] > 0, "{checked:?}");
    }
}

#[test]
fn perfect_play_draws_four_in_a_row_on_four_by_four_and_wins_three_in_a_row_for_the_first() {
    assert_eq!(value(&Board::new(4, 4, 4), 0, &mut BTreeMap::new()), 0);
    assert_eq!(value(&Board::new(4, 4, 3), 0, &mut BTreeMap::new()), 1);
    for seed in 0..4 {
        let drawn = deal(&connect_four(), 2, Board::new(4, 4, 4).options(), seed).play_out(&["search:56", "search:56"]);
        assert_eq!((drawn.scores.as_slice(), drawn.summary.as_str()), ([0.5; 2].as_slice(), "a draw"));
        let won = deal(&connect_four(), 2, Board::new(4, 4, 3).options(), seed).play_out(&["search:56", "search:56"]);
        assert_eq!(won.scores, [1.0, 0.0]);
    }
}

#[test]
fn search_prefers_the_quickest_win_and_delays_a_loss() {
    // X: columns 3 and 4 at the bottom with both sides open: column 2 or 5 wins in two moves, and O must stop it first.
    let board = Board::new(6, 7, 4);
    let mut played = deal(&connect_four(), 2, board.options(), 3);
    for (seat, column) in [(0, "3"), (1, "3"), (0, "4")] {
        played.step(&[(seat, column)]);
    }
    let blocks = played.house(1, "search:4");
    assert!(["2", "5"].contains(&blocks.as_str()), "{blocks}");
    played.step(&[(1, "7")]);
    let doubles = played.house(0, "search:4");
    assert!(["2", "5"].contains(&doubles.as_str()), "{doubles}");
}

/// The mean score of the first player over games in which each begins half of the time.
fn mean_score(players: [&str; 2], games: u64) -> f64 {
    let component = connect_four();
    let scores = (0..games).map(|seed| {
        let first = if seed % 2 == 0 { "seat-0" } else { "seat-1" };
        deal(&component, 2, json!({"first": first}), seed).play_out(&players).scores[0]
    });
    scores.sum::<f64>() / games as f64
}

#[test]
fn greedy_beats_random_and_search_beats_both() {
    let level = mean_score(["random", "random"], 200);
    assert!((0.38..0.62).contains(&level), "{level}");
    for (players, games, least) in [
        (["greedy", "random"], 200, 0.8),
        (["search", "random"], 100, 0.97),
        (["search", "greedy"], 100, 0.8),
        (["search:6", "search:2"], 40, 0.6),
    ] {
        let mean = mean_score(players, games);
        assert!(mean >= least, "{players:?}: {mean}");
    }
}

#[test]
fn the_counts_are_those_of_a_plain_board_and_greedy_misses_no_chance() {
    let component = connect_four();
    let mut missed = 0;
    for seed in 0..60 {
        let mut board = Board::new(6, 7, 4);
        let mut played = deal(&component, 2, board.options(), seed);
        // Times and chances of wins and of blocks, for each seat.
        let mut expected = [[(0, 0); 2]; 2];
        for turn in 0.. {
            let seat = turn % 2;
            let made = played.house(seat as u32, ["greedy", "random"][seat]);
            let column = made.parse::<usize>().expect("a column") - 1;
            let (wins, threats) = (board.wins(seat), board.wins(1 - seat));
            let kind = usize::from(wins.is_empty());
            let useful = if wins.is_empty() { threats } else { wins };
            expected[seat][kind].0 += u32::from(useful.contains(&column));
            expected[seat][kind].1 += u32::from(!useful.is_empty());
            played.step(&[(seat as u32, &made)]);
            board = board.dropped(column, seat);
            if let Some(outcome) = played.outcome() {
                let counts: Vec<(u32, &str, u32, u32)> = outcome
                    .counts
                    .iter()
                    .map(|count| (count.seat, count.name.as_str(), count.times, count.chances))
                    .collect();
                let of_seat = |seat: usize| {
                    let [wins, blocks] = expected[seat];
                    let seat = seat as u32;
                    [(seat, "wins-taken", wins.0, wins.1), (seat, "losses-blocked", blocks.0, blocks.1)]
                };
                assert_eq!(counts, [of_seat(0), of_seat(1)].concat());
                break;
            }
        }
        for (times, chances) in expected[0] {
            assert_eq!(times, chances, "greedy takes every win and blocks wherever it can");
        }
        missed += expected[1].iter().map(|(times, chances)| chances - times).sum::<u32>();
    }
    assert!(missed > 0, "random misses some");
}

#[test]
fn the_deepest_search_stays_far_below_the_fuel_of_a_call() {
    for (rows, columns, in_a_row) in [(6, 7, 4), (7, 8, 5), (7, 8, 3), (7, 8, 4)] {
        let board = Board::new(rows, columns, in_a_row);
        let mut played = deal(&connect_four(), 2, board.options(), 5);
        let mut seat = 0;
        while played.outcome().is_none() {
            let before = played.instance.fuel_spent();
            let made = played.house(seat, "search:56");
            let spent = played.instance.fuel_spent() - before;
            assert!(spent < 400_000_000, "{spent} on {rows} rows, {columns} columns");
            played.step(&[(seat, &made)]);
            seat = 1 - seat;
        }
    }
}

fn refused(played: &mut Played, seat: u32, text: &str, reason: &str) {
    let view = played.instance.view(None);
    let progress = played.step(&[(seat, text)]);
    let reasons: Vec<(u32, &str)> =
        progress.rejections.iter().map(|rejection| (rejection.seat, rejection.reason.as_str())).collect();
    assert_eq!(reasons, [(seat, reason)], "{text:?}");
    assert_eq!(played.instance.view(None), view, "nothing has changed");
    assert_eq!(played.instance.asked(), [seat]);
}

#[test]
fn what_is_no_open_column_is_refused_and_changes_nothing() {
    let board = Board::new(3, 4, 3);
    let mut played = deal(&connect_four(), 2, board.options(), 1);
    for text in ["0", "5", "", "one", "1 2", "-1", "+1", "1.5", "4294967297", "1\0", "\u{661}", &"9".repeat(60_000)] {
        refused(&mut played, 0, text, "A move is one number from 1 to 4.");
        assert_eq!(played.requests()[0].prompt, "Open columns: 1 2 3 4");
    }
    for (seat, text) in [(0, " 2.\n"), (1, "02"), (0, "2")] {
        assert!(played.step(&[(seat, text)]).rejections.is_empty(), "{text:?}");
    }
    refused(&mut played, 1, "2", "Column 2 is full.");
    assert_eq!(played.requests()[0].prompt, "Open columns: 1 3 4");
    assert_eq!(played.instance.legal_moves(1), Ok(Some(vec!["1".into(), "3".into(), "4".into()])));
}

#[test]
fn a_prompt_has_the_rules_once_then_the_last_move_and_the_board() {
    let mut played = deal(&connect_four(), 2, Board::new(3, 3, 3).options(), 1);
    let rules = |mark| {
        format!(
            "Two players in turn drop a stone into a column; it falls to the lowest free cell. Three in a line win: side by \
             side, upright or diagonal. You are {mark}. Answer with the number of a column.\n"
        )
    };
    assert_eq!(played.requests()[0].prompt, format!("{}. . .\n. . .\n. . .\n1 2 3\nOpen columns: 1 2 3", rules("X")));
    played.step(&[(0, "2")]);
    let second = format!("{}X plays 2.\n. . .\n. . .\n. X .\n1 2 3\nOpen columns: 1 2 3", rules("O"));
    assert_eq!(played.requests()[0].prompt, second);
    played.step(&[(1, "2")]);
    assert_eq!(played.requests()[0].prompt, "O plays 2.\n. . .\n. O .\n. X .\n1 2 3\nOpen columns: 1 2 3");
    assert_eq!(played.instance.view(Some(1)).expect("a view"), ". . .\n. O .\n. X .\n1 2 3\nYou are O.");
}

#[test]
fn options_that_fit_no_board_and_players_that_do_not_exist_are_named() {
    let component = connect_four();
    for (options, reason) in [
        (json!({"rows": 3, "columns": 4, "in_a_row": 5}), "`in_a_row` of 5 does not fit on 3 rows and 4 columns."),
        (json!({"rows": 4.0}), "`rows` must be a whole number, not 4.0."),
    ] {
        let setup = Setup { seats: 2, options: component.check_options(&options).expect("the schema allows it") };
        let fault = Instance::start(&component, &setup, stream(1, 0)).map(|_| ()).expect_err("refused");
        assert_eq!(fault.kind, FaultKind::SetupRefused);
        assert!(fault.detail.contains(reason), "{}", fault.detail);
    }
    for options in
        [json!({"rows": 8}), json!({"columns": 9}), json!({"in_a_row": 2}), json!({"first": "me"}), json!({"x": 1})]
    {
        assert!(component.check_options(&options).is_err(), "{options}");
    }
    for (player, reason) in [
        ("best", "There is no house player `best`; take `random`, `greedy` or `search:4`."),
        ("search:0", "`search:0` needs a depth from 1 to 56, like `search:4`."),
        ("search:57", "needs a depth from 1 to 56"),
        ("search:", "needs a depth from 1 to 56"),
        ("searching", "There is no house player `searching`"),
        ("random:1", "There is no house player `random:1`"),
    ] {
        let mut played = deal(&component, 2, json!({"first": "seat-0"}), 1);
        let fault = played.instance.house_move(0, player, stream(1, 1)).expect_err("refused");
        assert_eq!(fault.kind, FaultKind::BadHousePlayer);
        assert!(fault.detail.contains(reason), "{}", fault.detail);
    }
}

#[test]
fn who_moves_first_is_drawn_unless_an_option_says() {
    let component = connect_four();
    let first = |options: Value, seed| deal(&component, 2, options, seed).requests()[0].seat;
    let drawn: u32 = (0..200).map(|seed| first(json!({}), seed)).sum();
    assert!((70..130).contains(&drawn), "{drawn}");
    assert!(
        (0..20)
            .all(|seed| first(json!({"first": "seat-0"}), seed) == 0 && first(json!({"first": "seat-1"}), seed) == 1)
    );
}

#[test]
fn a_game_that_prints_nothing_imports_nothing_but_randomness() {
    let bytes = std::fs::read(connect_four_file()).expect("the component");
    assert!(bytes.len() < 100_000, "{} bytes", bytes.len());
    let wasi = b"wasi";
    assert!(!bytes.windows(wasi.len()).any(|window| window == wasi));
}

/// The file that the harness built.
fn connect_four_file() -> std::path::PathBuf {
    connect_four();
    std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../games-wasm/built/connect-four.wasm")
}
