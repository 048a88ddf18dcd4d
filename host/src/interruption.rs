//! What asks a run to end early: Ctrl-C, SIGTERM, and SIGHUP, which comes when the terminal is closed.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code of a program that was asked to end.
pub const INTERRUPTED: u8 = 130;

/// Whether one of them came.
static CAME: AtomicBool = AtomicBool::new(false);

/// Whether this program was asked to end.
pub fn came() -> bool {
    CAME.load(Ordering::Relaxed)
}

/// Listens from now on. The first of them is for the run to look at; a second Ctrl-C ends the program at once.
///
/// # Errors
/// Where the system refuses.
pub fn listen() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        if CAME.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        // Where nobody can read it any more, it is no use.
        let _ = writeln!(std::io::stderr(), "\nfinishing the episodes that are begun; Ctrl-C again leaves at once");
    })?;
    for signal in [libc::SIGTERM, libc::SIGHUP] {
        note(signal);
    }
    Ok(())
}

/// Notes that a signal came, and no more than that: a terminal that is closed sends SIGHUP twice, by the shell and by itself.
fn note(signal: libc::c_int) {
    extern "C" fn came(_: libc::c_int) {
        CAME.store(true, Ordering::Relaxed);
    }
    let handler = came as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: all that the handler does is to write to an atomic, which a signal may interrupt anything for.
    unsafe {
        // Whoever ignores it for us, as `nohup` does, means it.
        if libc::signal(signal, handler) == libc::SIG_IGN {
            libc::signal(signal, libc::SIG_IGN);
        }
    }
}
