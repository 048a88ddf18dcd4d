//! Liar's dice, in Go, against exact enumeration of all hidden dice.

use std::collections::BTreeMap;

use ludus_host::turn::{Count, Outcome};
use serde_json::{Value, json};

use crate::harness::{Played, deal, game, stream};

type Bid = (usize, usize);

/// A table as its tests read it.
struct Table {
    played: Played,
    faces: usize,
    wild: bool,
}

impl Table {
    fn deal(seats: u32, options: Value, seed: u64) -> Table {
        let faces = options["faces"].as_u64().unwrap_or(6) as usize;
        let wild = options["wild_ones"].as_bool().unwrap_or(false);
        Table { played: deal(&game("liars-dice"), seats, options, seed), faces, wild }
    }

    fn mover(&self) -> u32 {
        self.played.requests()[0].seat
    }

    fn prompt(&self) -> &str {
        &self.played.requests()[0].prompt
    }

    /// The move of the one seat that is asked; it must be taken.
    fn play(&mut self, text: &str) {
        let progress = self.played.step(&[(self.mover(), text)]);
        assert!(progress.rejections.is_empty(), "{text}: {:?}", progress.rejections);
    }

    fn view(&mut self, viewer: Option<u32>) -> String {
        self.played.instance.view(viewer).unwrap()
    }

    fn legal(&mut self) -> Vec<String> {
        let seat = self.mover();
        self.played.instance.legal_moves(seat).unwrap().unwrap()
    }

    fn hand(&mut self, seat: u32) -> Vec<usize> {
        hands(&self.view(Some(seat)))[&seat].clone()
    }

    /// How many of these dice show a face.
    fn showing(&self, dice: &[usize], face: usize) -> usize {
        dice.iter().filter(|&&die| die == face || self.wild && die == 1).count()
    }

    /// The probability of a bid, by throwing the hidden dice in every way there is.
    fn likelihood(&self, own: &[usize], hidden: u32, (count, face): Bid) -> f64 {
        let ways = self.faces.pow(hidden);
        let holds = |way: &usize| {
            let dice: Vec<usize> = (0..hidden).map(|die| 1 + way / self.faces.pow(die) % self.faces).collect();
            self.showing(own, face) + self.showing(&dice, face) >= count
        };
        (0..ways).filter(holds).count() as f64 / ways as f64
    }
}

/// The hands in a line such as `Player 1: 2 2. Player 2: 1 6.`, by seat.
fn hands(text: &str) -> BTreeMap<u32, Vec<usize>> {
    let mut hands = BTreeMap::new();
    for sentence in text.split(['.', '\n']) {
        let Some((player, dice)) = sentence.trim().strip_prefix("Player ").and_then(|rest| rest.split_once(": "))
        else {
            continue;
        };
        let dice = dice.split(' ').map(|die| die.parse().unwrap()).collect();
        hands.insert(player.parse::<u32>().unwrap() - 1, dice);
    }
    hands
}

fn bid(text: &str) -> Bid {
    let (count, face) = text.split_once(' ').unwrap();
    (count.parse().unwrap(), face.parse().unwrap())
}

/// Times and chances of a count of one seat.
fn count(outcome: &Outcome, seat: u32, name: &str) -> (u32, u32) {
    let is_it = |count: &&Count| count.seat == seat && count.name == name;
    outcome.counts.iter().find(is_it).map(|count| (count.times, count.chances)).unwrap()
}

#[test]
fn probable_makes_the_likeliest_move_by_exact_enumeration() {
    let mut decisions = 0;
    for seed in 0..40 {
        for (seats, options) in [
            (2, json!({})),
            (3, json!({ "faces": 4 })),
            (2, json!({ "dice": 3, "faces": 5, "wild_ones": true })),
            (4, json!({ "dice": 1, "wild_ones": true })),
        ] {
            let mut table = Table::deal(seats, options, seed);
            let mut last: Option<Bid> = None;
            while table.played.outcome().is_none() {
                let seat = table.mover();
                let own = table.hand(seat);
                let hidden = own.len() as u32 * (seats - 1);
                let value = |table: &Table, text: &str| match (text, last) {
                    ("liar", Some(last)) => 1.0 - table.likelihood(&own, hidden, last),
                    _ => table.likelihood(&own, hidden, bid(text)),
                };
                let legal = table.legal();
                let best = legal.iter().map(|text| value(&table, text)).fold(0.0, f64::max);
                let chosen = table.played.house(seat, "probable");
                assert!(value(&table, &chosen) > best - 1e-9, "{chosen} with {own:?} after {last:?}");
                decisions += 1;
                // Low bids make long games: of the first three moves one at random.
                let text = legal[stream(seed, 500 + decisions).below(legal.len().min(3) as u32) as usize].clone();
                last = (text != "liar").then(|| bid(&text));
                table.play(&text);
            }
        }
    }
    assert!(decisions > 800, "{decisions}");
}

#[test]
fn a_showdown_counts_all_dice_and_the_liar_loses() {
    let mut verdicts = [0; 2];
    for seed in 0..300 {
        let wild = seed % 2 == 0;
        let mut table = Table::deal(3, json!({ "dice": 3, "wild_ones": wild }), seed);
        let dice: Vec<usize> = hands(&table.view(None)).into_values().flatten().collect();
        assert_eq!(dice.len(), 9);
        let bidder = table.mover();
        let (count, face) = (1 + seed as usize % 4, 2 + seed as usize % 5);
        table.play(&format!("{count} {face}"));
        let caller = table.mover();
        assert_eq!(caller, (bidder + 1) % 3);
        table.play("Liar.");
        let holds = table.showing(&dice, face) >= count;
        verdicts[usize::from(holds)] += 1;
        let loser = if holds { caller } else { bidder };
        let outcome = table.played.outcome().unwrap();
        let expected: Vec<f64> = (0..3).map(|seat| f64::from(u8::from(seat != loser))).collect();
        assert_eq!(outcome.scores, expected, "{}", outcome.summary);
        assert!(outcome.summary.ends_with(&format!("and player {} loses.", loser + 1)), "{}", outcome.summary);
        assert_eq!(self::count(outcome, caller, "calls-right"), (u32::from(!holds), 1));
        assert_eq!(self::count(outcome, bidder, "bids-held"), (u32::from(holds), 1));
    }
    assert!(verdicts.iter().all(|&times| times > 50), "{verdicts:?}");
}

#[test]
fn probable_beats_random_clearly() {
    for (seats, rounds, games, least) in [(2, "one", 400, 0.8), (2, "all", 200, 0.9), (4, "one", 200, 0.9)] {
        let mut sum = 0.0;
        for seed in 0..games {
            let mut table = Table::deal(seats, json!({ "rounds": rounds }), seed);
            let place = seed as usize % seats as usize;
            let mut players = vec!["random"; seats as usize];
            players[place] = "probable";
            sum += table.played.play_out(&players).scores[place];
        }
        let mean = sum / games as f64;
        println!("probable among {seats}, rounds {rounds}: {mean}");
        // One round of four players has one loser: 0.75 would be chance.
        assert!(mean > least, "{seats} {rounds}: {mean}");
    }
}

#[test]
fn a_seat_reads_nothing_of_other_hands_before_the_showdown() {
    // Deals in which seat 0 holds the same and moves first: whatever the others hold, it must read the same.
    let mut seen: BTreeMap<Vec<usize>, (Vec<usize>, Vec<String>)> = BTreeMap::new();
    let mut compared = 0;
    for seed in 0..400 {
        let mut table = Table::deal(2, json!({}), seed);
        if table.mover() != 0 {
            continue;
        }
        let (own, other) = (table.hand(0), table.hand(1));
        let mut read = vec![table.prompt().to_string(), table.view(Some(0))];
        table.play("1 2");
        read.push(table.view(Some(0)));
        table.play("2 2");
        read.extend([table.prompt().to_string(), table.view(Some(0))]);
        read.push(table.played.step(&[(0, "1 1")]).rejections[0].reason.clone());
        read.push(table.prompt().to_string());
        read.extend(table.legal());
        match seen.get(&own) {
            None => drop(seen.insert(own, (other, read))),
            Some((first_other, first)) => {
                assert_eq!(&read, first, "{own:?}");
                compared += usize::from(&other != first_other);
            }
        }
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn scores_of_all_rounds_rise_evenly_from_the_first_out_to_the_last_seat() {
    for (seats, expected) in [(2, vec![0.0, 1.0]), (3, vec![0.0, 0.5, 1.0]), (5, vec![0.0, 0.25, 0.5, 0.75, 1.0])] {
        for seed in 0..10 {
            let mut table = Table::deal(seats, json!({ "rounds": "all", "wild_ones": seed % 2 == 0 }), seed);
            let mut scores = table.played.play_out(&vec!["random"; seats as usize]).scores;
            assert_eq!(scores.len(), seats as usize);
            scores.sort_by(f64::total_cmp);
            assert_eq!(scores, expected);
        }
    }
}

#[test]
fn the_loser_of_a_round_loses_a_die_and_begins_the_next() {
    let mut table = Table::deal(2, json!({ "rounds": "all" }), 3);
    let bidder = table.mover();
    // Four of a face that neither hand is full of: a lie.
    let dice: Vec<usize> = hands(&table.view(None)).into_values().flatten().collect();
    let face = (1..=6).find(|face| !dice.contains(face)).unwrap();
    table.play(&format!("4 {face}"));
    table.play("liar");
    assert_eq!(table.mover(), bidder);
    assert!(table.prompt().contains(&format!("Count: 0, so it is a lie and player {} loses a die.", bidder + 1)));
    assert!(table.prompt().contains("All dice: 3. No bid yet."), "{}", table.prompt());
    assert_eq!((table.hand(bidder).len(), table.hand(1 - bidder).len()), (1, 2));
}

#[test]
fn illegal_moves_are_refused_and_change_nothing() {
    let mut table = Table::deal(2, json!({ "wild_ones": true }), 1);
    let refused = |table: &mut Table, text: &str, reason: &str| {
        let (seat, view, legal) = (table.mover(), table.view(None), table.legal());
        let progress = table.played.step(&[(seat, text)]);
        assert_eq!((progress.rejections.len(), progress.rejections[0].seat), (1, seat), "{text}");
        assert_eq!(progress.rejections[0].reason, reason, "{text}");
        assert_eq!((table.mover(), table.view(None), table.legal()), (seat, view, legal), "{text}");
        assert!(!table.prompt().contains("Liar's dice"), "the rules are told once");
    };
    refused(&mut table, "liar", "There is no bid to doubt yet. Bid first.");
    for text in ["", "two fives", "2", "2 3 4", "2x3", "99999999999999999999 2", "2 3\u{0}", "٢ ٣"] {
        refused(&mut table, text, "A move is two numbers, a count and a face, such as 2 3.");
    }
    for text in ["0 2", "5 2", "-1 2"] {
        refused(&mut table, text, "The count goes from 1 to 4, which is all dice.");
    }
    for text in ["1 1", "1 7", "1 0"] {
        refused(&mut table, text, "The face goes from 2 to 6.");
    }
    table.play(" 2  4. ");
    for text in ["2 4", "2 3", "1 6"] {
        let reason = "A bid must be higher than 2 4: a higher count, or the same count and a higher face.";
        refused(&mut table, text, reason);
    }
    refused(&mut table, "?", "A move is two numbers, a count and a face, such as 2 3, or the word liar.");
    table.play("4 6");
    assert!(table.prompt().ends_with("Last bid: 4 6, the highest there is. Answer liar."), "{}", table.prompt());
    assert_eq!(table.legal(), ["liar"]);
}

#[test]
fn legal_moves_are_every_higher_bid_and_liar() {
    let mut table = Table::deal(3, json!({ "dice": 1, "faces": 3 }), 1);
    assert_eq!(table.legal(), ["1 1", "1 2", "1 3", "2 1", "2 2", "2 3", "3 1", "3 2", "3 3"]);
    table.play("2 2");
    assert_eq!(table.legal(), ["2 3", "3 1", "3 2", "3 3", "liar"]);
    let seat = table.mover();
    let fault = table.played.instance.house_move(seat, "nobody", stream(1, 1)).unwrap_err();
    assert!(fault.detail.contains("There is no house player nobody."), "{}", fault.detail);
}

#[test]
fn every_face_and_every_first_seat_comes_up_equally_often() {
    let (mut faces, mut first) = ([0u32; 6], [0u32; 3]);
    for seed in 0..1_000 {
        let mut table = Table::deal(3, json!({}), seed);
        first[table.mover() as usize] += 1;
        for die in hands(&table.view(None)).into_values().flatten() {
            faces[die - 1] += 1;
        }
    }
    // 1000 of 6000 and 333 of 1000 on average; six standard deviations.
    assert!(faces.iter().all(|times| times.abs_diff(1_000) < 173), "{faces:?}");
    assert!(first.iter().all(|times| times.abs_diff(333) < 90), "{first:?}");
}

#[test]
fn doubtful_bids_are_counted_where_they_were_more_likely_false() {
    for seed in 0..100 {
        let mut table = Table::deal(2, json!({}), seed);
        let bidder = table.mover();
        let face = 1 + seed as usize % 6;
        let own = table.hand(1 - bidder);
        table.play(&format!("2 {face}"));
        table.play("liar");
        let doubtful = u32::from(table.likelihood(&own, 2, (2, face)) < 0.5);
        let outcome = table.played.outcome().unwrap();
        assert_eq!(count(outcome, 1 - bidder, "doubtful-bids-called"), (doubtful, doubtful));
        assert_eq!(count(outcome, bidder, "doubtful-bids-called"), (0, 0));
    }
}
