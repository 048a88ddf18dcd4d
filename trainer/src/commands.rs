//! The commands, one file each, and what they share: where things lie, the games, a plan from the command line.

use std::path::PathBuf;

use ludus_host::library::{Library, LibraryOptions};
use ludus_host::limits::Limits;
use ludus_host::program;
use ludus_trainer::checkpoint::CheckpointError;
use ludus_trainer::evaluate::ReferenceError;
use ludus_trainer::learner::StepError;
use ludus_trainer::metrics::MetricsError;
use ludus_trainer::out_of_memory::{self, OutOfMemory};
use ludus_trainer::plan::Plan;
use ludus_trainer::ranks::RanksError;
use ludus_trainer::recipe::{Recipe, read};
use ludus_trainer::replay::ReplayError;
use ludus_trainer::rollout::RolloutError;
use ludus_trainer::train::TrainError;

pub mod ask;
pub mod benchmark;
pub mod compare;
pub mod doctor;
pub mod evaluate;
pub mod export;
pub mod import;
mod interrupt;
mod model_names;
mod output;
pub mod replay;
pub mod report;
mod time;
pub mod tournament;
pub mod train;
pub mod watch;

/// The run broke off.
const BROKEN: u8 = 1;
/// What was asked for cannot be done.
const BAD_INPUT: u8 = 2;

/// Where things lie.
#[derive(Debug, clap::Args)]
pub struct Places {
    /// A folder of games; may be given more than once [default: LUDUS_GAMES, else games-wasm/built, here or above]
    #[arg(long = "games", value_name = "DIR", global = true)]
    games_dirs: Vec<PathBuf>,
    /// The folder of runs and recorded episodes
    #[arg(long, value_name = "DIR", global = true, env = "LUDUS_STORE", default_value = program::STORE)]
    pub store: PathBuf,
}

/// A recipe and what is changed in it.
#[derive(Debug, clap::Args)]
pub struct RecipeArguments {
    /// Change one value: optimizer.learning_rate=1e-5, stage.0.players=["random"]; may be given more than once
    #[arg(long = "set", value_name = "KEY=VALUE")]
    assignments: Vec<String>,
}

impl RecipeArguments {
    /// What is changed, as it was given.
    pub fn assignments(&self) -> &[String] {
        &self.assignments
    }

    pub fn read(&self, recipe: &str) -> anyhow::Result<Recipe> {
        Ok(read::read(recipe, &self.assignments)?)
    }
}

/// The games, as `--games` or the surroundings say.
pub fn open_library(places: &Places) -> anyhow::Result<Library> {
    Ok(Library::open(LibraryOptions {
        games_dirs: Library::standard_dirs(&places.games_dirs),
        cache_dir: Library::standard_cache_dir(),
        limits: Limits::STANDARD,
    })?)
}

/// A checked plan.
pub fn plan(recipe: Recipe, library: &Library) -> anyhow::Result<Plan> {
    Ok(Plan::from_recipe(recipe, library)?)
}

/// An error of libtorch's that says that memory ran out, as a sentence. What an endpoint's server says is of another machine.
pub fn in_plain_words(error: anyhow::Error) -> anyhow::Error {
    let is_of_rollout = error.is::<RolloutError>()
        || error
            .downcast_ref()
            .is_some_and(|error| matches!(error, TrainError::Rollout(_) | TrainError::Step(StepError::Rollout(_))));
    match !is_of_rollout && out_of_memory::says_so(&error.to_string()) {
        true => OutOfMemory::elsewhere().into(),
        false => error,
    }
}

/// The exit code for an error: most say that the input cannot be used; some, that a run broke off.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    let broke_off = error.is::<OutOfMemory>()
        || error.is::<RolloutError>()
        || error.downcast_ref().is_some_and(|error| matches!(error, ReplayError::Rollout(_)))
        || error.downcast_ref().is_some_and(run_broke_off);
    if broke_off { BROKEN } else { BAD_INPUT }
}

fn run_broke_off(error: &TrainError) -> bool {
    matches!(
        error,
        TrainError::Step(
            StepError::Rollout(_) | StepError::OutOfMemory(_) | StepError::NotFinite { .. } | StepError::Ranks(_)
        ) | TrainError::Ranks(RanksError::Lost { .. } | RanksError::Another)
            | TrainError::NotFinite { .. }
            | TrainError::Rollout(_)
            | TrainError::Reference(ReferenceError::Host(_))
            | TrainError::Checkpoint(CheckpointError::Write { .. })
            | TrainError::Store(_)
            | TrainError::Metrics(MetricsError::Unwritable { .. })
            | TrainError::Unwritable { .. }
    )
}
