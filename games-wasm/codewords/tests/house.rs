//! How well the house players do together, by formula where there is one and over many games.

use codewords::Codewords;
use ludus_game::testing::Session;
use ludus_game::{Game, Outcome, Random};

const GAMES: u64 = 2_000;

fn play(players: [&str; 2], options: &str, seed: u64) -> Outcome {
    let session = Session::<Codewords>::start(2, options, seed).expect("it starts");
    session.play_out(|session, seat| match players[seat as usize] {
        // A clue that says nothing, for one guess.
        "silent" => "zzz 1".to_owned(),
        player => session.house(seat, player),
    })
}

fn mean(players: [&str; 2], options: &str) -> f64 {
    (0..GAMES).map(|seed| play(players, options, seed).scores[0]).sum::<f64>() / GAMES as f64
}

#[test]
fn guesses_at_random_find_as_much_as_draws_without_replacement() {
    // Each of three guesses is any of twelve words with equal probability: 3/12 of the targets.
    let without = mean(["silent", "random"], r#"{"traps": 0}"#);
    // No trap among three of twelve words: 9/12. Then they are three of the eleven others.
    let with = mean(["silent", "random"], r#"{"traps": 1}"#);
    // The share that is found has a standard deviation below 0.16: six standard errors.
    assert!((without - 3.0 / 12.0).abs() < 0.021, "{without}");
    assert!((with - 9.0 / 12.0 * 3.0 / 11.0).abs() < 0.021, "{with}");
}

#[test]
fn themes_understands_itself_and_is_lost_with_random() {
    let together = mean(["themes", "themes"], "{}");
    let [giver, guesser, random] =
        [["themes", "random"], ["random", "themes"], ["random", "random"]].map(|players| mean(players, "{}"));
    assert!(together > 0.75, "{together}");
    assert!(giver < 0.3 && guesser < 0.3 && random < 0.3, "{giver} {guesser} {random}");
}

#[test]
fn themes_gives_clues_that_fit_what_it_counts_and_its_guesser_finds_them() {
    let (mut understood, mut clues) = (0, 0);
    for seed in 0..GAMES {
        let outcome = play(["themes", "themes"], "{}", seed);
        understood += outcome.counts[0].times;
        clues += outcome.counts[0].chances;
    }
    assert!(f64::from(understood) > 0.95 * f64::from(clues), "{understood} of {clues}");
}

#[test]
fn a_house_player_that_does_not_exist_is_an_error_in_either_seat() {
    let mut session = Session::<Codewords>::start(2, "{}", 0).expect("it starts");
    for seat in [0, 1] {
        for player in ["optimal", "themes:1", ""] {
            assert!(session.game().house_move(seat, player, &mut Random::seeded(0)).is_err(), "{player}");
        }
        session.step(&["zzz 1"]);
    }
}
