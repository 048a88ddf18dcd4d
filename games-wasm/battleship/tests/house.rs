//! How strong the house players are, by known formulas and over many games.

use battleship::Battleship;
use battleship::chart::Chart;
use battleship::fleet::Fleet;
use battleship::house;
use battleship::sea::Sea;
use ludus_game::Random;
use ludus_game::testing::Session;

const GAMES: u64 = 4_000;

/// How many shots a house player needs, alone, to sink a fleet dealt at random.
fn shots_needed(sea: Sea, lengths: &[u32], player: &str, random: &mut Random) -> u32 {
    let fleet = Fleet::deal(sea, lengths, random);
    let mut shots = 0;
    while fleet.cells() & !shots != 0 {
        let cell = house::choose(&Chart::new(sea, &fleet, shots), player, random).expect("a cell");
        assert_eq!(shots & 1 << cell, 0, "no cell is shot at twice");
        shots |= 1 << cell;
    }
    shots.count_ones()
}

fn mean_shots(sea: Sea, lengths: &[u32], player: &str) -> f64 {
    let mut random = Random::seeded(3);
    (0..GAMES).map(|_| f64::from(shots_needed(sea, lengths, player, &mut random))).sum::<f64>() / GAMES as f64
}

#[test]
fn random_shots_sink_a_fleet_after_as_many_shots_as_the_formula_says() {
    // The last of k cells in a random order of n: k (n + 1) / (k + 1) on average.
    for (size, lengths) in [(5, vec![3, 2]), (4, vec![2]), (10, vec![5, 4, 3, 3, 2])] {
        let (cells, ships) = (f64::from(size * size), f64::from(lengths.iter().sum::<u32>()));
        let expected = ships * (cells + 1.0) / (ships + 1.0);
        let variance = ships * (cells + 1.0) * (cells - ships) / ((ships + 1.0).powi(2) * (ships + 2.0));
        let mean = mean_shots(Sea { size }, &lengths, "random");
        assert!((mean - expected).abs() < 6.0 * (variance / GAMES as f64).sqrt(), "{mean}, not {expected}");
    }
}

#[test]
fn hunt_needs_far_fewer_shots() {
    // Random shots: 21.7 of 25 and 95.4 of 100.
    let small = mean_shots(Sea { size: 5 }, &[3, 2], "hunt");
    let classic = mean_shots(Sea { size: 10 }, &[5, 4, 3, 3, 2], "hunt");
    assert!(small < 14.0 && classic < 56.0, "{small} {classic}");
}

fn wins_of_seat_0(players: [&str; 2], options: &str) -> (u32, u32) {
    let (mut wins, mut wins_of_first) = (0, 0);
    for seed in 0..GAMES {
        let session = Session::<Battleship>::start(2, options, seed).expect("it starts");
        let first = session.asked()[0] as usize;
        let outcome = session.play_out(|session, seat| session.house(seat, players[seat as usize]));
        wins += u32::from(outcome.scores[0] == 1.0);
        wins_of_first += u32::from(outcome.scores[first] == 1.0);
    }
    (wins, wins_of_first)
}

#[test]
fn between_random_players_the_first_to_shoot_wins_as_often_as_the_distribution_says() {
    // Both need t shots with probability C(t - 1, k - 1) / C(n, k); the first to shoot wins where it needs no more.
    let choose = |n: u32, k: u32| (0..k).map(|i| f64::from(n - i) / f64::from(k - i)).product::<f64>();
    let (cells, ships) = (25, 5);
    let needs = |shots: u32| choose(shots - 1, ships - 1) / choose(cells, ships);
    let tied: f64 = (ships..=cells).map(|shots| needs(shots).powi(2)).sum();
    let expected = (1.0 + tied) / 2.0;

    let (wins, wins_of_first) = wins_of_seat_0(["random", "random"], "{}");
    // Six standard deviations.
    let bound = 6.0 * (0.25 * GAMES as f64).sqrt();
    assert!((f64::from(wins_of_first) - expected * GAMES as f64).abs() < bound, "{wins_of_first}, not {expected}");
    assert!((f64::from(wins) - 0.5 * GAMES as f64).abs() < bound, "either seat begins: {wins}");
}

#[test]
fn hunt_beats_random_nearly_always() {
    let (wins, _) = wins_of_seat_0(["hunt", "random"], "{}");
    assert!(wins > GAMES as u32 * 92 / 100, "{wins} of {GAMES}");
}
