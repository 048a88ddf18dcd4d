//! A good game, and a host that keeps to the order of play.

use ludus_host::engine::Allocation;
use ludus_host::fault::{Call, FaultKind};
use ludus_host::instance::Instance;
use ludus_host::turn::{Move, Progress, Rejection, Setup};

use crate::guest::*;

#[test]
fn a_good_game_is_played_to_its_end() {
    play_well(&library());
}

#[test]
fn a_game_goes_the_same_way_without_a_pool() {
    play_well(&open_with(TIGHT, Allocation::OnDemand));
}

#[test]
fn its_manifest_is_read_when_it_is_loaded() {
    let component = Guest::good().load(&library()).unwrap();
    let manifest = &component.manifest;
    assert_eq!(
        (manifest.name.as_str(), manifest.seats_min, manifest.seats_max, manifest.steps_max),
        ("sample", 2, 2, 3)
    );
    assert_eq!(manifest.house_players, ["leftist"]);
    assert_eq!(component.check_options(&serde_json::json!({})), Ok("{}".into()));
}

#[test]
fn a_rejected_seat_is_asked_again() {
    let rejected =
        Progress { rejections: vec![Rejection { seat: 0, reason: "No such door.".into() }], turn: asks(&[0]) };
    let component = Guest::good().with(|guest| guest.step_returns(&rejected)).load(&library()).unwrap();
    let (mut instance, _) = begin(&component).unwrap();
    assert_eq!(instance.step(&seat_0_moves(), stream(2)), Ok(rejected));
    assert_eq!(instance.asked(), [0]);
}

#[test]
fn a_move_out_of_turn_is_the_hosts_fault_and_harms_nothing() {
    let component = Guest::good().load(&library()).unwrap();
    let (mut instance, _) = begin(&component).unwrap();
    let wrong: [Vec<Move>; 4] = [
        vec![],
        vec![Move { seat: 1, text: "left".into() }],
        [seat_0_moves(), seat_0_moves()].concat(),
        vec![Move { seat: 0, text: "x".repeat((64 << 10) + 1) }],
    ];
    for moves in &wrong {
        assert_eq!(instance.step(moves, stream(2)).unwrap_err().kind, FaultKind::Misuse);
    }
    assert_eq!(instance.legal_moves(1).unwrap_err().kind, FaultKind::Misuse);
    assert_eq!(instance.view(Some(2)).unwrap_err().kind, FaultKind::Misuse);
    assert!(instance.step(&seat_0_moves(), stream(2)).is_ok());
    assert_eq!(instance.step(&seat_0_moves(), stream(2)).unwrap_err().kind, FaultKind::Misuse);
    assert_eq!(instance.view(Some(1)), Ok("two doors".into()));
}

#[test]
fn a_table_of_the_wrong_size_is_not_dealt() {
    let component = Guest::good().load(&library()).unwrap();
    for seats in [0, 1, 3] {
        let fault = Instance::start(&component, &Setup { seats, options: "{}".into() }, stream(1)).err().unwrap();
        assert_eq!((fault.kind, fault.call), (FaultKind::Misuse, Call::Start));
    }
}

#[test]
fn nothing_of_one_instance_is_seen_in_the_next() {
    // The game counts its steps in its memory: each instance must find a 0 there.
    let mut guest = Guest::good();
    let count = over_with_count(&mut guest);
    let guest = guest.first(
        "step",
        &format!("(i32.store (i32.const {count}) (i32.add (i32.load (i32.const {count})) (i32.const 1)))"),
    );
    let component = guest.load(&library()).unwrap();
    for _ in 0..3 {
        let (mut instance, _) = begin(&component).unwrap();
        let progress = instance.step(&seat_0_moves(), stream(2)).unwrap();
        assert_eq!(times(&progress), 1);
    }
}

#[test]
fn one_library_serves_many_threads() {
    let library = library();
    let component = Guest::good().load(&library).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let (mut instance, _) = begin(&component).unwrap();
                    assert!(instance.step(&seat_0_moves(), stream(2)).is_ok());
                }
            });
        }
    });
}

#[test]
fn a_game_that_was_begun_may_go_on_in_another_thread() {
    let component = Guest::good().load(&library()).unwrap();
    let (mut instance, _) = begin(&component).unwrap();
    let elsewhere = std::thread::spawn(move || instance.step(&seat_0_moves(), stream(2)).is_ok());
    assert_eq!(elsewhere.join().ok(), Some(true));
}

#[test]
fn hundreds_of_instances_live_side_by_side() {
    let component = Guest::good().load(&library()).unwrap();
    let mut instances: Vec<Instance> = (0..600).map(|_| begin(&component).unwrap().0).collect();
    assert!(instances.iter_mut().all(|instance| instance.step(&seat_0_moves(), stream(2)).is_ok()));
}

/// Makes the game end with one count, and tells where in memory its `times` lies.
pub fn over_with_count(guest: &mut Guest) -> u32 {
    let name = guest.text("draws");
    let scores = guest.raw_words(&[0, 0, 0, 0]);
    let count = guest.raw_words(&[0, name[0], name[1], 0, 1_000_000]);
    guest.returns(2, &[0, 0, 1, scores, 2, count, 1, 0, 0]);
    count + 12
}

pub fn times(progress: &Progress) -> u32 {
    match &progress.turn {
        ludus_host::turn::Turn::Over(outcome) => outcome.counts[0].times,
        turn => panic!("the game goes on: {turn:?}"),
    }
}
