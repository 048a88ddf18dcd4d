//! From a wasmtime error to a `Fault`: which kind of misdeed was it?
//!
//! The kinds are told apart by types wherever wasmtime has one. The single exception is the boundary limit, whose error
//! type is private to wasmtime: it is known by its text, and a test (`a_giant_string_is_refused`) watches that.

use wasmtime::{Error, PoolConcurrencyLimitError, Trap, WasmBacktrace};

use crate::fault::{Call, Fault, FaultKind};
use crate::state::Stopped;

/// A trap's story may hold a guest's own strings: cut it here.
const DETAIL_BYTES_MAX: usize = 2_000;

/// What the guest did wrong in `call`.
pub(crate) fn fault(call: Call, error: &Error) -> Fault {
    fault_of_kind(kind(error), call, error)
}

/// Why a component could not be instantiated that was instantiated before, when it described itself. What
/// happened outside of the guest's code is then the machine's doing: no memory, no addresses.
pub(crate) fn fault_of_known_component(error: &Error) -> Fault {
    let is_the_guests = error.is::<Trap>() || error.is::<Stopped>() || error.is::<WasmBacktrace>();
    fault_of_kind(if is_the_guests { kind(error) } else { FaultKind::HostFailed }, Call::Instantiate, error)
}

fn fault_of_kind(kind: FaultKind, call: Call, error: &Error) -> Fault {
    let mut detail = match error.downcast_ref::<Stopped>() {
        Some(stopped) => stopped.to_string(),
        None => story(error),
    };
    truncate(&mut detail, DETAIL_BYTES_MAX);
    Fault::new(kind, call, detail)
}

fn kind(error: &Error) -> FaultKind {
    if let Some(stopped) = error.downcast_ref::<Stopped>() {
        return match stopped {
            Stopped::MemoryFull { .. } | Stopped::TablesFull { .. } | Stopped::PastItsOwnMaximum => {
                FaultKind::OutOfMemory
            }
            Stopped::HostHasNoMore | Stopped::TookTooLong { .. } => FaultKind::HostFailed,
            Stopped::DrewRandomness => FaultKind::DrewRandomness,
            Stopped::DrewBelowZero | Stopped::Exited | Stopped::BadWasiCall(_) => FaultKind::Trap,
        };
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return FaultKind::HostFailed;
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => FaultKind::OutOfFuel,
        Some(Trap::StackOverflow) => FaultKind::StackOverflow,
        Some(Trap::AllocationTooLarge) => FaultKind::OutOfMemory,
        Some(_) => FaultKind::Trap,
        None if error.root_cause().to_string().contains("fuel allocated for hostcalls has been exhausted") => {
            FaultKind::BoundaryTooLarge
        }
        // What is left are values that are none of the contract's: broken UTF-8, a discriminant or pointer out of range.
        None => FaultKind::Trap,
    }
}

/// The cause on the first line, then where in the guest it happened.
fn story(error: &Error) -> String {
    let cause = error.root_cause().to_string();
    let context = error.to_string();
    if context == cause { cause } else { format!("{cause}\n{context}") }
}

/// Cuts at a character's edge.
pub(crate) fn truncate(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.push('…');
    }
}
