//! The virtual WASI, as a C library for preview 1 reaches it: a world in which nothing is, and time that only sleeping moves.

use ludus_host::fault::{Fault, FaultKind};

use crate::guest::*;
use crate::play::{over_with_count, times};

const HOUR_NS: u64 = 3_600_000_000_000;

/// Where the guests below let the host write.
const ROOM: u32 = 200 << 10;

const IMPORTS: &str = r#"
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
"#;

/// A guest with WASI preview 1. It may call `$now` (seconds of the monotonic clock), `$sleep` (an hour) and `$say` (the
/// bytes from 0 on).
fn guest() -> Guest {
    Guest::good().with(|guest| {
        guest.imports = IMPORTS;
        // The adapter of preview 1 takes a page for itself.
        guest.memory = "(memory (export \"memory\") 4)";
        guest.extra = format!(
            "(func $now (result i32)
                (drop (call $clock (i32.const 1) (i64.const 0) (i32.const {ROOM})))
                (i32.wrap_i64 (i64.div_u (i64.load (i32.const {ROOM})) (i64.const 1000000000))))
             (func $sleep
                (memory.fill (i32.const {ROOM}) (i32.const 0) (i32.const 48))
                (i32.store (i32.const {}) (i32.const 1))
                (i64.store (i32.const {}) (i64.const {HOUR_NS}))
                (drop (call $poll (i32.const {ROOM}) (i32.const {}) (i32.const 1) (i32.const {}))))
             (func $say (param $bytes i32)
                (i32.store (i32.const {ROOM}) (i32.const 0))
                (i32.store (i32.const {}) (local.get $bytes))
                (drop (call $write (i32.const 2) (i32.const {ROOM}) (i32.const 1) (i32.const {}))))",
            ROOM + 16,
            ROOM + 24,
            ROOM + 64,
            ROOM + 128,
            ROOM + 4,
            ROOM + 128,
        );
    })
}

/// Does `code`, which leaves an i32, in its step; and what came of it.
fn number(code: &str) -> u32 {
    let mut guest = guest();
    let count = over_with_count(&mut guest);
    let component =
        guest.first("step", &format!("(i32.store (i32.const {count}) {code})")).load(&library()).expect("it loads");
    let (mut instance, _) = begin(&component).unwrap();
    times(&instance.step(&seat_0_moves(), stream(5)).unwrap_or_else(|fault| panic!("{}", fault.detail)))
}

fn fault_in_step(code: &str) -> Fault {
    let component = guest().body("step", code).load(&library()).expect("it loads");
    let (mut instance, _) = begin(&component).unwrap();
    instance.step(&seat_0_moves(), stream(5)).expect_err("it misbehaves")
}

#[test]
fn a_sleep_returns_at_once_and_moves_the_clock() {
    assert_eq!(number("(call $now)"), 1);
    assert_eq!(number("(call $sleep) (call $sleep) (call $now)"), 7_201);
}

#[test]
fn the_date_is_the_same_in_every_episode() {
    let date = format!(
        "(drop (call $clock (i32.const 0) (i64.const 0) (i32.const {ROOM})))
         (i32.wrap_i64 (i64.div_u (i64.load (i32.const {ROOM})) (i64.const 86400000000000)))"
    );
    assert_eq!(number(&date), 10_957, "days from 1970 to 2000");
}

#[test]
fn random_bytes_come_from_the_calls_own_stream() {
    let code = format!("(drop (call $random (i32.const {ROOM}) (i32.const 2))) (i32.load16_u (i32.const {ROOM}))");
    assert_eq!(number(&code), u32::from(stream(5).next_u64() as u16));
    let component = guest().first("view", &format!("(drop {code})")).load(&library()).unwrap();
    let (mut instance, _) = begin(&component).unwrap();
    assert_eq!(instance.view(None).unwrap_err().kind, FaultKind::DrewRandomness);
}

#[test]
fn there_are_no_files_no_environment_and_nothing_to_read() {
    const BAD_DESCRIPTOR: u32 = 8;
    assert_eq!(number(&format!("(call $prestat (i32.const 3) (i32.const {ROOM}))")), BAD_DESCRIPTOR);
    let environment =
        format!("(drop (call $environ (i32.const {ROOM}) (i32.const {}))) (i32.load (i32.const {ROOM}))", ROOM + 4);
    assert_eq!(number(&environment), 0);
    let read = format!(
        "(i32.store (i32.const {ROOM}) (i32.const {}))
         (i32.store (i32.const {}) (i32.const 16))
         (i32.store (i32.const {}) (i32.const 77))
         (drop (call $read (i32.const 0) (i32.const {ROOM}) (i32.const 1) (i32.const {})))
         (i32.load (i32.const {}))",
        ROOM + 64,
        ROOM + 4,
        ROOM + 8,
        ROOM + 8,
        ROOM + 8
    );
    assert_eq!(number(&read), 0, "bytes read");
}

#[test]
fn what_a_game_printed_is_shown_with_its_fault() {
    let fault = fault_in_step(
        "(i64.store (i32.const 0) (i64.const 0x21736b6369727421)) (call $say (i32.const 8)) (unreachable)",
    );
    assert_eq!(fault.kind, FaultKind::Trap);
    assert!(fault.detail.contains("stderr: !tricks!"), "{}", fault.detail);
}

#[test]
fn a_game_that_ends_its_program_has_faulted() {
    let fault = fault_in_step("(call $exit (i32.const 0)) (unreachable)");
    assert_eq!(fault.kind, FaultKind::Trap);
    assert!(fault.detail.contains("`exit`"), "{}", fault.detail);
}

#[test]
fn what_the_host_does_for_a_game_costs_fuel() {
    let endless = [
        "(loop $again (drop (call $now)) (br $again)) (unreachable)".to_string(),
        "(loop $again (call $sleep) (br $again)) (unreachable)".to_string(),
        "(loop $again (call $say (i32.const 60000)) (br $again)) (unreachable)".to_string(),
        format!("(loop $again (drop (call $random (i32.const {ROOM}) (i32.const 20000))) (br $again)) (unreachable)"),
    ];
    for code in endless {
        assert_eq!(fault_in_step(&code).kind, FaultKind::OutOfFuel, "{code}");
    }
}
