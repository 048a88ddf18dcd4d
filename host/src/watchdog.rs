//! Gives a call up that goes on for far longer than its fuel could last.
//!
//! Fuel bounds what a game computes, and with it how long a call takes. But what wasmtime does between two components within
//! one, as when it copies a long text from the one's memory to the other's, costs none: a loop of such copies could go on for
//! days. So a call has a number of seconds, too. A clock must decide no game: where they are over, that is the host's shortage,
//! the episode is given up, and nothing of it is recorded.
//!
//! One thread an engine counts the seconds, which are wasmtime's epochs. A process that is stopped does not count them.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use wasmtime::{Engine, Error, Result, Store};

use crate::state::{State, Stopped};

const SECOND: Duration = Duration::from_secs(1);

/// Counts an engine's seconds for as long as it is there.
pub(crate) struct Watchdog {
    /// Nothing is ever sent: the thread ends when this is gone.
    _alive: Sender<()>,
}

impl Watchdog {
    /// # Errors
    /// Where the system has no room for a thread.
    pub fn start(engine: &Engine) -> Result<Watchdog> {
        let (alive, gone) = channel();
        let engine = engine.weak();
        thread::Builder::new().name("watchdog".to_string()).spawn(move || {
            while gone.recv_timeout(SECOND) == Err(RecvTimeoutError::Timeout) {
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
            }
        })?;
        Ok(Watchdog { _alive: alive })
    }
}

/// What happens in a store once the seconds of a call are over.
pub(crate) fn arm(store: &mut Store<State>, seconds: u32) {
    store.epoch_deadline_callback(move |_| Err(Error::new(Stopped::TookTooLong { seconds })));
}

/// Gives the call that begins now all its seconds.
pub(crate) fn begin(store: &mut Store<State>, seconds: u32) {
    // The present second may be nearly over.
    store.set_epoch_deadline(u64::from(seconds) + 1);
}
