//! How libtorch's threads wait for each other.
//!
//! OpenMP's threads spin while they wait. As soon as another process wants a core, the spinning ones take it from those that
//! work, and a run becomes several times slower. `OMP_WAIT_POLICY=passive` lets them sleep instead. OpenMP reads it when it is
//! loaded, before `main`: so the program starts itself again with it, once.

use std::os::unix::process::CommandExt;
use std::process::Command;

const POLICY: &str = "OMP_WAIT_POLICY";

/// Starts this program again with sleeping threads, unless the environment has a policy already.
///
/// Returns only where there is nothing to do, or where the program cannot be started again; then threads spin.
pub fn let_threads_sleep() {
    if std::env::var_os(POLICY).is_some() {
        return;
    }
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    if let Ok(program) = std::env::current_exe() {
        // Returns only where it fails.
        let error = Command::new(program).arg0(name).args(arguments).env(POLICY, "passive").exec();
        tracing::debug!("threads go on spinning: {error}");
    }
}
