//! The database file of a store: opening it to write, or only to read, and knowing it for ours.
//!
//! A writer makes the tables, and only in a file that has none at all. A reader changes nothing: no table, no setting, no
//! transaction that writes, so a store on a read-only disk can be read, and a file that is something else stays as it is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::store::StoreError;

/// The layout of the tables. Another one is refused, not migrated.
pub(crate) const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE episodes (
        hash         TEXT PRIMARY KEY,
        record       BLOB NOT NULL,
        result       TEXT NOT NULL,
        task         TEXT NOT NULL,
        seed         INTEGER NOT NULL,
        member       INTEGER NOT NULL,
        task_return  REAL NOT NULL,
        fault_kind   TEXT,
        fault_detail TEXT
    );
    CREATE TABLE appearances (
        hash         TEXT NOT NULL REFERENCES episodes (hash),
        run          TEXT NOT NULL,
        step         INTEGER NOT NULL,
        engine       TEXT NOT NULL,
        created_at_s INTEGER NOT NULL,
        PRIMARY KEY (hash, run, step)
    );
    CREATE INDEX appearances_by_run ON appearances (run, step);
    PRAGMA user_version = 1;";

/// How long one process waits for another to finish writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// What a database file turned out to be.
#[derive(PartialEq, Eq)]
enum Kind {
    /// It has no tables yet.
    Empty,
    Ours,
}

/// Where the database of the store in `dir` lies.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("episodes.sqlite3")
}

/// Opens the database of the store in `dir` for writing, and makes it where there is none.
pub(crate) fn open(dir: &Path) -> Result<Connection, StoreError> {
    open_to_write(dir).map_err(|error| match error {
        StoreError::Database(error) if is_closed_to_us(&error) => {
            StoreError::Io { path: path(dir), source: std::io::ErrorKind::PermissionDenied.into() }
        }
        other => other,
    })
}

fn open_to_write(dir: &Path) -> Result<Connection, StoreError> {
    refuse_emptied(dir)?;
    let mut connection = Connection::open(path(dir))?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // SQLite opens what may not be written all the same, and says so only at the first episode.
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        return Err(StoreError::Io { path: path(dir), source: std::io::ErrorKind::PermissionDenied.into() });
    }
    // Looked at before the first setting is written: it may be somebody else's.
    kind(&connection, dir)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Two processes may find a new store at the same time: one of them makes the tables.
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    if kind(&transaction, dir)? == Kind::Empty {
        transaction.execute_batch(SCHEMA)?;
    }
    transaction.commit()?;
    Ok(connection)
}

/// SQLite takes a file without a whole header for a new database. Where components were stored it is one that was cut off, and its
/// write-ahead log may still hold episodes.
fn refuse_emptied(dir: &Path) -> Result<(), StoreError> {
    const HEADER_BYTES: u64 = 100;
    let Ok(bytes) = std::fs::metadata(path(dir)).map(|file| file.len()) else { return Ok(()) };
    let has_components = std::fs::read_dir(dir.join("components")).is_ok_and(|mut files| files.next().is_some());
    if bytes < HEADER_BYTES && has_components {
        let found = match bytes {
            0 => "its database is an empty file".to_string(),
            _ => format!("its database was cut off after {bytes} bytes"),
        };
        return Err(StoreError::Damaged { dir: dir.to_path_buf(), found });
    }
    Ok(())
}

/// Opens the database of the store in `dir`, which has to be there, for reading.
pub(crate) fn open_read_only(dir: &Path) -> Result<Connection, StoreError> {
    let path = path(dir);
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(StoreError::Foreign(path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(StoreError::Missing(dir.to_path_buf()));
        }
        Err(source) => return Err(StoreError::Io { path, source }),
    }
    let opened = connect_read_only(&path, "mode=ro", dir);
    // Where this folder cannot be written SQLite cannot share a write-ahead log with others. Without a log there is
    // nothing to share, and it may take the file as one that nobody changes.
    match opened {
        Err(StoreError::Database(error)) if is_closed_to_us(&error) && !has_log(&path) => {
            connect_read_only(&path, "mode=ro&immutable=1", dir)
        }
        other => other,
    }
}

fn connect_read_only(path: &Path, parameters: &str, dir: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri(path, parameters), flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    match kind(&connection, dir)? {
        Kind::Ours => Ok(connection),
        Kind::Empty => Err(StoreError::Foreign(path.to_path_buf())),
    }
}

/// Refuses what is not ours, or not of this version.
fn kind(connection: &Connection, dir: &Path) -> Result<Kind, StoreError> {
    let foreign = || StoreError::Foreign(path(dir));
    let counted = connection.query_row(
        "SELECT count(*), total(type = 'table' AND name IN ('episodes', 'appearances')) FROM sqlite_schema",
        [],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, f64>(1)?)),
    );
    let (objects, tables_of_ours) = match counted {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => return Err(foreign()),
        counted => counted?,
    };
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match (objects, found) {
        (0, 0) => Ok(Kind::Empty),
        (_, SCHEMA_VERSION) if tables_of_ours == 2.0 => Ok(Kind::Ours),
        (_, found) if tables_of_ours == 2.0 => Err(StoreError::UnknownVersion { dir: dir.to_path_buf(), found }),
        _ => Err(foreign()),
    }
}

fn is_closed_to_us(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_os_string();
    log.push("-wal");
    Path::new(&log).exists()
}

/// The file's name as SQLite wants to read it: what would end a path in it is written as a number.
fn uri(path: &Path, parameters: &str) -> String {
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    // A relative path follows `file:` as it is; two slashes at its beginning would name a machine.
    format!("file:{}?{parameters}", path.replacen("//", "/", 1))
}
