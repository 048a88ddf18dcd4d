//! What the program needs of its surroundings before it begins.
//!
//! Libtorch's threads and the allocator read settings from the environment before `main`.
//!
//! OpenMP's threads spin while they wait. As soon as another process wants a core, the spinning ones take it from those that
//! work, and a run becomes several times slower, so they are to sleep. But to wake one takes longer than most waits: they spin
//! for about a millisecond first, without which a step on an idle machine takes an eighth longer.
//!
//! Memory that nobody uses goes back to the system between the phases of a run ([`give_back_memory`]), so that what one left does
//! not lie beside the next one's; by itself it does so every two minutes. The allocator gives back whatever is free at that moment,
//! and getting it again costs: with the default, a hundredth of a second, a step takes a quarter longer (docs/performance.md).
//!
//! They are read when the libraries are loaded: so the program starts itself again with them, once. A value that the user set
//! stays.
//!
//! Memory comes from mimalloc, for libtorch too, whose calls end up there because the program has functions of these names. The
//! C library's allocator cannot give a tensor's place to another one of the same size, for libtorch asks for places that are
//! aligned, and so it grew to several times of what was in use where a cache of conversations grows.

use std::os::unix::process::CommandExt;
use std::process::Command;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SETTINGS: [(&str, &str); 3] =
    [("OMP_WAIT_POLICY", "passive"), ("GOMP_SPINCOUNT", "30000"), ("MIMALLOC_PURGE_DELAY", "120000")];

unsafe extern "C" {
    safe fn mi_collect(force: bool);
}

/// Gives memory that nobody uses back to the system.
pub fn give_back_memory() {
    mi_collect(true);
}

/// Starts this program again with the settings, unless the environment has a value for each.
///
/// Returns only where there is nothing to do, or where the program cannot be started again; then it is slower.
pub fn settle() {
    let missing: Vec<_> = SETTINGS.iter().filter(|(name, _)| std::env::var_os(name).is_none()).collect();
    if missing.is_empty() {
        return;
    }
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    if let Ok(program) = std::env::current_exe() {
        let mut again = Command::new(program);
        again.arg0(name).args(arguments).envs(missing.into_iter().copied());
        // Returns only where it fails.
        let error = again.exec();
        tracing::debug!("going on without settings of the environment: {error}");
    }
}

/// Lets the program end without a word where nobody reads its output any more (`… | head`), as other programs do.
pub fn end_quietly_on_a_closed_pipe() {
    // SAFETY: no other thread runs yet, and the default action touches none of our memory.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}
