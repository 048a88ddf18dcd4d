//! The commands, one file each, and what they share: opening things, and telling bad input from broken records.

use std::num::NonZero;

use ludus_host::conformance::CheckError;
use ludus_host::endpoint::Stopped;
use ludus_host::fault::HostFailure;
use ludus_host::library::{Library, LibraryOptions};
use ludus_host::limits::Limits;
use ludus_host::replay::ReplayError;
use ludus_host::store::StoreError;

use crate::Places;

pub mod build;
pub mod check;
pub mod episodes;
pub mod games;
pub mod new;
pub mod play;
pub mod replay;
pub mod run;
pub mod seating;
pub mod shelf;
pub mod show;
pub mod statistics;
pub mod transcript;

/// Something was recorded and is not as it was, or the machine could not do what was asked for.
pub const BROKEN: u8 = 1;
/// What was asked for cannot be done.
const BAD_INPUT: u8 = 2;

/// The exit code for an error.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    let store_is_broken = error.downcast_ref::<StoreError>().is_some_and(|error| {
        !matches!(
            error,
            StoreError::Missing(_)
                | StoreError::Foreign(_)
                | StoreError::Io { .. }
                | StoreError::NotFound(_)
                | StoreError::NotAHash(_)
                | StoreError::Ambiguous { .. }
        )
    });
    let checked_nothing = matches!(error.downcast_ref(), Some(CheckError::Host(_)));
    let broke_off = error.is::<HostFailure>() || error.is::<Stopped>() || checked_nothing;
    if store_is_broken || error.is::<ReplayError>() || broke_off { BROKEN } else { BAD_INPUT }
}

/// The games, as `--games` or the surroundings say.
pub fn open_library(places: &Places) -> anyhow::Result<Library> {
    Ok(Library::open(library_options(places))?)
}

/// Where the games are, as `--games` or the surroundings say.
pub fn library_options(places: &Places) -> LibraryOptions {
    LibraryOptions {
        games_dirs: Library::standard_dirs(&places.games_dirs),
        cache_dir: Library::standard_cache_dir(),
        limits: Limits::STANDARD,
    }
}

/// More threads than this a machine may not give, and there is none that they would make faster.
pub const JOBS_MAX: i64 = 1_024;

/// How many threads to use where nobody says.
pub fn standard_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}
