//! A game's luck comes from the host's stream, in the calls that get one, and from nowhere else.

use ludus_host::fault::FaultKind;

use crate::guest::*;
use crate::play::{over_with_count, times};

/// A game that draws a number in its step and reports it as a count.
fn drawing() -> Guest {
    let mut guest = Guest::good();
    let count = over_with_count(&mut guest);
    guest.first("step", &format!("(i32.store (i32.const {count}) (call $below (i32.const 1000000)))"))
}

#[test]
fn the_same_stream_gives_the_same_draws_and_another_gives_others() {
    let component = drawing().load(&library()).unwrap();
    let draw = |number| {
        let (mut instance, _) = begin(&component).unwrap();
        times(&instance.step(&seat_0_moves(), stream(number)).unwrap())
    };
    assert_eq!(draw(5), draw(5));
    assert_ne!(draw(5), draw(6));
    assert_eq!(draw(5), stream(5).below(1_000_000), "a game gets the stream's own draws");
}

#[test]
fn the_draws_of_one_instance_leave_anothers_alone() {
    let component = drawing().load(&library()).unwrap();
    let alone = {
        let (mut instance, _) = begin(&component).unwrap();
        times(&instance.step(&seat_0_moves(), stream(5)).unwrap())
    };
    let (mut one, _) = begin(&component).unwrap();
    let (mut other, _) = begin(&component).unwrap();
    other.step(&seat_0_moves(), stream(9)).unwrap();
    assert_eq!(times(&one.step(&seat_0_moves(), stream(5)).unwrap()), alone);
}

#[test]
fn a_draw_below_0_is_a_trap() {
    let component = Guest::good().body("step", "(call $below (i32.const 0))").load(&library()).unwrap();
    let (mut instance, _) = begin(&component).unwrap();
    let fault = instance.step(&seat_0_moves(), stream(2)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Trap);
    assert!(fault.detail.contains("below 0"), "{fault}");
}

#[test]
fn a_query_may_not_draw() {
    let component = Guest::good()
        .first("view", "(drop (call $below (i32.const 2)))")
        .first("legal-moves", "(drop (call $below (i32.const 2)))")
        .load(&library())
        .unwrap();
    let (mut instance, _) = begin(&component).unwrap();
    assert_eq!(instance.view(None).unwrap_err().kind, FaultKind::DrewRandomness);
    let (mut instance, _) = begin(&component).unwrap();
    assert_eq!(instance.legal_moves(0).unwrap_err().kind, FaultKind::DrewRandomness);
}

#[test]
fn a_game_may_not_draw_while_it_describes_itself_or_is_set_up() {
    let library = library();
    let error = Guest::good().first("describe", "(drop (call $below (i32.const 2)))").load(&library).unwrap_err();
    assert!(error.to_string().contains("drew randomness in `describe`"), "{error}");
    let begins = "(func $begin (drop (call $below (i32.const 2)))) (start $begin)";
    let error = Guest::good().with(|guest| guest.extra = begins.into()).load(&library).unwrap_err();
    assert!(error.to_string().contains("in `instantiate`"), "{error}");
    play_well(&library);
}

#[test]
fn a_house_player_draws_from_its_own_stream() {
    let component = Guest::good().first("house-move", "(drop (call $below (i32.const 2)))").load(&library()).unwrap();
    let (mut instance, _) = begin(&component).unwrap();
    assert_eq!(instance.house_move(0, "leftist", stream(2)), Ok("left".into()));
}
