//! Games that take more than they may: time, memory, stack, room.

use ludus_host::engine::Allocation;
use ludus_host::fault::{Call, Fault, FaultKind};
use ludus_host::limits::Limits;
use ludus_host::turn::{Progress, Rejection};

use crate::guest::*;

/// Starts the game and takes one step; the fault that comes of it. Afterwards the instance is dead and the library well.
fn fault(guest: Guest) -> Fault {
    let library = library();
    let component = guest.load(&library).expect("the hostile game loads");
    let (mut instance, _) = match begin(&component) {
        Ok(begun) => begun,
        Err(fault) => {
            play_well(&library);
            return fault;
        }
    };
    let fault = instance.step(&seat_0_moves(), stream(2)).expect_err("the hostile game goes on");
    assert_eq!(instance.step(&seat_0_moves(), stream(2)).unwrap_err().kind, FaultKind::Dead);
    assert_eq!(instance.view(None).unwrap_err().kind, FaultKind::Dead);
    assert_eq!(instance.legal_moves(0).unwrap_err().kind, FaultKind::Dead);
    assert_eq!(instance.house_move(0, "leftist", stream(2)).unwrap_err().kind, FaultKind::Dead);
    play_well(&library);
    fault
}

fn kind_in_step(code: &str) -> FaultKind {
    let fault = fault(Guest::good().body("step", code));
    assert_eq!(fault.call, Call::Step);
    fault.kind
}

#[test]
fn an_endless_loop_runs_out_of_fuel() {
    assert_eq!(kind_in_step("(loop $again (br $again)) unreachable"), FaultKind::OutOfFuel);
}

#[test]
fn filling_memory_over_and_over_costs_fuel_by_the_byte() {
    let code = "(loop $again (memory.fill (i32.const 0) (i32.const 0) (i32.const 100000)) (br $again)) unreachable";
    assert_eq!(kind_in_step(code), FaultKind::OutOfFuel);
}

#[test]
fn an_endless_start_function_runs_out_of_fuel() {
    let guest = Guest::good().with(|guest| {
        guest.extra = "(func $begin (loop $again (br $again))) (start $begin)".into();
    });
    let library = library();
    let error = guest.load(&library).expect_err("it was described");
    assert!(error.to_string().contains("out of fuel in `instantiate`"), "{error}");
    play_well(&library);
}

#[test]
fn setting_up_takes_no_fuel_from_the_first_call() {
    // Setting up uses most of its own budget; the call must find its budget whole.
    let burn = |times: u32| {
        format!(
            "(local $left i32) (local.set $left (i32.const {times}))
             (loop $again (local.set $left (i32.sub (local.get $left) (i32.const 1))) (br_if $again (local.get $left)))"
        )
    };
    let limits = Limits { fuel_per_call: 1_000_000, fuel_to_instantiate: 1_000_000, ..Limits::STANDARD };
    let guest = Guest::good()
        .with(|guest| guest.extra = format!("(func $begin {}) (start $begin)", burn(100_000)))
        .first("start", &burn(100_000))
        .first("step", &burn(100_000));
    let component = guest.load(&open(limits)).unwrap();
    let (mut instance, _) = begin(&component).unwrap();
    assert!(instance.step(&seat_0_moves(), stream(2)).is_ok());
}

#[test]
fn a_game_that_grows_its_memory_without_end_is_stopped() {
    let code = "(loop $again (drop (memory.grow (i32.const 16))) (br $again)) unreachable";
    assert_eq!(kind_in_step(code), FaultKind::OutOfMemory);
}

#[test]
fn a_game_whose_own_memory_bound_is_reached_is_stopped_too() {
    let guest = Guest::good()
        .with(|guest| guest.memory = "(memory (export \"memory\") 2 3)")
        .body("step", "(drop (memory.grow (i32.const 2))) unreachable");
    assert_eq!(fault(guest).kind, FaultKind::OutOfMemory);
}

#[test]
fn a_game_that_begins_with_too_much_memory_does_not_begin() {
    for allocation in [Allocation::OnDemand, Allocation::STANDARD] {
        let guest = Guest::good().with(|guest| guest.memory = "(memory (export \"memory\") 1000)");
        let library = open_with(TIGHT, allocation);
        let error = guest.load(&library).expect_err("it was described");
        assert!(error.to_string().contains("memory"), "{error}");
        play_well(&library);
    }
}

#[test]
fn more_games_than_the_pool_has_room_for_are_no_games_fault() {
    let library = open_with(TIGHT, Allocation::Pooling { instances_max: 2, keep_resident_bytes: 0 });
    let component = Guest::good().load(&library).unwrap();
    let first = begin(&component).unwrap();
    let _second = begin(&component).unwrap();
    assert_eq!(begin(&component).err().map(|fault| fault.kind), Some(FaultKind::HostFailed));
    drop(first);
    assert!(begin(&component).is_ok());
}

#[test]
fn a_game_that_grows_a_table_without_end_is_stopped() {
    let guest = Guest::good()
        .with(|guest| guest.extra = "(table $seats 1 funcref)".into())
        .body("step", "(drop (table.grow $seats (ref.null func) (i32.const 5000))) unreachable");
    assert_eq!(fault(guest).kind, FaultKind::OutOfMemory);
}

#[test]
fn deep_recursion_is_a_stack_overflow() {
    let guest = Guest::good()
        .with(|guest| {
            guest.extra =
                "(func $deeper (param i32) (result i32) (i32.add (i32.const 1) (call $deeper (local.get 0))))".into()
        })
        .body("step", "(call $deeper (i32.const 1))");
    assert_eq!(fault(guest).kind, FaultKind::StackOverflow);
}

#[test]
fn unreachable_is_a_trap() {
    assert_eq!(kind_in_step("unreachable"), FaultKind::Trap);
}

#[test]
fn reading_past_the_memory_is_a_trap() {
    assert_eq!(kind_in_step("(i32.load (i32.const -4))"), FaultKind::Trap);
}

#[test]
fn an_answer_outside_the_memory_is_a_trap() {
    assert_eq!(kind_in_step("(i32.const -4)"), FaultKind::Trap);
    let guest = Guest::good().with(|guest| {
        guest.returns(5, &[0x7fff_0000, 100]);
    });
    let (mut instance, _) = begin(&guest.load(&library()).unwrap()).unwrap();
    assert_eq!(instance.view(None).unwrap_err().kind, FaultKind::Trap);
}

#[test]
fn text_that_is_no_utf_8_is_a_trap() {
    let guest = Guest::good().with(|guest| {
        let broken = guest.raw_words(&[0xffff_ffff]);
        guest.returns(5, &[broken, 4]);
    });
    let (mut instance, _) = begin(&guest.load(&library()).unwrap()).unwrap();
    assert_eq!(instance.view(None).unwrap_err().kind, FaultKind::Trap);
}

#[test]
fn a_giant_string_is_refused() {
    // Two MiB of text, all inside the guest's memory.
    let guest = Guest::good().with(|guest| guest.memory = "(memory (export \"memory\") 64)").with(|guest| {
        guest.returns(5, &[0, 2 << 20]);
    });
    let library = library();
    let (mut instance, _) = begin(&guest.load(&library).unwrap()).unwrap();
    let fault = instance.view(None).unwrap_err();
    assert_eq!((fault.kind, fault.call), (FaultKind::BoundaryTooLarge, Call::View));
    play_well(&library);
}

#[test]
fn a_million_empty_strings_are_refused() {
    let guest = Guest::good().with(|guest| guest.memory = "(memory (export \"memory\") 128)").with(|guest| {
        guest.returns(3, &[1, 0, 1_000_000]);
    });
    let (mut instance, _) = begin(&guest.load(&library()).unwrap()).unwrap();
    assert_eq!(instance.legal_moves(0).unwrap_err().kind, FaultKind::BoundaryTooLarge);
}

#[test]
fn a_long_text_within_the_boundary_is_still_refused() {
    let guest = Guest::good()
        .with(|guest| guest.view_returns(&"a".repeat(70_000)))
        .with(|guest| guest.memory = "(memory (export \"memory\") 4)");
    let (mut instance, _) = begin(&guest.load(&library()).unwrap()).unwrap();
    assert_eq!(instance.view(None).unwrap_err().kind, FaultKind::BadText);
}

#[test]
fn a_game_that_never_ends_is_stopped_at_its_own_bound() {
    let goes_on = Progress { rejections: vec![], turn: asks(&[0]) };
    let component = Guest::good().with(|guest| guest.step_returns(&goes_on)).load(&library()).unwrap();
    let (mut instance, _) = begin(&component).unwrap();
    for _ in 0..component.manifest.steps_max {
        assert!(instance.step(&seat_0_moves(), stream(2)).is_ok());
    }
    assert_eq!(instance.step(&seat_0_moves(), stream(2)).unwrap_err().kind, FaultKind::TooManySteps);
}

#[test]
fn a_players_blunders_do_not_count_as_the_games_steps_but_are_bounded() {
    let rejected = Progress { rejections: vec![Rejection { seat: 0, reason: "No.".into() }], turn: asks(&[0]) };
    let limits = Limits { rejections_max: 10, ..Limits::STANDARD };
    let component = Guest::good().with(|guest| guest.step_returns(&rejected)).load(&open(limits)).unwrap();
    let (mut instance, _) = begin(&component).unwrap();
    for _ in 0..10 {
        assert!(instance.step(&seat_0_moves(), stream(2)).is_ok());
    }
    assert_eq!(instance.step(&seat_0_moves(), stream(2)).unwrap_err().kind, FaultKind::TooManySteps);
}
