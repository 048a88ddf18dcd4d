//! Nim, against brute force: who wins is found by playing every small position to its end, in both ways to play.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ludus_host::component::Component;
use ludus_host::fault::FaultKind;
use serde_json::{Value, json};

use crate::harness::{Played, deal, game, stream};

/// Whether the side to move wins, by trying everything.
#[derive(Default)]
struct Solver {
    misere: bool,
    known: BTreeMap<Vec<u32>, bool>,
}

impl Solver {
    fn is_won(&mut self, heaps: &[u32]) -> bool {
        if let Some(&known) = self.known.get(heaps) {
            return known;
        }
        let moves = takes(heaps);
        // Nothing is left: the other took the last stone.
        let won =
            if moves.is_empty() { self.misere } else { moves.iter().any(|take| !self.is_won(&after(heaps, *take))) };
        self.known.insert(heaps.to_vec(), won);
        won
    }
}

/// Every heap, counted from 1, and number of stones that may be taken.
fn takes(heaps: &[u32]) -> Vec<(usize, u32)> {
    let of_heap = |(index, &stones): (usize, &u32)| (1..=stones).map(move |taken| (index + 1, taken));
    heaps.iter().enumerate().flat_map(of_heap).collect()
}

fn after(heaps: &[u32], (heap, taken): (usize, u32)) -> Vec<u32> {
    let mut heaps = heaps.to_vec();
    heaps[heap - 1] -= taken;
    heaps
}

fn read(text: &str) -> (usize, u32) {
    let (heap, taken) = text.split_once(' ').expect("two numbers");
    (heap.parse().expect("a heap"), taken.parse().expect("stones"))
}

/// All positions of one to `count` heaps of one to `largest` stones.
fn positions(count: usize, largest: u32) -> Vec<Vec<u32>> {
    let mut all: Vec<Vec<u32>> = vec![vec![]];
    let mut longest = all.clone();
    for _ in 0..count {
        longest =
            longest.iter().flat_map(|heaps| (1..=largest).map(|heap| [heaps.as_slice(), &[heap]].concat())).collect();
        all.extend(longest.clone());
    }
    all.retain(|heaps| !heaps.is_empty());
    all
}

fn nim() -> Arc<Component> {
    game("nim")
}

fn dealt(heaps: &[u32], misere: bool, seed: u64) -> Played {
    deal(&nim(), 2, json!({"heaps": heaps, "misere": misere, "first": "seat-0"}), seed)
}

#[test]
fn brute_force_agrees_with_the_nim_sum_on_all_small_positions() {
    let (mut normal, mut misere) = (Solver::default(), Solver { misere: true, ..Solver::default() });
    let small = positions(4, 5);
    assert_eq!(small.len(), 5 + 25 + 125 + 625);
    for heaps in small {
        let sum = heaps.iter().fold(0, |sum, heap| sum ^ heap);
        assert_eq!(normal.is_won(&heaps), sum != 0, "{heaps:?}");
        let only_single_stones = heaps.iter().all(|&heap| heap == 1);
        assert_eq!(misere.is_won(&heaps), (sum != 0) != only_single_stones, "{heaps:?}");
    }
}

#[test]
fn optimal_wins_every_small_position_that_brute_force_calls_won() {
    for misere in [false, true] {
        let mut solver = Solver { misere, ..Solver::default() };
        for heaps in positions(3, 5) {
            let won = solver.is_won(&heaps);
            let mut played = dealt(&heaps, misere, 7);
            let legal: Vec<(usize, u32)> = played
                .instance
                .legal_moves(0)
                .expect("legal moves")
                .expect("a list")
                .iter()
                .map(|text| read(text))
                .collect();
            assert_eq!(legal, takes(&heaps));
            let made = read(&played.house(0, "optimal"));
            assert!(legal.contains(&made));
            assert_eq!(!solver.is_won(&after(&heaps, made)), won, "{made:?} in {heaps:?}, misère: {misere}");

            let outcome = played.play_out(&["optimal", "optimal"]);
            assert_eq!(outcome.scores[0] == 1.0, won, "{heaps:?}, misère: {misere}");
            assert_eq!(outcome.scores.iter().sum::<f64>(), 1.0);
            for count in &outcome.counts {
                assert_eq!((count.name.as_str(), count.times), ("winning-moves", count.chances));
            }
            assert_eq!(outcome.counts[0].chances > 0, won);
            assert_eq!(outcome.counts[1].chances > 0, !won && heaps != [1]);
        }
    }
}

#[test]
fn optimal_finds_all_winning_moves_and_random_all_moves() {
    let mut solver = Solver::default();
    let heaps = [5, 5, 5, 3];
    let winning: BTreeSet<(usize, u32)> =
        takes(&heaps).into_iter().filter(|take| !solver.is_won(&after(&heaps, *take))).collect();
    assert!(winning.len() > 1);
    let mut played = dealt(&heaps, false, 1);
    let mut drawn = |player| -> BTreeSet<(usize, u32)> {
        (0..400).map(|call| read(&played.instance.house_move(0, player, stream(1, call)).expect("a move"))).collect()
    };
    assert_eq!(drawn("optimal"), winning);
    assert_eq!(drawn("random"), takes(&heaps).into_iter().collect());
}

#[test]
fn the_count_is_of_moves_that_win_by_brute_force() {
    for misere in [false, true] {
        let mut solver = Solver { misere, ..Solver::default() };
        let mut missed = 0;
        for seed in 0..100 {
            let mut heaps = vec![3, 4, 5];
            let mut played = dealt(&heaps, misere, seed);
            let mut expected = [(0, 0); 2];
            for turn in 0.. {
                let seat = turn % 2;
                let made = played.house(seat as u32, "random");
                let next = after(&heaps, read(&made));
                let won = solver.is_won(&heaps);
                expected[seat].0 += u32::from(won && !solver.is_won(&next));
                expected[seat].1 += u32::from(won);
                heaps = next;
                played.step(&[(seat as u32, &made)]);
                if let Some(outcome) = played.outcome() {
                    let counts: Vec<(u32, u32)> =
                        outcome.counts.iter().map(|count| (count.times, count.chances)).collect();
                    assert_eq!(counts, expected);
                    let winner = if misere { 1 - seat } else { seat };
                    assert_eq!(outcome.scores[winner], 1.0);
                    let result = if misere { "loses" } else { "wins" };
                    assert_eq!(outcome.summary, format!("seat {seat} takes the last stone and {result}"));
                    break;
                }
            }
            assert!(heaps.iter().all(|&heap| heap == 0), "it ends with the last stone");
            missed += expected.iter().map(|(times, chances)| chances - times).sum::<u32>();
        }
        assert!(missed > 100, "random misses many: {missed}");
    }
}

#[test]
fn optimal_beats_random_nearly_always() {
    for options in [json!({}), json!({"misere": true}), json!({"heap_count": 4, "heap_max": 12})] {
        let wins: f64 = (0..200)
            .map(|seed| deal(&nim(), 2, options.clone(), seed).play_out(&["optimal", "random"]).scores[0])
            .sum();
        assert!(wins >= 185.0, "{options}: {wins} of 200");
    }
}

#[test]
fn what_is_no_legal_move_is_refused_and_changes_nothing() {
    let mut played = dealt(&[2, 3], false, 1);
    let form = "A move is two numbers, the heap and how many stones, such as 2 1.";
    let asked = "Heap 1: 2\nHeap 2: 3\nWhich heap, and how many stones?";
    let long = "1 ".repeat(30_000);
    for (text, reason) in [
        ("", form),
        ("1", form),
        ("1 2 3", form),
        ("one two", form),
        ("-1 2", form),
        ("1,2", form),
        ("+1 +1", form),
        ("1 99999999999", form),
        ("1\u{a0}1", form),
        (long.as_str(), form),
        ("0 1", "Heaps are numbered from 1 to 2."),
        ("3 1", "Heaps are numbered from 1 to 2."),
        ("1 0", "From heap 1 one takes 1 to 2."),
        ("1 3", "From heap 1 one takes 1 to 2."),
    ] {
        refused(&mut played, 0, text, reason);
        assert_eq!(played.requests()[0].prompt, asked);
    }
    assert!(played.step(&[(0, "  1\t2.\n")]).rejections.is_empty());
    refused(&mut played, 1, "1 1", "Heap 1 is empty.");
    assert_eq!(played.instance.view(Some(1)).expect("a view"), "Heap 1: 0\nHeap 2: 3");
}

fn refused(played: &mut Played, seat: u32, text: &str, reason: &str) {
    let (view, legal) = (played.instance.view(None), played.instance.legal_moves(seat));
    let progress = played.step(&[(seat, text)]);
    let reasons: Vec<(u32, &str)> =
        progress.rejections.iter().map(|rejection| (rejection.seat, rejection.reason.as_str())).collect();
    assert_eq!(reasons, [(seat, reason)]);
    assert_eq!((played.instance.view(None), played.instance.legal_moves(seat)), (view, legal), "nothing has changed");
}

#[test]
fn a_prompt_has_the_rules_once_then_the_last_move_and_the_heaps() {
    for (misere, result) in [(false, "wins"), (true, "loses")] {
        let rules = format!(
            "Two players in turn take stones from one heap, at least one. Whoever takes the last stone of all {result}. Answer \
             with two numbers, the heap and how many stones: 2 1 takes 1 stone from heap 2.\n"
        );
        let mut played = dealt(&[2, 3], misere, 1);
        assert_eq!(
            played.requests()[0].prompt,
            format!("{rules}Heap 1: 2\nHeap 2: 3\nWhich heap, and how many stones?")
        );
        played.step(&[(0, "2 2")]);
        assert_eq!(
            played.requests()[0].prompt,
            format!("{rules}The other takes 2 from heap 2.\nHeap 1: 2\nHeap 2: 1\nWhich heap, and how many stones?")
        );
        played.step(&[(1, "1 1")]);
        assert_eq!(
            played.requests()[0].prompt,
            "The other takes 1 from heap 1.\nHeap 1: 1\nHeap 2: 1\nWhich heap, and how many stones?"
        );
    }
}

#[test]
fn heaps_are_drawn_evenly_within_their_bounds_and_by_the_seed_alone() {
    let component = nim();
    let heaps = |options: Value, seed| -> Vec<u32> {
        let view = deal(&component, 2, options, seed).instance.view(None).expect("a view");
        view.lines().map(|line| line.split_once(": ").expect("a heap").1.parse().expect("stones")).collect()
    };
    let mut seen = [0; 7];
    for seed in 0..700 {
        let drawn = heaps(json!({}), seed);
        assert_eq!(drawn.len(), 3);
        assert_eq!(drawn, heaps(json!({}), seed));
        drawn.iter().for_each(|&stones| seen[stones as usize - 1] += 1);
    }
    // 300 each; six standard deviations are 96.
    assert!(seen.iter().all(|&count: &i32| (count - 300).abs() < 96), "{seen:?}");
    assert_eq!(heaps(json!({"heap_count": 8, "heap_max": 1}), 1), [1; 8]);
    assert_eq!(heaps(json!({"heaps": [30, 1]}), 1), [30, 1]);
    for wrong in [json!({"heaps": [0]}), json!({"heaps": [31]}), json!({"heaps": vec![1; 9]}), json!({"heap_count": 0})]
    {
        assert!(component.check_options(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_house_player_that_does_not_exist_is_named() {
    let mut played = dealt(&[3], false, 1);
    let fault = played.instance.house_move(0, "perfect", stream(1, 1)).expect_err("refused");
    assert_eq!(fault.kind, FaultKind::BadHousePlayer);
    assert!(
        fault.detail.contains("There is no house player `perfect`; take `random` or `optimal`."),
        "{}",
        fault.detail
    );
}
