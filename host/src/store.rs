//! Episodes and components on disk, by hash.
//!
//! ```text
//! DIR/episodes.sqlite3     table `episodes`: hash -> record and result
//!                          table `appearances`: in which run and step, by which engine, when
//! DIR/components/HASH.wasm the bytes of each component, written once
//! ```
//!
//! What `append` has returned from is durable: one transaction in SQLite's write-ahead log with full synchronization. The
//! same episode may appear in many runs; its record is kept once. Nothing is ever overwritten, and everything that is
//! read is hashed again: bytes that were changed are an error, never data. Several processes may use a store at once.

use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, params};

use crate::atomic;
use crate::component_files::ComponentFiles;
use crate::database::{self, SCHEMA_VERSION};
use crate::episode::Finished;
use crate::hash::Hash;

/// An open store.
pub struct Store {
    dir: PathBuf,
    pub(crate) connection: Connection,
}

/// An episode on its way into the store.
#[derive(Clone, Debug)]
pub struct StoredEpisode {
    pub finished: Finished,
    pub labels: Labels,
    /// What the episode was made with, as the library names it.
    pub engine: String,
    /// Seconds since 1970-01-01 UTC. Given by the caller: the store has no clock.
    pub created_at_s: u64,
}

/// What an episode was made for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// The name of the run, or nothing.
    pub run: String,
    /// The training step, where there was one.
    pub step: Option<u64>,
    pub task: String,
}

/// What can go wrong with a store. Each is a sentence for people.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("there is no store at {}; `ludus run` makes one, `--store` names another", .0.display())]
    Missing(PathBuf),
    #[error("{} is no database of `ludus`, so it is left as it is; `--store` names another folder", .0.display())]
    Foreign(PathBuf),
    #[error("the store at {} has layout version {found}, and this program knows only {SCHEMA_VERSION}", dir.display())]
    UnknownVersion { dir: PathBuf, found: i64 },
    #[error("no episode has a hash that begins with `{0}`; `ludus episodes` lists those that are there")]
    NotFound(String),
    #[error("`{0}` is not the beginning of a hash; write hexadecimal digits")]
    NotAHash(String),
    #[error("`{prefix}` could be any of {}; write more digits", list(candidates))]
    Ambiguous { prefix: String, candidates: Vec<Hash> },
    #[error("the record of episode {} is not the one that was stored: its bytes were changed", .0.short())]
    RecordChanged(Hash),
    #[error("the entry of episode {} cannot be read: {reason}", .hash.short())]
    EntryChanged { hash: Hash, reason: String },
    #[error("the store has an episode under `{0}`, which is no hash: its entry was changed")]
    HashChanged(String),
    #[error("the store in {} is damaged ({found}); copy it before you do anything else", dir.display())]
    Damaged { dir: PathBuf, found: String },
    #[error("the component {} is not in the store: {} is missing", hash.short(), path.display())]
    ComponentMissing { hash: Hash, path: PathBuf },
    #[error("the component {} is not the one that was stored: the bytes of {} were changed", hash.short(), path.display())]
    ComponentChanged { hash: Hash, path: PathBuf },
    #[error("cannot use {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error(
        "cannot write to the store: its disk is full or fails ({0}); make room and run it again, what was stored before is \
         safe"
    )]
    DiskFull(rusqlite::Error),
    #[error("the store's database cannot be used: {0}")]
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => StoreError::DiskFull(error),
            _ => StoreError::Database(error),
        }
    }
}

impl Store {
    /// Opens the store in `dir` and makes it where there is none.
    ///
    /// # Errors
    /// Where the folder cannot be used, or holds a store of another layout.
    pub fn open(dir: &Path) -> Result<Store, StoreError> {
        let make = |path: PathBuf| std::fs::create_dir_all(&path).map_err(|source| StoreError::Io { path, source });
        make(dir.to_path_buf())?;
        // What is no store is refused before anything is put beside it.
        let connection = database::open(dir)?;
        make(dir.join("components"))?;
        Ok(Store { dir: dir.to_path_buf(), connection })
    }

    /// Opens the store in `dir`, which has to be there, for reading. Nothing in it is changed; `append` fails.
    ///
    /// # Errors
    /// As `open`; also where there is none.
    pub fn open_read_only(dir: &Path) -> Result<Store, StoreError> {
        Ok(Store { dir: dir.to_path_buf(), connection: database::open_read_only(dir)? })
    }

    /// Whether `open` would succeed, as far as can be told without making a store where there is none.
    ///
    /// # Errors
    /// As `open`.
    pub fn try_open(dir: &Path) -> Result<(), StoreError> {
        if database::path(dir).exists() {
            return Store::open(dir).map(drop);
        }
        // A relative path ends in an empty one, which stands for the working directory.
        let folder = dir.ancestors().find(|folder| folder.as_os_str().is_empty() || folder.exists());
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        atomic::try_folder(folder).map_err(|source| StoreError::Io { path: folder.to_path_buf(), source })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the bytes of components lie.
    pub fn components(&self) -> ComponentFiles {
        ComponentFiles::in_store(&self.dir)
    }

    /// Keeps the bytes of a component. Once here, they stay.
    ///
    /// # Errors
    /// Where they cannot be written, or where what is there under their hash was changed.
    pub fn put_component(&self, bytes: &[u8]) -> Result<Hash, StoreError> {
        self.components().put(bytes)
    }

    /// The bytes of a component, checked against its hash.
    ///
    /// # Errors
    /// Where they are missing or changed.
    pub fn component(&self, hash: &Hash) -> Result<Vec<u8>, StoreError> {
        self.components().get(hash)
    }

    /// Keeps episodes, all or none. When this returns they are on disk.
    ///
    /// # Errors
    /// Where the database cannot be written; then none of them was kept.
    pub fn append(&mut self, episodes: &[StoredEpisode]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        {
            let mut episode_row = transaction.prepare_cached(
                "INSERT OR IGNORE INTO episodes (hash, record, result, task, seed, member, task_return, fault_kind, fault_detail)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?;
            let mut appearance_row = transaction.prepare_cached(
                "INSERT OR IGNORE INTO appearances (hash, run, step, engine, created_at_s) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for episode in episodes {
                let Finished { record, result, fault, seed, member } = &episode.finished;
                let hash = record.hash().to_string();
                episode_row.execute(params![
                    hash,
                    record.bytes(),
                    serde_json::to_string(result).expect("a result is always JSON"),
                    episode.labels.task,
                    // SQLite's integers are signed: the same 64 bits, read back the same way.
                    *seed as i64,
                    member,
                    result.task_return,
                    fault.as_ref().map(|fault| format!("{} in `{}`", fault.kind, fault.call)),
                    fault.as_ref().map(|fault| &fault.detail),
                ])?;
                appearance_row.execute(params![
                    hash,
                    episode.labels.run,
                    episode.labels.step.map_or(-1, |step| step as i64),
                    episode.engine,
                    episode.created_at_s as i64,
                ])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// The one episode whose hash begins with `prefix`.
    ///
    /// # Errors
    /// Where there is none, or more than one.
    pub fn find(&self, prefix: &str) -> Result<Hash, StoreError> {
        let digits = prefix.to_ascii_lowercase();
        if digits.is_empty() || digits.len() > 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(StoreError::NotAHash(prefix.to_string()));
        }
        // `g` comes right behind the last hexadecimal digit.
        let mut statement = self
            .connection
            .prepare("SELECT hash FROM episodes WHERE hash >= ?1 AND hash < ?1 || 'g' ORDER BY hash LIMIT 5")?;
        let texts = statement.query_map([&digits], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        let mut candidates = Vec::new();
        for text in texts {
            candidates.push(Hash::parse(&text).map_err(|_| StoreError::HashChanged(text))?);
        }
        match candidates.as_slice() {
            [] => Err(StoreError::NotFound(prefix.to_string())),
            [hash] => Ok(*hash),
            _ => Err(StoreError::Ambiguous { prefix: prefix.to_string(), candidates }),
        }
    }

    /// The record of an episode, checked against its hash.
    ///
    /// # Errors
    /// Where it is not there, or its bytes were changed.
    pub fn record(&self, hash: &Hash) -> Result<Vec<u8>, StoreError> {
        let found =
            self.connection.query_row("SELECT record FROM episodes WHERE hash = ?1", [hash.to_string()], |row| {
                row.get::<_, Vec<u8>>(0)
            });
        match found {
            Ok(bytes) if Hash::of(&bytes) == *hash => Ok(bytes),
            Ok(_) => Err(StoreError::RecordChanged(*hash)),
            Err(rusqlite::Error::QueryReturnedNoRows) => Err(StoreError::NotFound(hash.to_string())),
            Err(error) => Err(error.into()),
        }
    }

    /// The hashes of all episodes, or of all in one run, in the order in which they came.
    ///
    /// # Errors
    /// Where the database cannot be read, or one of the hashes was changed.
    pub fn hashes(&self, run: Option<&str>) -> Result<Vec<Hash>, StoreError> {
        self.each_hash(run)?.into_iter().collect()
    }

    /// Looks through the database's own structure; what episodes' bytes are is for `record` to check.
    ///
    /// # Errors
    /// Where the file is damaged.
    pub fn check_structure(&self) -> Result<(), StoreError> {
        let found: String = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if found == "ok" { Ok(()) } else { Err(StoreError::Damaged { dir: self.dir.clone(), found }) }
    }

    /// As `hashes`, with an error in the place of each hash that was changed. Episodes that appeared in a run and are gone
    /// come last.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn each_hash(&self, run: Option<&str>) -> Result<Vec<Result<Hash, StoreError>>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT hash FROM episodes WHERE ?1 IS NULL
                 OR EXISTS (SELECT 1 FROM appearances WHERE appearances.hash = episodes.hash AND run = ?1)
             ORDER BY rowid",
        )?;
        let mut gone = self.connection.prepare(
            "SELECT DISTINCT hash FROM appearances WHERE (?1 IS NULL OR run = ?1)
                 AND NOT EXISTS (SELECT 1 FROM episodes WHERE episodes.hash = appearances.hash) ORDER BY hash",
        )?;
        let kept = statement.query_map([run], |row| row.get_ref(0).map(hash))?;
        let gone = gone.query_map([run], |row| row.get_ref(0).map(hash))?;
        Ok(kept.chain(gone).collect::<Result<Vec<_>, _>>()?)
    }
}

/// A hash as it stands in the database.
pub(crate) fn hash(value: ValueRef<'_>) -> Result<Hash, StoreError> {
    let text = match value {
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Null => "nothing".to_string(),
        other => format!("a value of type {}", other.data_type()),
    };
    Hash::parse(&text).map_err(|_| StoreError::HashChanged(text))
}

fn list(hashes: &[Hash]) -> String {
    hashes.iter().map(Hash::short).collect::<Vec<_>>().join(", ")
}
