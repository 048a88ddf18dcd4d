//! The deal against outside truth: published counts of fleets, and every arrangement of a small board.

use std::collections::BTreeMap;

use battleship::fleet::{Fleet, check};
use battleship::sea::{Cells, SIZE_MAX, SIZE_MIN, Sea};
use ludus_game::Random;

/// In how many ways the ships can lie, ships of one length told apart.
fn arrangements(sea: Sea, lengths: &[u32], taken: Cells) -> u64 {
    let Some((&length, rest)) = lengths.split_first() else { return 1 };
    let free = sea.placements(length).into_iter().filter(|ship| ship & taken == 0);
    free.map(|ship| arrangements(sea, rest, taken | ship)).sum()
}

#[test]
fn a_ship_has_as_many_places_as_one_counts_on_paper() {
    for size in SIZE_MIN..=SIZE_MAX {
        let sea = Sea { size };
        assert_eq!(sea.placements(1).len() as u32, size * size);
        for length in 2..=size.min(5) {
            // In each row and each column, and the same crosswise.
            assert_eq!(sea.placements(length).len() as u32, 2 * size * (size - length + 1));
        }
        for ship in [1, 2, 3, 4].into_iter().flat_map(|length| sea.placements(length)) {
            assert_eq!(ship & !sea.all(), 0);
        }
    }
}

#[test]
fn two_ships_of_two_cells_lie_on_ten_by_ten_in_15626_ways() {
    // Corner, edge, upright at an edge and inner places block 4, 5, 6 and 7 of the 180 places of the other.
    let by_hand = (8 * 176 + 28 * 175 + 32 * 174 + 112 * 173) / 2;
    assert_eq!(by_hand, 15_626);
    assert_eq!(arrangements(Sea { size: 10 }, &[2, 2], 0), 2 * 15_626);
}

#[test]
fn the_classic_fleet_lies_in_30093975536_ways() {
    let sea = Sea { size: 10 };
    let [fives, fours, threes] = [5, 4, 3].map(|length| sea.placements(length));
    // Places of the ship of two: free cells with a free one to the right or below.
    let last_column: Cells = (0..10).map(|row| 1 << (row * 10 + 9)).sum();
    let twos = |taken: Cells| {
        let free = sea.all() & !taken;
        let across = free & !last_column & free >> 1;
        u64::from(across.count_ones()) + u64::from((free & free >> 10).count_ones())
    };
    let mut ways = 0;
    for five in &fives {
        for four in fours.iter().filter(|four| *four & five == 0) {
            let free: Vec<Cells> = threes.iter().copied().filter(|three| three & (five | four) == 0).collect();
            for (index, first) in free.iter().enumerate() {
                let second = free[..index].iter().filter(|second| *second & first == 0);
                // The two ships of three are told apart.
                ways += 2 * second.map(|second| twos(five | four | first | second)).sum::<u64>();
            }
        }
    }
    assert_eq!(ways, 30_093_975_536);
}

#[test]
fn every_arrangement_is_dealt_equally_often() {
    let sea = Sea { size: 4 };
    let lengths = [4, 3];
    let all = arrangements(sea, &lengths, 0);
    // Of the 16 places of three, a row of four shares a cell with the two in its own row. Of the two in each column an outer
    // row meets one, an inner row both. Columns of four are as rows.
    let by_hand = 4 * (16 - 2 - 4) + 4 * (16 - 2 - 8);
    assert_eq!(all, by_hand);

    let mut random = Random::seeded(11);
    let mut seen: BTreeMap<Vec<Cells>, u32> = BTreeMap::new();
    const DEALS_EACH: u32 = 1_000;
    for _ in 0..all as u32 * DEALS_EACH {
        *seen.entry(Fleet::deal(sea, &lengths, &mut random).ships).or_default() += 1;
    }
    assert_eq!(seen.len() as u64, all);
    // Six standard deviations of about 31.6.
    assert!(seen.values().all(|count| count.abs_diff(DEALS_EACH) < 190), "{seen:?}");
}

#[test]
fn the_fullest_fleets_are_dealt_too() {
    let mut random = Random::seeded(12);
    for size in SIZE_MIN..=SIZE_MAX {
        let sea = Sea { size };
        // Up to six ships, the longest that half of the board has room for.
        let mut lengths: Vec<u32> = Vec::new();
        while lengths.len() < 6 {
            let room = size * size / 2 - lengths.iter().sum::<u32>();
            if room == 0 {
                break;
            }
            lengths.push(room.min(size).min(5));
        }
        check(sea, &lengths).expect("it may be dealt");
        for _ in 0..50 {
            let fleet = Fleet::deal(sea, &lengths, &mut random);
            assert_eq!(fleet.ships.iter().map(|ship| ship.count_ones()).collect::<Vec<_>>(), lengths);
            assert_eq!(fleet.cells().count_ones(), lengths.iter().sum::<u32>(), "no cell is shared");
        }
    }
}
