//! The suite: a name, a game, and how it must end.

use ludus_host::fault::{Call, FaultKind};
use ludus_host::library::Library;
use ludus_host::turn::{Count, Outcome, Progress, Rejection, Request, Turn};

use crate::guest::*;

/// The host's memory stays below this for all of them, one after the other.
const HOST_BYTES_MAX: u64 = 400 << 20;

/// How a game must end.
#[derive(Debug)]
enum End {
    /// It is not let in; the sentence holds this.
    Refused(String),
    Fault(FaultKind, Call),
    /// It can do no harm: it plays, twice the same.
    Plays,
}

use Call::{HouseMove, LegalMoves, Start, Step, View};
use End::{Fault, Plays, Refused};
use FaultKind::{
    BadCounts, BadLegalMoves, BadScores, BadSeats, BadText, BoundaryTooLarge, DrewRandomness, OutOfFuel, OutOfMemory,
    SetupRefused, StackOverflow, Trap,
};

const LOOP: &str = "(loop $again (br $again)) (unreachable)";

fn refused(part: &str) -> End {
    Refused(part.to_string())
}

fn good() -> Guest {
    Guest::good()
}

/// A game that does this in one of its functions.
fn does(function: &str, code: &str) -> Vec<u8> {
    good().body(function, code).bytes_of_component()
}

/// The same, with more in its module.
fn with(extra: &str, function: &str, code: &str) -> Vec<u8> {
    good().with(|guest| guest.extra = extra.into()).body(function, code).bytes_of_component()
}

fn memory(memory: &'static str) -> Guest {
    good().with(|guest| guest.memory = memory)
}

/// A game whose function returns these words.
fn returns(guest: Guest, function: usize, words: &[u32]) -> Vec<u8> {
    guest
        .with(|guest| {
            guest.returns(function, words);
        })
        .bytes_of_component()
}

fn answers(progress: Progress) -> Vec<u8> {
    memory("(memory (export \"memory\") 8)").with(|guest| guest.step_returns(&progress)).bytes_of_component()
}

fn ends(scores: &[f64]) -> Vec<u8> {
    answers(Progress { rejections: vec![], turn: over(scores) })
}

fn counts(counts: Vec<Count>) -> Vec<u8> {
    let outcome = Outcome { scores: vec![1.0, 0.0], counts, summary: String::new() };
    answers(Progress { rejections: vec![], turn: Turn::Over(outcome) })
}

fn asks_for(requests: Vec<(u32, String)>) -> Vec<u8> {
    let requests = requests.into_iter().map(|(seat, prompt)| Request { seat, prompt }).collect();
    answers(Progress { rejections: vec![], turn: Turn::Decide(requests) })
}

fn describes(name: &'static str, steps_max: u32, schema: &str) -> Vec<u8> {
    good().with(|guest| guest.describe(&About { name, steps_max, schema: schema.into() })).bytes_of_component()
}

fn wasi(import: &'static str, code: &str) -> Vec<u8> {
    memory("(memory (export \"memory\") 4)")
        .with(|guest| guest.imports = import)
        .body("step", code)
        .bytes_of_component()
}

fn text(component: &str) -> Vec<u8> {
    wat::parse_str(component).expect("the text of the component")
}

/// A deep chain of types, to make a validator work.
fn nested_types(depth: usize) -> Vec<u8> {
    let mut types = String::from("(type $t0 (list u8))");
    for level in 1..depth {
        types.push_str(&format!("(type $t{level} (tuple $t{} $t{}))", level - 1, level - 1));
    }
    text(&format!("(component {types})"))
}

/// Ten thousand functions with many branches each.
fn slow_to_compile() -> Vec<u8> {
    let branch = "(br_if 0 (local.get 0))".repeat(40);
    let functions: String = (0..10_000).map(|_| format!("(func (param i32) (block {branch}))")).collect();
    with(&functions, "view", "(i32.const 0) (drop) (unreachable)")
}

fn suite() -> Vec<(&'static str, Vec<u8>, End)> {
    let clock = r#"(import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))"#;
    let write = r#"(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))"#;
    let exit = r#"(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#;
    let random = r#"(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))"#;
    let call_itself = "(func $deeper (param i32) (result i32) (i32.add (i32.const 1) (call $deeper (local.get 0))))";
    let count = |seat, name: &str, times, chances| Count { seat, name: name.into(), times, chances };
    let counter = "(global $played (mut i32) (i32.const 0))";
    vec![
        // It hangs.
        ("loops in describe", does("describe", LOOP), refused("out of fuel")),
        ("loops in start", does("start", LOOP), Fault(OutOfFuel, Start)),
        ("loops in step", does("step", LOOP), Fault(OutOfFuel, Step)),
        ("loops in legal-moves", does("legal-moves", LOOP), Fault(OutOfFuel, LegalMoves)),
        ("loops in house-move", does("house-move", LOOP), Fault(OutOfFuel, HouseMove)),
        ("loops in view", does("view", LOOP), Fault(OutOfFuel, View)),
        ("loops while it is set up", with("(func $f (loop $again (br $again))) (start $f)", "view", LOOP), refused("out of fuel")),
        ("fills memory for ever", does("step", "(loop $a (memory.fill (i32.const 0) (i32.const 1) (i32.const 60000)) (br $a)) (unreachable)"), Fault(OutOfFuel, Step)),
        ("copies memory for ever", does("step", "(loop $a (memory.copy (i32.const 0) (i32.const 1) (i32.const 60000)) (br $a)) (unreachable)"), Fault(OutOfFuel, Step)),
        ("draws for ever", does("step", "(loop $a (drop (call $below (i32.const 9))) (br $a)) (unreachable)"), Fault(OutOfFuel, Step)),
        ("reads the clock for ever", wasi(clock, "(loop $a (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 200000))) (br $a)) (unreachable)"), Fault(OutOfFuel, Step)),
        ("prints for ever", wasi(write, "(i32.store (i32.const 200000) (i32.const 0)) (i32.store (i32.const 200004) (i32.const 60000)) (loop $a (drop (call $write (i32.const 1) (i32.const 200000) (i32.const 1) (i32.const 200008))) (br $a)) (unreachable)"), Fault(OutOfFuel, Step)),
        // It eats memory, tables, stack.
        ("grows its memory", does("step", "(loop $a (drop (memory.grow (i32.const 16))) (br $a)) (unreachable)"), Fault(OutOfMemory, Step)),
        ("grows its memory in a query", does("view", "(loop $a (drop (memory.grow (i32.const 16))) (br $a)) (unreachable)"), Fault(OutOfMemory, View)),
        ("grows past its own bound", memory("(memory (export \"memory\") 2 3)").body("step", "(drop (memory.grow (i32.const 9))) (unreachable)").bytes_of_component(), Fault(OutOfMemory, Step)),
        ("begins with 64 MiB", memory("(memory (export \"memory\") 1000)").bytes_of_component(), refused("memory")),
        ("grows a table", with("(table $t 1 funcref)", "step", "(drop (table.grow $t (ref.null func) (i32.const 5000))) (unreachable)"), Fault(OutOfMemory, Step)),
        ("begins with a huge table", with("(table 90000000 funcref)", "step", "(unreachable)"), refused("table")),
        ("recurses", with(call_itself, "step", "(call $deeper (i32.const 1))"), Fault(StackOverflow, Step)),
        ("recurses in a query", with(call_itself, "legal-moves", "(call $deeper (i32.const 1))"), Fault(StackOverflow, LegalMoves)),
        // It eats the host's memory.
        ("returns a giant text", returns(memory("(memory (export \"memory\") 64)"), 5, &[0, 3 << 20]), Fault(BoundaryTooLarge, View)),
        ("returns a text of 4 GiB", returns(good(), 5, &[0, u32::MAX]), Fault(Trap, View)),
        ("lists a million empty moves", returns(memory("(memory (export \"memory\") 128)"), 3, &[1, 0, 1_000_000]), Fault(BoundaryTooLarge, LegalMoves)),
        ("lists one buffer many times", aliased(), Fault(BoundaryTooLarge, LegalMoves)),
        ("returns a long view", memory("(memory (export \"memory\") 4)").with(|guest| guest.view_returns(&"v".repeat(70_000))).bytes_of_component(), Fault(BadText, View)),
        ("asks with a long prompt", asks_for(vec![(0, "p".repeat(70_000))]), Fault(BadText, Step)),
        // It returns what it must not.
        ("scores NaN", ends(&[f64::NAN, 0.0]), Fault(BadScores, Step)),
        ("scores infinity", ends(&[f64::INFINITY, 0.0]), Fault(BadScores, Step)),
        ("scores 2", ends(&[2.0, 0.0]), Fault(BadScores, Step)),
        ("scores one seat of two", ends(&[1.0]), Fault(BadScores, Step)),
        ("scores nobody", ends(&[]), Fault(BadScores, Step)),
        ("asks a seat that is not there", asks_for(vec![(2, "Move!".into())]), Fault(BadSeats, Step)),
        ("asks a seat twice", asks_for(vec![(0, "Move!".into()), (0, "Move!".into())]), Fault(BadSeats, Step)),
        ("asks nobody", asks_for(vec![]), Fault(BadSeats, Step)),
        ("asks nothing", asks_for(vec![(0, " ".into())]), Fault(BadText, Step)),
        ("rejects who did not move", answers(Progress { rejections: vec![Rejection { seat: 1, reason: "No.".into() }], turn: asks(&[1]) }), Fault(BadSeats, Step)),
        ("rejects without a reason", answers(Progress { rejections: vec![Rejection { seat: 0, reason: String::new() }], turn: asks(&[0]) }), Fault(BadText, Step)),
        ("rejects and ends", answers(Progress { rejections: vec![Rejection { seat: 0, reason: "No.".into() }], turn: over(&[1.0, 0.0]) }), Fault(BadSeats, Step)),
        ("counts more than chances", counts(vec![count(0, "wins", 4, 3)]), Fault(BadCounts, Step)),
        ("counts without a name", counts(vec![count(0, "", 1, 3)]), Fault(BadCounts, Step)),
        ("counts without end", counts((0..300).map(|number| count(0, &format!("c{number}"), 0, 0)).collect()), Fault(BadCounts, Step)),
        ("lists no legal move", good().with(|guest| guest.legal_moves_return(Some(&[]))).bytes_of_component(), Fault(BadLegalMoves, LegalMoves)),
        ("lists an empty move", good().with(|guest| guest.legal_moves_return(Some(&[String::new()]))).bytes_of_component(), Fault(BadText, LegalMoves)),
        ("has no house player after all", good().with(|guest| guest.house_move_returns(Err("no"))).bytes_of_component(), Fault(FaultKind::BadHousePlayer, HouseMove)),
        ("refuses its own options", good().with(|guest| guest.start_refuses("no")).bytes_of_component(), Fault(SetupRefused, Start)),
        ("returns text that is none", broken_text(), Fault(Trap, View)),
        ("returns an unknown variant", returns(good(), 2, &[0, 0, 9, 0, 0, 0, 0, 0, 0]), Fault(Trap, Step)),
        ("returns from nowhere", does("step", "(i32.const -4)"), Fault(Trap, Step)),
        ("returns an odd address", does("step", "(i32.const 1027)"), Fault(Trap, Step)),
        // It breaks.
        ("gives up", does("step", "(unreachable)"), Fault(Trap, Step)),
        ("divides by zero", does("step", "(i32.div_u (i32.const 1) (i32.const 0))"), Fault(Trap, Step)),
        ("reads past its memory", does("step", "(i32.load (i32.const -4))"), Fault(Trap, Step)),
        ("writes past its memory", does("step", "(i32.store (i32.const -4) (i32.const 1)) (unreachable)"), Fault(Trap, Step)),
        ("calls nothing", with("(table $t 1 funcref) (type $f (func))", "step", "(call_indirect $t (type $f) (i32.const 0)) (unreachable)"), Fault(Trap, Step)),
        ("draws below nothing", does("step", "(call $below (i32.const 0))"), Fault(Trap, Step)),
        ("leaves its program", wasi(exit, "(call $exit (i32.const 0)) (unreachable)"), Fault(Trap, Step)),
        // It wants to be another game the second time.
        ("draws in a view", good().first("view", "(drop (call $below (i32.const 2)))").bytes_of_component(), Fault(DrewRandomness, View)),
        ("draws in legal-moves", good().first("legal-moves", "(drop (call $below (i32.const 2)))").bytes_of_component(), Fault(DrewRandomness, LegalMoves)),
        ("draws of WASI in a view", memory("(memory (export \"memory\") 4)").with(|guest| guest.imports = random).first("view", "(drop (call $random (i32.const 200000) (i32.const 8)))").bytes_of_component(), Fault(DrewRandomness, View)),
        ("draws while it describes itself", good().first("describe", "(drop (call $below (i32.const 2)))").bytes_of_component(), refused("drew randomness")),
        ("counts its episodes in a static", good().with(|guest| guest.extra = counter.into()).first("start", "(global.set $played (i32.add (global.get $played) (i32.const 1))) (if (i32.gt_u (global.get $played) (i32.const 1)) (then (unreachable)))").bytes_of_component(), Plays),
        ("reads memory that nobody wrote", good().first("start", "(if (i32.load (i32.const 100000)) (then (unreachable))) (i32.store (i32.const 100000) (i32.const 1))").bytes_of_component(), Plays),
        ("asks the clock whether it is its birthday", memory("(memory (export \"memory\") 4)").with(|guest| guest.imports = clock).first("step", "(drop (call $clock (i32.const 0) (i64.const 0) (i32.const 200000))) (if (i64.ne (i64.load (i32.const 200000)) (i64.const 946684800000000000)) (then (unreachable)))").bytes_of_component(), Plays),
        // It is not what a game is.
        ("imports sockets", text("(component (import \"wasi:sockets/tcp@0.2.0\" (instance)))"), refused("wasi:sockets/tcp")),
        ("imports HTTP", text("(component (import \"wasi:http/outgoing-handler@0.2.0\" (instance)))"), refused("wasi:http")),
        ("imports the next WASI", text("(component (import \"wasi:clocks/monotonic-clock@0.3.0\" (instance)))"), refused("wasi:clocks")),
        ("imports somebody else's", text("(component (import \"acme:net/socket@1.0.0\" (instance)))"), refused("acme:net/socket")),
        ("imports a function of its own", text("(component (import \"help\" (func)))"), refused("`help`")),
        ("imports a name to fool terminals", text("(component (import \"a:b/c@1.0.0\" (instance)))"), refused("a:b/c")),
        ("defines resources", text("(component (type (resource (rep i32))))"), refused("resource")),
        ("exports no game", text("(component)"), refused("does not export")),
        ("is a core module", text("(module)"), refused("core WebAssembly module")),
        ("is empty", Vec::new(), refused("no WebAssembly")),
        ("is noise", vec![0x5a; 100_000], refused("no WebAssembly")),
        ("is cut off", good().bytes_of_component()[..200].to_vec(), refused("no WebAssembly")),
        ("nests types", nested_types(60), refused("")),
        ("has a bad name", describes("Not A Name", 3, "{}"), refused("kebab-case")),
        ("promises no step", describes("sample", 0, "{}"), refused("steps-max")),
        ("has a schema that is none", describes("sample", 3, "[]"), refused("options-schema")),
        ("has a schema that refuses everything", describes("sample", 3, r#"{"required":["x"]}"#), refused("options-schema")),
        ("has a schema that refers to itself", describes("sample", 3, r##"{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/a"}}}"##), refused("options-schema")),
        ("has a schema from the network", describes("sample", 3, r#"{"$ref":"http://example.org/schema"}"#), refused("options-schema")),
        ("compiles slowly", slow_to_compile(), Fault(Trap, View)),
    ]
}

/// Four thousand moves that are all the same 60 KB of its memory.
fn aliased() -> Vec<u8> {
    let mut guest = memory("(memory (export \"memory\") 8)");
    let list: Vec<u32> = (0..4_000).flat_map(|_| [100_000, 60_000]).collect();
    let address = guest.raw_words(&list);
    returns(guest, 3, &[1, address, 4_000])
}

fn broken_text() -> Vec<u8> {
    let mut guest = good();
    let address = guest.raw_words(&[0xffff_ffff]);
    returns(guest, 5, &[address, 4])
}

/// Every call once, in order, to the first fault.
fn play(library: &Library, component: &[u8]) -> End {
    let component = match library.from_bytes(component.to_vec()) {
        Ok(component) => component,
        Err(error) => return Refused(error.to_string()),
    };
    let played = begin(&component).and_then(|(mut instance, _)| {
        instance.view(None)?;
        instance.legal_moves(0)?;
        instance.house_move(0, "leftist", stream(2))?;
        instance.step(&seat_0_moves(), stream(3))
    });
    played.map_or_else(|fault| Fault(fault.kind, fault.call), |_| Plays)
}

#[test]
fn every_hostile_game_comes_to_its_expected_end_and_the_host_goes_on() {
    let suite = suite();
    assert!(suite.len() >= 40, "{} games", suite.len());
    let library = library();
    let mut wrong = Vec::new();
    for (name, component, expected) in &suite {
        // Twice, since a game may try to be another one the second time.
        for _ in 0..2 {
            let end = play(&library, component);
            let is_expected = match (&end, expected) {
                (Refused(sentence), Refused(part)) => sentence.contains(part.as_str()),
                (Fault(kind, call), Fault(expected, during)) => (kind, call) == (expected, during),
                (Plays, Plays) => true,
                _ => false,
            };
            if !is_expected {
                wrong.push(format!("{name}: {end:?}"));
            }
        }
        play_well(&library);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let peak = host_bytes_at_most();
    assert!(peak < HOST_BYTES_MAX, "the host took {} MiB", peak >> 20);
}

/// The most memory that this process ever held.
fn host_bytes_at_most() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux says how much memory a process holds");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line for it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}
