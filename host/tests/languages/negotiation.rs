//! `negotiation`: against an enumeration of every division.

use std::collections::BTreeMap;

use ludus_host::turn::Outcome;
use serde_json::{Value, json};

use crate::harness::{Played, deal, game};

const TOTAL: u32 = 10;

/// What lies on the table, as an onlooker sees it.
struct Deal {
    items: Vec<u32>,
    values: [Vec<u32>; 2],
}

fn numbers(text: &str) -> Vec<u32> {
    text.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

fn look(played: &mut Played) -> Deal {
    let view = played.instance.view(None).unwrap();
    let after = |begin: &str| {
        let rest = view.split_once(begin).unwrap_or_else(|| panic!("{view}")).1;
        numbers(rest.split(['\n', ',', '(']).next().expect("a part"))
    };
    Deal { items: after("Items: "), values: [after("Seat 0: worth "), after("Seat 1: worth ")] }
}

fn dealt(options: Value, seed: u64) -> Played {
    deal(&game("negotiation"), 2, options, seed)
}

fn worth(share: &[u32], values: &[u32]) -> u32 {
    share.iter().zip(values).map(|(number, value)| number * value).sum()
}

fn divisions(items: &[u32]) -> Vec<Vec<u32>> {
    items.iter().fold(vec![Vec::new()], |shares, &most| {
        shares
            .iter()
            .flat_map(|share: &Vec<u32>| (0..=most).map(|number| [share.as_slice(), &[number]].concat()))
            .collect()
    })
}

/// What both seats can get together, one pair for each division.
fn results(deal: &Deal) -> Vec<[u32; 2]> {
    let own = |share: &Vec<u32>| worth(share, &deal.values[0]);
    let rest = |share: &Vec<u32>| TOTAL - worth(share, &deal.values[1]);
    divisions(&deal.items).iter().map(|share| [own(share), rest(share)]).collect()
}

fn count(outcome: &Outcome, name: &str) -> (u32, u32) {
    let count = outcome.counts.iter().find(|count| count.seat == 0 && count.name == name).expect("a count");
    (count.times, count.chances)
}

#[test]
fn all_items_together_are_worth_the_same_to_both() {
    for kinds in 2..=4 {
        for items_max in 1..=5 {
            for seed in 0..8 {
                let deal = look(&mut dealt(json!({"kinds": kinds, "items_max": items_max}), seed));
                assert_eq!(deal.items.len(), kinds);
                assert!(deal.items.iter().all(|number| (1..=items_max).contains(number)));
                assert!(deal.values.iter().all(|values| worth(&deal.items, values) == TOTAL));
            }
        }
    }
}

#[test]
fn scores_and_efficiency_are_those_of_an_enumeration() {
    let mut efficient_deals = [0, 0];
    for seed in 0..150 {
        let mut played = dealt(json!({"turns": 4}), seed);
        let deal = look(&mut played);
        let outcome = played.play_out(&if seed % 2 == 0 { ["fair", "fair"] } else { ["random", "fair"] });
        let result = [0, 1].map(|seat| (outcome.scores[seat] * f64::from(TOTAL)).round() as u32);
        let (agreed, _) = count(&outcome, "deals");
        if agreed == 0 {
            assert_eq!((result, count(&outcome, "efficient")), ([0, 0], (0, 0)));
            assert_eq!(outcome.summary, "no deal");
            continue;
        }
        let all = results(&deal);
        assert!(all.contains(&result), "{result:?} is no division's result");
        let better = |other: &&[u32; 2]| other[0] >= result[0] && other[1] >= result[1] && **other != result;
        let efficient = u32::from(all.iter().find(better).is_none());
        assert_eq!(count(&outcome, "efficient"), (efficient, 1), "seed {seed}: {result:?}");
        efficient_deals[efficient as usize] += 1;
    }
    // Both kinds of deals came up.
    assert!(efficient_deals.iter().all(|&number| number > 10), "{efficient_deals:?}");
}

#[test]
fn the_legal_moves_are_all_divisions_and_then_accept() {
    let mut played = dealt(json!({"kinds": 4, "items_max": 5}), 2);
    let items = look(&mut played).items;
    let offers: Vec<String> =
        divisions(&items).iter().map(|share| share.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")).collect();
    let first = played.requests()[0].seat;
    assert_eq!(played.instance.legal_moves(first).unwrap().unwrap(), offers);
    assert!(played.step(&[(first, &offers[1])]).rejections.is_empty());
    let moves = played.instance.legal_moves(1 - first).unwrap().unwrap();
    assert_eq!((moves[0].as_str(), &moves[1..]), ("accept", offers.as_slice()));
}

#[test]
fn an_accepted_offer_gives_each_seat_its_share() {
    let mut played = dealt(json!({}), 4);
    let deal = look(&mut played);
    let first = played.requests()[0].seat as usize;
    let kept: Vec<u32> =
        deal.items.iter().enumerate().map(|(kind, number)| if kind == 0 { *number } else { 0 }).collect();
    let text = kept.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    played.step(&[(first as u32, &text)]);
    let own = worth(&kept, &deal.values[first]);
    let others = TOTAL - worth(&kept, &deal.values[1 - first]);
    let prompt = &played.requests()[0].prompt;
    assert!(prompt.contains(&format!("worth {others} of 10 to you")), "{prompt}");
    played.step(&[(1 - first as u32, "Accept.")]);
    let scores = &played.outcome().expect("over").scores;
    assert_eq!((scores[first], scores[1 - first]), (f64::from(own) / 10.0, f64::from(others) / 10.0));
}

#[test]
fn without_a_deal_nobody_gets_anything() {
    let mut played = dealt(json!({"turns": 3}), 1);
    let offer = look(&mut played).items.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    let first = played.requests()[0].seat;
    played.step(&[(first, &offer)]);
    played.step(&[(1 - first, &offer)]);
    assert!(played.requests()[0].prompt.ends_with("Last turn. Answer accept or reject."));
    assert_eq!(played.instance.legal_moves(first).unwrap().unwrap(), ["accept", "reject"]);
    assert_eq!(played.step(&[(first, &offer)]).rejections[0].reason, "It is the last turn: accept or reject.");
    played.step(&[(first, "reject")]);
    assert_eq!(played.outcome().expect("over").scores, [0.0, 0.0]);
}

#[test]
fn what_is_no_offer_is_refused_and_changes_nothing() {
    let mut played = dealt(json!({}), 3);
    let first = played.requests()[0].seat;
    let before = played.instance.view(None).unwrap();
    let shape = "An offer is 3 numbers: the books, hats and balls that you keep.";
    let mut refused = |text: &str| {
        let reason = played.step(&[(first, text)]).rejections[0].reason.clone();
        assert_eq!(played.instance.view(None).unwrap(), before);
        reason
    };
    assert_eq!(refused("accept"), "There is no offer to accept yet: make one.");
    for text in ["", "1 1", "1 1 1 1", "a b c", "-1 0 0", "1.5 0 0", "1e9 0 0", "999 0 0", "reject", "٣ 0 0"] {
        assert_eq!(refused(text), shape, "{text}");
    }
    assert!(refused("99 0 0").starts_with("You cannot keep 99 books: there are "));
}

#[test]
fn a_seat_learns_nothing_of_the_others_values() {
    type Told = (Vec<u32>, Vec<u32>);
    type Seen = (String, Vec<Vec<u32>>);
    let mut told: BTreeMap<Told, Seen> = BTreeMap::new();
    for seed in 0..250 {
        let mut played = dealt(json!({"kinds": 2, "items_max": 2}), seed);
        let Deal { items, values } = look(&mut played);
        let seat = played.requests()[0].seat;
        let [own, other] = if seat == 0 {
            values
        } else {
            let [a, b] = values;
            [b, a]
        };
        let view = played.instance.view(Some(seat)).unwrap().replace(&format!("Seat {seat}"), "Seat");
        let shown = format!("{}\n{view}", played.requests()[0].prompt);
        let (first, others) = told.entry((items, own)).or_insert_with(|| (shown.clone(), Vec::new()));
        assert_eq!(*first, shown);
        others.push(other);
    }
    let compared = told.values().filter(|(_, others)| others.iter().any(|other| *other != others[0])).count();
    assert!(compared > 10, "{compared}");
}

#[test]
fn the_house_players_do_what_their_names_say() {
    // Mean scores of both seats, and how often they agreed.
    let mean = |players: [&str; 2]| {
        let outcomes: Vec<Outcome> = (0..100).map(|seed| dealt(json!({}), seed).play_out(&players)).collect();
        let score = |seat: usize| outcomes.iter().map(|outcome| outcome.scores[seat]).sum::<f64>() / 100.0;
        (score(0), score(1), outcomes.iter().map(|outcome| count(outcome, "deals").0).sum::<u32>())
    };
    let (one, other, deals) = mean(["fair", "fair"]);
    assert!(deals >= 95 && one > 0.55 && other > 0.55, "{one} {other} {deals}");
    let (stubborn, fair, _) = mean(["stubborn", "fair"]);
    assert!(stubborn > fair + 0.2, "{stubborn} {fair}");
    let (one, other, deals) = mean(["stubborn", "stubborn"]);
    assert!(deals < 40 && one < 0.4 && other < 0.4, "{one} {other} {deals}");
    let (fair, random, _) = mean(["fair", "random"]);
    assert!(fair > random, "{fair} {random}");
}
