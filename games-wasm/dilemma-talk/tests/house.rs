//! The house players against what is known of the repeated dilemma.

use dilemma_talk::DilemmaTalk;
use ludus_game::testing::Session;
use ludus_game::{Game, Outcome, Random, Seat};

const PLAYERS: [&str; 5] = ["random", "tit-for-tat", "grim", "liar", "believer"];

fn play(players: [&str; 2], rounds: u32, seed: u64) -> Outcome {
    let options = format!(r#"{{"rounds": {rounds}}}"#);
    let session = Session::<DilemmaTalk>::start(2, &options, seed).expect("it starts");
    session.play_out(|session, seat| session.house(seat, players[seat as usize]))
}

/// A seat's points, from its score with the usual payoffs.
fn points(outcome: &Outcome, seat: usize, rounds: u32) -> i32 {
    (outcome.scores[seat] * 5.0 * f64::from(rounds)).round() as i32
}

fn times(outcome: &Outcome, seat: Seat, name: &str) -> (u32, u32) {
    let count = outcome.counts.iter().find(|count| count.seat == seat && count.name == name).expect("the count");
    (count.times, count.chances)
}

#[test]
fn players_without_chance_earn_what_one_works_out_on_paper() {
    const N: i32 = 6;
    for (players, expected) in [
        (["tit-for-tat", "tit-for-tat"], [3 * N, 3 * N]),
        (["tit-for-tat", "grim"], [3 * N, 3 * N]),
        (["grim", "grim"], [3 * N, 3 * N]),
        (["liar", "liar"], [N, N]),
        // Cheated once, then both defect.
        (["tit-for-tat", "liar"], [N - 1, 5 + N - 1]),
        (["grim", "liar"], [N - 1, 5 + N - 1]),
        // The liar's promise is believed once.
        (["believer", "liar"], [N - 1, 5 + N - 1]),
        // Nobody promises, so nobody cooperates.
        (["believer", "believer"], [N, N]),
        // Tit-for-tat promises and cooperates; the believer does from the first round on.
        (["believer", "tit-for-tat"], [3 * N, 3 * N]),
        (["believer", "grim"], [3 * N, 3 * N]),
    ] {
        let outcome = play(players, N as u32, 1);
        assert_eq!([0, 1].map(|seat| points(&outcome, seat, N as u32)), expected, "{players:?}");
    }
}

#[test]
fn what_the_players_say_is_what_they_are() {
    for other in PLAYERS {
        for seed in 0..50 {
            for honest in ["tit-for-tat", "grim"] {
                let (kept, promises) = times(&play([honest, other], 10, seed), 0, "promises-kept");
                assert!(
                    kept == promises && promises > 0,
                    "{honest} keeps its word against {other}: {kept} of {promises}"
                );
                // Each says so whenever it is going to cooperate.
                let (cooperations, _) = times(&play([honest, other], 10, seed), 0, "cooperations");
                assert_eq!(cooperations, promises);
            }
            assert_eq!(times(&play(["liar", other], 10, seed), 0, "promises-kept"), (0, 10));
        }
    }
}

#[test]
fn tit_for_tat_never_earns_more_than_the_other_and_at_most_one_exploitation_less() {
    const ROUNDS: u32 = 12;
    for other in PLAYERS {
        for seed in 0..200 {
            let outcome = play(["tit-for-tat", other], ROUNDS, seed);
            let ahead = points(&outcome, 1, ROUNDS) - points(&outcome, 0, ROUNDS);
            // Temptation less sucker, 5, where the last defection was not answered any more.
            assert!(ahead == 0 || ahead == 5, "{other}: {ahead}");
        }
    }
}

#[test]
fn random_against_random_earns_the_mean_of_the_table() {
    const GAMES: u32 = 2_000;
    const ROUNDS: u32 = 10;
    let total: i32 =
        (0..GAMES).map(|seed| points(&play(["random", "random"], ROUNDS, u64::from(seed)), 0, ROUNDS)).sum();
    let mean = f64::from(total) / f64::from(GAMES * ROUNDS);
    // (3 + 0 + 5 + 1) / 4 = 2.25; the variance of one round is 35 / 4 - 2.25 squared.
    let error = ((35.0 / 4.0 - 2.25 * 2.25) / f64::from(GAMES * ROUNDS)).sqrt();
    assert!((mean - 2.25).abs() < 6.0 * error, "{mean}");
}

#[test]
fn against_tit_for_tat_defecting_in_the_known_last_round_alone_pays_best() {
    // Every plan of six rounds, by the best points that any of them has: cooperate to the last round but one.
    const ROUNDS: usize = 6;
    let points_of = |plan: u32| {
        let mut session = Session::<DilemmaTalk>::start(2, r#"{"rounds": 6, "talk": false}"#, 0).expect("it starts");
        for round in 0..ROUNDS {
            let own = if plan & 1 << round != 0 { "defect" } else { "cooperate" };
            let other = session.house(1, "tit-for-tat");
            session.play(&[own, &other]);
        }
        points(session.outcome().expect("it is over"), 0, ROUNDS as u32)
    };
    let best = (0..1 << ROUNDS).max_by_key(|&plan| points_of(plan)).expect("plans");
    assert_eq!((best, points_of(best)), (1 << (ROUNDS - 1), 3 * 5 + 5));
}

#[test]
fn with_a_believer_promises_decide() {
    let play = |message: &str| {
        let mut session = Session::<DilemmaTalk>::start(2, r#"{"rounds": 4}"#, 0).expect("it starts");
        while session.outcome().is_none() {
            let own = if session.game().legal_moves(0).is_none() { message } else { "cooperate" };
            let other = session.house(1, "believer");
            session.play(&[own, &other]);
        }
        points(session.outcome().expect("it is over"), 0, 4)
    };
    assert_eq!(play("I promise to cooperate."), 12);
    assert_eq!(play("I will cooperate."), 0);
}

#[test]
fn a_house_player_that_does_not_exist_is_an_error_in_either_phase() {
    let mut session = Session::<DilemmaTalk>::start(2, "{}", 0).expect("it starts");
    for _ in 0..2 {
        for player in ["cooperator", "liar:1", ""] {
            assert!(session.game().house_move(0, player, &mut Random::seeded(0)).is_err(), "{player}");
        }
        if session.game().legal_moves(0).is_none() {
            session.play(&["", ""]);
        }
    }
}
