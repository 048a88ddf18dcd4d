//! From a wasmtime error to a `Fault`: which kind of misdeed was it?
//!
//! The kinds are told apart by types wherever wasmtime has one. The single exception is the boundary limit, whose error
//! type is private to wasmtime: it is known by its text, and a test (`a_giant_string_is_refused`) watches that.

use wasmtime::{Error, PoolConcurrencyLimitError, Trap};

use crate::fault::{Call, Fault, FaultKind};
use crate::state::Stopped;

/// A trap's story may hold a guest's own strings: cut it here.
const DETAIL_BYTES_MAX: usize = 2_000;

/// What the guest did wrong in `call`.
pub(crate) fn fault(call: Call, error: &Error) -> Fault {
    if error.is::<PoolConcurrencyLimitError>() {
        // Nothing that a game did: too many are alive.
        return Fault::new(FaultKind::Misuse, call, "the host holds more games at once than its pool has room for");
    }
    let kind = kind(error);
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
            Stopped::MemoryFull { .. } | Stopped::TablesFull { .. } | Stopped::GrowthFailed => FaultKind::OutOfMemory,
            Stopped::DrewRandomness => FaultKind::DrewRandomness,
            Stopped::DrewBelowZero => FaultKind::Trap,
        };
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
