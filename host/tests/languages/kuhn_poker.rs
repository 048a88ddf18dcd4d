//! `kuhn-poker`: what Kuhn proved of his game in 1950 holds of ours.

use std::collections::BTreeMap;

use serde_json::json;

use crate::harness::{Played, deal, game, stream};

/// Situations with a decision, as the moves before it: the first player's, then the second's.
const FIRST: [&[&str]; 2] = [&[], &["check", "bet"]];
const SECOND: [&[&str]; 2] = [&["check"], &["bet"]];

/// The probability of a bet or call, by situation and card.
type Strategy = [[f64; 3]; 2];

/// Kuhn's equilibria of the first player: one for each alpha from 0 to 1/3.
fn first_equilibrium(alpha: f64) -> Strategy {
    [[alpha, 0.0, 3.0 * alpha], [0.0, alpha + 1.0 / 3.0, 1.0]]
}

/// The one equilibrium of the second player.
const SECOND_EQUILIBRIUM: Strategy = [[1.0 / 3.0, 0.0, 1.0], [0.0, 1.0 / 3.0, 1.0]];

/// What the first player wins on average, in chips a hand.
fn value(first: &Strategy, second: &Strategy) -> f64 {
    let mut sum = 0.0;
    for [own, other] in [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]] {
        let showdown = if own > other { 1.0 } else { -1.0 };
        let called = |call: f64, folded: f64| call * 2.0 * showdown + (1.0 - call) * folded;
        let bet = called(second[1][other], 1.0);
        let check = second[0][other] * called(first[1][own], -1.0) + (1.0 - second[0][other]) * showdown;
        sum += first[0][own] * bet + (1.0 - first[0][own]) * check;
    }
    sum / 6.0
}

/// Every strategy without chance. One of them is a best reply to whatever the other plays.
fn pure_strategies() -> impl Iterator<Item = Strategy> {
    (0..64u32).map(|bits| {
        let choice = |index: usize| f64::from(bits >> index & 1);
        [0, 1].map(|situation| [0, 1, 2].map(|card| choice(3 * situation + card)))
    })
}

/// A hand in which seat 0 moves first and these cards are dealt, after these moves.
fn reach(cards: [u32; 2], moves: &[&str]) -> Played {
    let component = game("kuhn-poker");
    let mut played = (0..)
        .map(|seed| deal(&component, 2, json!({"first": "seat-0"}), seed))
        .find_map(|mut played| (dealt(&mut played) == cards).then_some(played))
        .expect("a deal");
    for text in moves {
        let seat = played.requests()[0].seat;
        assert!(played.step(&[(seat, text)]).rejections.is_empty());
    }
    played
}

/// The cards on the table, as an onlooker sees them.
fn dealt(played: &mut Played) -> [u32; 2] {
    let view = played.instance.view(None).unwrap();
    [0, 1].map(|seat| {
        let after = view.split_once(&format!("Seat {seat}: card ")).expect("a card").1;
        after[..1].parse().expect("a number")
    })
}

/// Checks that a house player bets and calls as often as a strategy says.
fn check_frequencies(player: &str, seat: u32, situations: [&[&str]; 2], strategy: &Strategy) {
    const CALLS: u32 = 900;
    for (moves, probabilities) in situations.iter().zip(strategy) {
        for (card, &expected) in (1..).zip(probabilities) {
            let other = if card == 3 { 1 } else { card + 1 };
            let mut played = reach(if seat == 0 { [card, other] } else { [other, card] }, moves);
            let bold = (0..CALLS)
                .filter(|&call| {
                    let chosen = played.instance.house_move(seat, player, stream(7, call)).unwrap();
                    ["bet", "call"].contains(&chosen.as_str())
                })
                .count();
            // Five standard deviations; where there is no chance, none.
            let allowed = 5.0 * (expected * (1.0 - expected) / f64::from(CALLS)).sqrt();
            let seen = bold as f64 / f64::from(CALLS);
            assert!(
                (seen - expected).abs() <= allowed + 1e-6,
                "{player} with {card} after {moves:?}: {seen}, not {expected}"
            );
        }
    }
}

#[test]
fn equilibrium_plays_kuhns_strategies() {
    for (player, alpha) in [("equilibrium", 1.0 / 6.0), ("equilibrium:0", 0.0), ("equilibrium:0.3", 0.3)] {
        check_frequencies(player, 0, FIRST, &first_equilibrium(alpha));
        check_frequencies(player, 1, SECOND, &SECOND_EQUILIBRIUM);
    }
}

#[test]
fn equilibrium_against_itself_is_worth_minus_one_eighteenth_and_no_reply_does_better() {
    let expected = -1.0 / 18.0;
    for alpha in [0.0, 0.1, 1.0 / 6.0, 0.3, 1.0 / 3.0] {
        let first = first_equilibrium(alpha);
        assert!((value(&first, &SECOND_EQUILIBRIUM) - expected).abs() < 1e-12);
        let worst = pure_strategies().map(|reply| value(&first, &reply)).fold(f64::INFINITY, f64::min);
        assert!((worst - expected).abs() < 1e-12, "alpha {alpha}: {worst}");
    }
    let best = pure_strategies().map(|reply| value(&reply, &SECOND_EQUILIBRIUM)).fold(f64::NEG_INFINITY, f64::max);
    assert!((best - expected).abs() < 1e-12, "{best}");
}

#[test]
fn every_hand_pays_what_the_rules_say() {
    let endings: [(&[&str], bool, i32); 5] = [
        // The moves, whether the cards decide, and what the first player wins: by the cards the stake, else this.
        (&["check", "check"], true, 1),
        (&["bet", "call"], true, 2),
        (&["bet", "fold"], false, 1),
        (&["check", "bet", "call"], true, 2),
        (&["check", "bet", "fold"], false, -1),
    ];
    for cards in [[1, 2], [1, 3], [2, 1], [2, 3], [3, 1], [3, 2]] {
        for (moves, by_cards, chips) in endings {
            let played = reach(cards, moves);
            let won = if by_cards && cards[0] < cards[1] { -chips } else { chips };
            let score = f64::from(won + 2) / 4.0;
            assert_eq!(played.outcome().expect("over").scores, [score, 1.0 - score], "{cards:?} {moves:?}");
        }
    }
}

#[test]
fn a_seat_sees_its_own_card_and_nothing_of_the_other() {
    let component = game("kuhn-poker");
    let mut told: BTreeMap<(u32, u32), String> = BTreeMap::new();
    let mut others = BTreeMap::new();
    for seed in 0..60 {
        let mut played = deal(&component, 2, json!({"first": "seat-0"}), seed);
        let cards = dealt(&mut played);
        for seat in [0, 1] {
            let view = played.instance.view(Some(seat)).unwrap();
            let shown = format!("{}\n{view}", played.requests()[0].prompt);
            let own = cards[seat as usize];
            assert_eq!(told.entry((seat, own)).or_insert_with(|| shown.clone()), &shown);
            others.entry((seat, own)).or_insert_with(Vec::new).push(cards[1 - seat as usize]);
            if seat == 0 {
                played.step(&[(0, "check")]);
            }
        }
    }
    assert_eq!(told.len(), 6);
    assert!(others.values().all(|cards| cards.iter().any(|card| *card != cards[0])), "{others:?}");
}

#[test]
fn an_illegal_move_is_refused_and_changes_nothing() {
    let mut played = reach([2, 3], &["check"]);
    let before = played.instance.view(None).unwrap();
    for text in ["call", "fold", "", "bet 2", "check or bet", "raise", "ｂｅｔ", "\u{0}"] {
        let progress = played.step(&[(1, text)]);
        assert_eq!(progress.rejections[0].reason, "A move is one word: check or bet.", "{text}");
        assert_eq!(played.requests()[0].prompt, "Answer check or bet.");
        assert_eq!(played.instance.view(None).unwrap(), before);
    }
    assert!(played.step(&[(1, " Bet.\n")]).rejections.is_empty());
    assert_eq!(played.instance.legal_moves(0).unwrap().unwrap(), ["call", "fold"]);
}

#[test]
fn the_first_prompt_has_the_rules_and_the_next_ones_what_is_new() {
    let mut played = reach([2, 3], &[]);
    let first = played.requests()[0].prompt.clone();
    assert!(
        first.starts_with("Kuhn poker with the cards 1, 2 and 3.") && first.ends_with("Answer check or bet."),
        "{first}"
    );
    assert!(first.contains("Your card: 2. You move first."), "{first}");
    played.step(&[(0, "check")]);
    played.step(&[(1, "bet")]);
    assert_eq!(played.requests()[0].prompt, "Your card: 2. You checked, the other bet.\nAnswer call or fold.");
}

#[test]
fn hands_follow_each_other_and_the_first_move_changes_sides() {
    let component = game("kuhn-poker");
    let mut played = deal(&component, 2, json!({"hands": 3, "first": "seat-1"}), 5);
    let mut chips = 0;
    for hand in 0..3 {
        let first = (1 + hand) % 2;
        assert_eq!(played.requests()[0].seat, first);
        let prompt = &played.requests()[0].prompt;
        assert!(prompt.contains(&format!("Hand {} of 3.", hand + 1)), "{prompt}");
        assert_eq!(hand > 0, prompt.contains("you won 1 chip.") || prompt.contains("you lost 1 chip."), "{prompt}");
        let cards = dealt(&mut played);
        chips += if cards[0] > cards[1] { 1 } else { -1 };
        played.step(&[(first, "check")]);
        played.step(&[(1 - first, "check")]);
    }
    let score = (f64::from(chips) / 3.0 + 2.0) / 4.0;
    let outcome = played.outcome().expect("over");
    assert!((outcome.scores[0] - score).abs() < 1e-12 && (outcome.scores[1] - (1.0 - score)).abs() < 1e-12);
}

#[test]
fn sound_moves_are_counted() {
    let counts = |cards, moves| {
        let outcome = reach(cards, moves).outcome().expect("over").clone();
        outcome.counts.iter().map(|count| (count.times, count.chances)).collect::<Vec<_>>()
    };
    assert_eq!(counts([3, 1], &["bet", "call"]), [(0, 0), (0, 1)]);
    assert_eq!(counts([3, 1], &["check", "bet", "call"]), [(1, 1), (0, 0)]);
    assert_eq!(counts([1, 3], &["check", "check"]), [(0, 0), (0, 1)]);
    assert_eq!(counts([1, 3], &["bet", "call"]), [(0, 0), (1, 1)]);
    assert_eq!(counts([2, 3], &["check", "bet", "fold"]), [(0, 0), (1, 1)]);
}

#[test]
fn the_house_players_rank_as_they_should() {
    let component = game("kuhn-poker");
    // Mean score of seat 0 over many hands; both move first equally often.
    let mean = |players: [&str; 2]| {
        let scores = (0..20).map(|seed| deal(&component, 2, json!({"hands": 100}), seed).play_out(&players).scores[0]);
        scores.sum::<f64>() / 20.0
    };
    // 2000 hands of at most 2 chips: a standard deviation of the mean score is under 0.01.
    assert!((mean(["equilibrium", "equilibrium:0.3"]) - 0.5).abs() < 0.04);
    assert!(mean(["equilibrium", "random"]) > 0.53);
    assert!(mean(["honest", "random"]) > 0.53);
}

#[test]
fn a_house_player_that_is_not_there_is_named() {
    for player in ["greedy", "equilibrium:0.5", "equilibrium:", "equilibrium:x", "random:1", ""] {
        let fault = reach([1, 2], &[]).instance.house_move(0, player, stream(1, 1)).unwrap_err();
        assert!(fault.detail.contains("equilibrium"), "{}", fault.detail);
    }
}
