//! Ctrl-C while a run goes on: the first one finishes what is begun and saves, the second one leaves at once.

use std::sync::atomic::{AtomicBool, Ordering};

/// Set by the first Ctrl-C.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// The exit code of a program that Ctrl-C ended, whatever it saved.
pub const INTERRUPTED: u8 = 130;

/// Listens to Ctrl-C from now on. `tells`: whether this process says what it does.
///
/// # Errors
/// Where the system refuses.
pub fn listen(tells: bool) -> anyhow::Result<()> {
    ctrlc::set_handler(move || {
        if STOP.swap(true, Ordering::Relaxed) {
            // Without libtorch's destructors: they would pull the ground from under the threads that still compute.
            // SAFETY: it takes a number and does not return.
            unsafe { libc::_exit(INTERRUPTED.into()) };
        }
        if tells {
            eprintln!("\nfinishing what is begun, and saving; Ctrl-C again leaves at once");
        }
    })?;
    Ok(())
}
