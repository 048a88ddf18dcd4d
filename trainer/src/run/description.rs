//! What a run consists of, in `run.json`: the plan that it follows, its games, and with what its steps were made.

use std::io;
use std::path::Path;
use std::sync::Arc;

use ludus_host::component::Component;
use ludus_host::regular_file;
use serde::{Deserialize, Serialize};

use crate::made_with::MadeWith;
use crate::train::TrainError;

/// Its file in the folder of a run. Where it is, the run was begun.
pub const FILE: &str = "run.json";

/// A run as it is described beside its recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    pub run: String,
    /// The plan's hash.
    pub plan: String,
    /// The hash of the model that training began with ([`crate::model::weights::hash`]).
    pub model: String,
    pub games: Vec<Game>,
    pub made_with: Vec<MadeWith>,
}

/// A game of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Game {
    pub name: String,
    pub version: String,
    /// The blake3 of its component.
    pub component: String,
}

impl Description {
    /// Reads the description in a run's folder; None where the run was not begun.
    ///
    /// # Errors
    /// Where there is one that cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Description>, TrainError> {
        let path = folder.join(FILE);
        let text = match regular_file::read_text(&path, u64::MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| error.to_string()),
        };
        let known = text.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
        known.map(Some).map_err(|reason| TrainError::Undescribed { path, reason })
    }
}

impl From<&Arc<Component>> for Game {
    fn from(component: &Arc<Component>) -> Game {
        Game {
            name: component.manifest.name.clone(),
            version: component.manifest.version.clone(),
            component: component.hash.to_string(),
        }
    }
}
