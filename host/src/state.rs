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

/// The data of one wasmtime `Store`.
pub(crate) struct State {
    /// The draws of the present call, or none where the call gets no randomness.
    pub random: Option<Stream>,
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
    /// The operating system or the module's own bound said no.
    GrowthFailed,
    DrewRandomness,
    DrewBelowZero,
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
            Stopped::GrowthFailed => formatter.write_str("its memory or table could not grow"),
            Stopped::DrewRandomness => formatter.write_str("it drew a random number in a call that gets none"),
            Stopped::DrewBelowZero => formatter.write_str("it asked for a random number below 0"),
        }
    }
}

impl std::error::Error for Stopped {}

impl State {
    pub fn new(limits: Limits) -> State {
        State { random: None, memory_bytes: 0, table_elements: 0, limits }
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
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let bytes = self.memory_bytes.saturating_add(desired.saturating_sub(current) as u64);
        let bytes_max = self.limits.memory_bytes_max;
        if bytes > bytes_max {
            return Err(wasmtime::Error::new(Stopped::MemoryFull { bytes_max }));
        }
        self.memory_bytes = bytes;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(wasmtime::Error::new(Stopped::GrowthFailed))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let elements = self.table_elements.saturating_add(desired.saturating_sub(current) as u64);
        let elements_max = self.limits.table_elements_max;
        if elements > elements_max {
            return Err(wasmtime::Error::new(Stopped::TablesFull { elements_max }));
        }
        self.table_elements = elements;
        Ok(true)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(wasmtime::Error::new(Stopped::GrowthFailed))
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
