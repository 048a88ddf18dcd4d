//! What the host keeps for one instance: its randomness for the present call, and its memory account.
//!
//! wasmtime hands this to the one import that a game has, and asks it before any memory or table grows. A refusal traps
//! the guest at once. That is deliberate: a guest that was told "no" and went on would behave differently on machines with
//! more and with less memory.

use std::fmt;

use wasmtime::ResourceLimiter;

use crate::bindings::ludus::game::random;
use crate::limits::Limits;
use crate::stream::Stream;
use crate::wasi::Wasi;

/// The data of one wasmtime `Store`.
pub(crate) struct State {
    /// The draws of the present call, or none where the call gets no randomness.
    pub random: Option<Stream>,
    /// The draws of a language's own run time while an instance is set up; none once it is.
    pub setup_random: Option<Stream>,
    pub wasi: Wasi,
    memory_bytes: u64,
    table_elements: u64,
    limits: Limits,
}

/// Why the host stopped a guest. Travels through wasmtime as an error and is found again in `trap.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    MemoryFull {
        bytes_max: u64,
    },
    TablesFull {
        elements_max: u64,
    },
    /// More than the module itself declares.
    PastItsOwnMaximum,
    /// The operating system said no.
    HostHasNoMore,
    /// The watchdog gave its call up.
    TookTooLong {
        seconds: u32,
    },
    DrewRandomness,
    DrewBelowZero,
    /// It ended its own program.
    Exited,
    /// What it did with the virtual WASI.
    BadWasiCall(&'static str),
}

impl fmt::Display for Stopped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stopped::MemoryFull { bytes_max } => {
                write!(formatter, "it asked for more than {bytes_max} bytes of memory")
            }
            Stopped::TablesFull { elements_max } => {
                write!(formatter, "it asked for tables of more than {elements_max} elements")
            }
            Stopped::PastItsOwnMaximum => formatter.write_str("it asked for more than its own module allows"),
            Stopped::HostHasNoMore => formatter.write_str("its memory or table could not grow"),
            Stopped::TookTooLong { seconds } => {
                write!(formatter, "a call was still going on after {seconds} s")
            }
            Stopped::DrewRandomness => formatter.write_str("it drew a random number in a call that gets none"),
            Stopped::DrewBelowZero => formatter.write_str("it asked for a random number below 0"),
            Stopped::Exited => formatter.write_str("it called `exit`"),
            Stopped::BadWasiCall(what) => write!(formatter, "it {what}"),
        }
    }
}

impl std::error::Error for Stopped {}

impl State {
    pub fn new(limits: Limits) -> State {
        State { random: None, setup_random: None, wasi: Wasi::default(), memory_bytes: 0, table_elements: 0, limits }
    }
}

impl random::Host for State {
    fn below(&mut self, bound: u32) -> wasmtime::Result<u32> {
        match &mut self.random {
            None => Err(wasmtime::Error::new(Stopped::DrewRandomness)),
            Some(_) if bound == 0 => Err(wasmtime::Error::new(Stopped::DrewBelowZero)),
            Some(stream) => Ok(stream.below(bound)),
        }
    }
}

impl ResourceLimiter for State {
    // A component may hold many memories: their sum is what counts.
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        check_own_maximum(desired, maximum)?;
        let bytes = self.memory_bytes.saturating_add(desired.saturating_sub(current) as u64);
        let bytes_max = self.limits.memory_bytes_max;
        if bytes > bytes_max {
            return Err(wasmtime::Error::new(Stopped::MemoryFull { bytes_max }));
        }
        self.memory_bytes = bytes;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(wasmtime::Error::new(Stopped::HostHasNoMore))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        check_own_maximum(desired, maximum)?;
        let elements = self.table_elements.saturating_add(desired.saturating_sub(current) as u64);
        let elements_max = self.limits.table_elements_max;
        if elements > elements_max {
            return Err(wasmtime::Error::new(Stopped::TablesFull { elements_max }));
        }
        self.table_elements = elements;
        Ok(true)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(wasmtime::Error::new(Stopped::HostHasNoMore))
    }

    fn instances(&self) -> usize {
        self.limits.core_instances_max as usize
    }

    fn memories(&self) -> usize {
        self.limits.core_instances_max as usize
    }

    fn tables(&self) -> usize {
        self.limits.core_instances_max as usize
    }
}

/// wasmtime would report this as a failed growth, like the operating system's refusal. Only one of them is the game's.
fn check_own_maximum(desired: usize, maximum: Option<usize>) -> wasmtime::Result<()> {
    if maximum.is_some_and(|maximum| desired > maximum) {
        return Err(wasmtime::Error::new(Stopped::PastItsOwnMaximum));
    }
    Ok(())
}
