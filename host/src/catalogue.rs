//! What a store can tell of its episodes without reading their records: who made them, for what, and what they came to.
//!
//! These entries are for finding episodes. What an episode really was, only its record says.

use rusqlite::params;

use crate::hash::Hash;
use crate::result::EpisodeResult;
use crate::store::{self, Labels, Store, StoreError};

/// The columns of an entry, in the order in which `read_row` takes them.
const COLUMNS: &str =
    "appearances.hash, run, step, task, seed, member, result, fault_kind, fault_detail, engine, created_at_s";

/// What the store knows of an episode besides its record.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub hash: Hash,
    pub labels: Labels,
    pub seed: u64,
    pub member: u32,
    pub result: EpisodeResult,
    pub fault_kind: Option<String>,
    pub fault_detail: Option<String>,
    pub engine: String,
    pub created_at_s: u64,
}

/// Which episodes to list. The default lists all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Those with a stage of this game.
    pub game: Option<String>,
    pub run: Option<String>,
    /// Only those in which a game misbehaved.
    pub faults_only: bool,
    pub return_min: Option<f64>,
    pub limit: Option<usize>,
}

impl Store {
    /// The episodes that pass the filter, newest first, one entry for each run and step that they appeared in. An entry
    /// that cannot be read is an error in its place, and hides no other.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn list(&self, filter: &Filter) -> Result<Vec<Result<Listed, StoreError>>, StoreError> {
        // What is no JSON passes every filter on games, so that somebody hears of it.
        let mut statement = self.connection.prepare(&format!(
            "SELECT {COLUMNS} FROM appearances LEFT JOIN episodes ON episodes.hash = appearances.hash
             WHERE (?1 IS NULL OR NOT coalesce(json_valid(result), 0) OR EXISTS (
                       SELECT 1 FROM json_each(iif(json_valid(result), result, '{{}}'), '$.stages')
                       WHERE iif(type = 'object', json_extract(value, '$.game'), '') = ?1))
               AND (?2 IS NULL OR run = ?2)
               AND (?3 = 0 OR fault_kind IS NOT NULL)
               AND (?4 IS NULL OR task_return >= ?4)
             ORDER BY appearances.rowid DESC LIMIT ?5",
        ))?;
        let limit = filter.limit.map_or(-1, |limit| limit as i64);
        let mut rows =
            statement.query(params![filter.game, filter.run, filter.faults_only, filter.return_min, limit])?;
        let mut listed = Vec::new();
        while let Some(row) = rows.next()? {
            listed.push(read_row(row));
        }
        Ok(listed)
    }

    /// What is known of one episode besides its record.
    ///
    /// # Errors
    /// As `list`; also where it is not there.
    pub fn entry(&self, hash: &Hash) -> Result<Listed, StoreError> {
        let mut statement = self.connection.prepare(&format!(
            "SELECT {COLUMNS} FROM appearances JOIN episodes ON episodes.hash = appearances.hash
             WHERE episodes.hash = ?1 ORDER BY appearances.rowid LIMIT 1",
        ))?;
        let mut rows = statement.query([hash.to_string()])?;
        match rows.next()? {
            Some(row) => read_row(row),
            None => Err(StoreError::NotFound(hash.to_string())),
        }
    }
}

fn read_row(row: &rusqlite::Row<'_>) -> Result<Listed, StoreError> {
    let hash = store::hash(row.get_ref(0)?)?;
    let changed = |reason: String| StoreError::EntryChanged { hash, reason };
    let result: Option<String> = row.get(6).map_err(|error| changed(error.to_string()))?;
    let result = result.ok_or_else(|| changed("its record is gone".to_string()))?;
    let result = serde_json::from_str(&result).map_err(|error| changed(error.to_string()))?;
    read_labelled(row, hash, result).map_err(|error| changed(error.to_string()))
}

fn read_labelled(row: &rusqlite::Row<'_>, hash: Hash, result: EpisodeResult) -> rusqlite::Result<Listed> {
    Ok(Listed {
        hash,
        labels: Labels { run: row.get(1)?, step: u64::try_from(row.get::<_, i64>(2)?).ok(), task: row.get(3)? },
        seed: row.get::<_, i64>(4)? as u64,
        member: row.get(5)?,
        result,
        fault_kind: row.get(7)?,
        fault_detail: row.get(8)?,
        engine: row.get(9)?,
        created_at_s: row.get::<_, i64>(10)? as u64,
    })
}
