//! Finds the episodes that a report shows, and replays them.

use std::path::Path;

use ludus_host::component_files::StoredComponents;
use ludus_host::hash::Hash;
use ludus_host::library::Library;
use ludus_host::regular_file;
use ludus_host::replay::transcribe;
use ludus_host::store::Store;

use super::choice::evenly;
use super::conversation::{Conversation, Told, stages_with_results};
use super::texts::Texts;
use crate::chat::Chat;
use crate::checkpoint;
use crate::model::import;
use crate::run;
use crate::run_log::{RunLog, RunLogError};
use crate::sampled::{self, SampledEpisode};

/// The episodes of a report.
#[derive(Default)]
pub struct Found {
    pub shown: Vec<Conversation>,
    /// What was sampled in all steps of all runs.
    pub sampled: usize,
    /// What could not be shown, and why.
    pub left_out: Vec<String>,
}

/// An episode that is to be shown.
struct Chosen {
    step: u32,
    sampled: SampledEpisode,
}

/// The episodes of some runs, at most as many as wanted, each run with its share.
///
/// # Errors
/// Where a file of a run is damaged.
pub fn of_runs(
    runs: &[RunLog],
    library: &Library,
    most: usize,
    texts: &mut Texts,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Found, RunLogError> {
    let mut found = Found::default();
    let mut chosen = Vec::new();
    for run in runs {
        let (sampled, of_run) = choose(&run.folder, most / runs.len().max(1))?;
        found.sampled += sampled;
        chosen.push(of_run);
    }
    let of = chosen.iter().map(Vec::len).sum();
    let mut done = 0;
    for (index, (run, chosen)) in runs.iter().zip(&chosen).enumerate() {
        if chosen.is_empty() {
            continue;
        }
        let sources = chat(run).and_then(|chat| {
            let store = Store::open_read_only(&run.store).map_err(|error| error.to_string())?;
            Ok((chat, store))
        });
        let (chat, store) = match sources {
            Ok(sources) => sources,
            Err(reason) => {
                found.left_out.push(format!("all {} of {}: {reason}", chosen.len(), run.name()));
                continue;
            }
        };
        let with_results = &stages_with_results(&run.metrics);
        let components = StoredComponents::new(store.components(), library);
        for Chosen { step, sampled } in chosen {
            let transcript = record(&store, &sampled.episode)
                .and_then(|record| transcribe(&record, &components).map_err(|error| error.to_string()));
            match transcript {
                Ok(transcript) => {
                    let told = Told { run: index, step: *step, log: run, with_results, chat: &chat };
                    found.shown.push(Conversation::of(&told, sampled, &transcript, texts));
                }
                Err(reason) => {
                    found.left_out.push(format!("{} of {}, step {step}: {reason}", sampled.episode, run.name()))
                }
            }
            done += 1;
            progress(done, of);
        }
    }
    Ok(found)
}

/// How many episodes the steps of a run sampled, and the chosen ones among them.
fn choose(folder: &Path, most: usize) -> Result<(usize, Vec<Chosen>), RunLogError> {
    let mut steps = Vec::new();
    for step in run::rollouts(folder) {
        steps.push((step, rollout(folder, step)?.lines().count()));
    }
    let total = steps.iter().map(|(_, count)| count).sum();
    let mut places = evenly(total, most).into_iter().peekable();
    let (mut chosen, mut before) = (Vec::new(), 0);
    for (step, count) in steps {
        let here: Vec<usize> = std::iter::from_fn(|| places.next_if(|place| *place < before + count))
            .map(|place| place - before)
            .collect();
        before += count;
        if here.is_empty() {
            continue;
        }
        let text = rollout(folder, step)?;
        for (index, line) in text.lines().enumerate().filter(|(index, _)| here.contains(index)) {
            let read = sampled::from_lines(line).map_err(|error| RunLogError::DamagedLine {
                path: run::rollout_file(folder, step),
                line: index + 1,
                reason: error.to_string(),
            })?;
            chosen.extend(read.into_iter().map(|sampled| Chosen { step, sampled }));
        }
    }
    Ok((total, chosen))
}

fn rollout(folder: &Path, step: u32) -> Result<String, RunLogError> {
    let path = run::rollout_file(folder, step);
    regular_file::read_text(&path, u64::MAX)
        .map_err(|error| RunLogError::Unreadable { path, reason: error.to_string() })
}

fn record(store: &Store, episode: &str) -> Result<Vec<u8>, String> {
    let hash = Hash::parse(episode).map_err(|error| error.to_string())?;
    store.record(&hash).map_err(|error| error.to_string())
}

/// The tokenizer of a run: that of its newest checkpoint, or of the model that it began with.
fn chat(run: &RunLog) -> Result<Chat, String> {
    if let Some(chat) = checkpoint::latest(&run::checkpoints(&run.folder)).and_then(|folder| Chat::open(&folder).ok()) {
        return Ok(chat);
    }
    let recipe = run.recipe.as_ref().ok_or("its recipe is not one that this program knows")?;
    let folder = import::standard_cache().and_then(|cache| import::resolve(&recipe.model.source, &cache));
    let folder = folder.map_err(|error| error.to_string())?;
    Chat::open(&folder).map_err(|error| error.to_string())
}
