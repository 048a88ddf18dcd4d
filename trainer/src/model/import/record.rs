//! What an imported folder was made from, and the hash of each of its files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::ModelError;

const RECORD_FILE: &str = "ludus-import.json";

/// Raised whenever an import writes something else from the same file, so that set-up makes the
/// folder anew.
const IMPORT_VERSION: u32 = 1;

/// The folder's own description of itself. It is written last.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    import_version: u32,
    /// The imported file's blake3, as 64 hexadecimal digits.
    source_blake3: String,
    /// Each written file's blake3.
    files: BTreeMap<String, String>,
}

impl Record {
    /// Describes what has been written into `dir`.
    pub(super) fn of(dir: &Path, source_hash: &str) -> Result<Self, ModelError> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(dir).map_err(|cause| ModelError::file("read", dir, cause))? {
            let entry = entry.map_err(|cause| ModelError::file("read", dir, cause))?;
            files.insert(entry.file_name().to_string_lossy().into_owned(), hash_file(&entry.path())?);
        }
        Ok(Self { import_version: IMPORT_VERSION, source_blake3: source_hash.to_owned(), files })
    }

    /// The record in a folder; none if there is none that can be read.
    pub(super) fn read(dir: &Path) -> Option<Self> {
        let text = fs::read_to_string(dir.join(RECORD_FILE)).ok()?;
        serde_json::from_str(&text).ok()
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), ModelError> {
        let path = dir.join(RECORD_FILE);
        let text =
            serde_json::to_string_pretty(self).map_err(|error| ModelError::malformed(&path, error.to_string()))?;
        fs::write(&path, text + "\n").map_err(|cause| ModelError::file("write", &path, cause))
    }

    /// Whether today's importer would write the same folder from the file with this hash.
    pub(super) fn is_of(&self, source_hash: &str) -> bool {
        self.import_version == IMPORT_VERSION && self.source_blake3 == source_hash
    }

    /// Hashes every file again. The error says which one changed.
    pub(super) fn verify(&self, dir: &Path) -> Result<(), String> {
        for (name, expected) in &self.files {
            match hash_file(&dir.join(name)) {
                Ok(hash) if hash == *expected => {}
                Ok(_) => return Err(format!("{name} was changed since it was imported")),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }
}

/// A file's blake3 as 64 hexadecimal digits.
pub(super) fn hash_file(path: &Path) -> Result<String, ModelError> {
    let file = File::open(path).map_err(|cause| ModelError::file("open", path, cause))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).map_err(|cause| ModelError::file("read", path, cause))?;
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "first").unwrap();
        Record::of(dir.path(), "00").unwrap().write(dir.path()).unwrap();
        let record = Record::read(dir.path()).unwrap();
        assert_eq!(record.verify(dir.path()), Ok(()));
        assert!(record.is_of("00") && !record.is_of("01"));

        fs::write(dir.path().join("a"), "other").unwrap();
        assert_eq!(record.verify(dir.path()), Err("a was changed since it was imported".to_owned()));
        fs::remove_file(dir.path().join("a")).unwrap();
        assert!(record.verify(dir.path()).is_err());
    }
}
