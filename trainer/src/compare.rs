//! Several recipes over several seeds under equal budgets, and one report of what differs.
//!
//! ```text
//! experiment (TOML) -> arms x seeds, each a plan -> runs in the store, those that are there gone on with -> report
//! ```
//!
//! An *arm* is a recipe: the experiment's own with some values changed. Every arm trains on as many trajectories, which is
//! checked before anything runs, or on as many sampled tokens, where each run ends. All arms are evaluated alike and on the
//! same deals.

mod charts;
mod experiment;
mod found;
mod report;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ludus_host::library::Library;

pub use self::experiment::{Arm, Equal, Experiment, ExperimentError, SHIPPED};
pub use self::found::{Found, FoundError, Run};
pub use self::report::Report;
use crate::plan::Plan;
use crate::run;
use crate::train::{TrainError, TrainOptions, train};
use crate::watch::Watch;

/// One run of an experiment.
pub struct Planned {
    /// The index of its arm.
    pub arm: usize,
    pub seed: u64,
    /// Its run's name: the experiment's, the arm's and the seed.
    pub name: String,
    pub plan: Plan,
}

/// Trains what is not trained yet, in the order given, and says whether all is done. `begins` hears of each run before it
/// begins, with its number.
///
/// # Errors
/// As [`train`]. What was done stays, and is not done again.
pub fn train_all(
    runs: &[Planned],
    library: &Library,
    store: &Path,
    stop: &AtomicBool,
    begins: &mut dyn FnMut(usize, &Planned) -> Box<dyn Watch>,
) -> Result<bool, TrainError> {
    for (number, planned) in runs.iter().enumerate() {
        let folder = run::folder(store, &planned.name);
        if run::is_done(&folder) {
            // Of another plan it would be compared as if it were of this one.
            run::check_plan(&folder, &planned.name, &planned.plan)?;
            continue;
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let options = TrainOptions {
            library,
            store: store.to_path_buf(),
            name: planned.name.clone(),
            resume: run::is_begun(&folder),
            stop,
            place: None,
        };
        let mut listener = begins(number, planned);
        if train(&planned.plan, &options, listener.as_mut())?.stopped {
            return Ok(false);
        }
    }
    Ok(true)
}
