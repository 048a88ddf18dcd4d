//! One HTML file that shows what runs did, several of them laid over each other: curves, evaluations, and episodes as
//! conversations with the board beside them.
//!
//! ```text
//! metrics.jsonl, timing.jsonl          -> curves          run_data
//! evaluation/*.json                    -> tables          run_data
//! rollouts/*.jsonl, records, games     -> conversations   choice, episodes, conversation
//! page.html, style.css, *.js, the data -> one file        page
//! ```
//!
//! All curves are in it, and of the episodes at most as many as were asked for, chosen evenly over the steps. The page needs
//! no network. What games and models wrote is in it as JSON without a `<`, and is shown as text alone.

mod choice;
mod conversation;
mod episodes;
mod page;
mod run_data;
mod texts;

use ludus_host::library::Library;
use serde::Serialize;

use self::conversation::Conversation;
use self::run_data::RunData;
use self::texts::Texts;
use crate::run_log::{RunLog, RunLogError};

/// What the page is drawn from.
#[derive(Serialize)]
struct Data {
    runs: Vec<RunData>,
    episodes: Vec<Conversation>,
    /// What was sampled in all steps of all runs.
    episodes_sampled: usize,
    /// Episodes that could not be shown, and why.
    left_out: Vec<String>,
    texts: Vec<String>,
}

/// The report of runs. `progress` hears how many of how many episodes are replayed.
///
/// # Errors
/// Where a file of a run is damaged. Episodes that cannot be replayed are left out, and the page says so.
pub fn html(
    runs: &[RunLog],
    library: &Library,
    episodes_max: usize,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<String, RunLogError> {
    let mut texts = Texts::default();
    let found = episodes::of_runs(runs, library, episodes_max, &mut texts, progress)?;
    let data = Data {
        runs: runs.iter().map(|run| RunData::of(run, &runs[0])).collect(),
        episodes: found.shown,
        episodes_sampled: found.sampled,
        left_out: found.left_out,
        texts: texts.into_list(),
    };
    Ok(page::html(&data))
}
