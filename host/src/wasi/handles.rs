//! What stands behind a guest's handles.
//!
//! wasmtime keeps an entry for each handle, so their number is bounded here. Of streams there is nothing more to remember;
//! of what a guest waits for, the moment.

use wasmtime::component::Resource;

use super::clock::Clock;

/// How many may be open in one instance. Libraries hold a handful.
const HANDLES_MAX: usize = 1_024;

/// Something to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pollable {
    /// A stream: there is never anything to wait for.
    Ready,
    /// A moment of the virtual clock.
    At { ns: u64 },
}

impl Pollable {
    pub fn ready_at_ns(self) -> u64 {
        match self {
            Pollable::Ready => 0,
            Pollable::At { ns } => ns,
        }
    }

    pub fn is_ready(self, clock: &Clock) -> bool {
        self.ready_at_ns() <= clock.now_ns()
    }
}

#[derive(Debug, Default)]
pub struct Handles {
    streams: usize,
    /// By the number behind the handle.
    pollables: Vec<Option<Pollable>>,
}

/// Too many handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl Handles {
    pub fn open_stream(&mut self) -> Result<(), TooMany> {
        if self.streams == HANDLES_MAX {
            return Err(TooMany);
        }
        self.streams += 1;
        Ok(())
    }

    pub fn close_stream(&mut self) {
        self.streams = self.streams.saturating_sub(1);
    }

    pub fn wait_for(&mut self, pollable: Pollable) -> Result<Resource<Pollable>, TooMany> {
        let number = match self.pollables.iter().position(Option::is_none) {
            Some(number) => number,
            None if self.pollables.len() < HANDLES_MAX => {
                self.pollables.push(None);
                self.pollables.len() - 1
            }
            None => return Err(TooMany),
        };
        self.pollables[number] = Some(pollable);
        Ok(Resource::new_own(number as u32))
    }

    /// A handle that wasmtime let through is open; one that is not would have nothing to wait for.
    pub fn pollable(&self, handle: &Resource<Pollable>) -> Pollable {
        self.pollables.get(handle.rep() as usize).copied().flatten().unwrap_or(Pollable::Ready)
    }

    pub fn drop_pollable(&mut self, number: u32) {
        if let Some(place) = self.pollables.get_mut(number as usize) {
            *place = None;
        }
    }
}
