//! The bytes of components, one file each, called by their hash.
//!
//! Written once, atomically; read with the hash checked. A `StoredComponents` makes games of them for replays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::atomic;
use crate::component::Component;
use crate::hash::Hash;
use crate::library::Library;
use crate::limits::Limits;
use crate::regular_file;
use crate::replay::{ComponentSource, SourceError};
use crate::store::StoreError;

/// A folder of components.
#[derive(Clone, Debug)]
pub struct ComponentFiles {
    dir: PathBuf,
}

impl ComponentFiles {
    pub(crate) fn in_store(store_dir: &Path) -> ComponentFiles {
        ComponentFiles { dir: store_dir.join("components") }
    }

    /// Keeps the bytes of a component.
    ///
    /// # Errors
    /// Where they cannot be written, or where what is there under their hash was changed.
    pub fn put(&self, bytes: &[u8]) -> Result<Hash, StoreError> {
        let hash = Hash::of(bytes);
        let path = self.path(&hash);
        if path.exists() {
            return self.get(&hash).map(|_| hash);
        }
        atomic::write(&path, bytes).map_err(|source| StoreError::Io { path, source })?;
        Ok(hash)
    }

    /// The bytes of a component.
    ///
    /// # Errors
    /// Where they are missing or changed.
    pub fn get(&self, hash: &Hash) -> Result<Vec<u8>, StoreError> {
        let path = self.path(hash);
        match regular_file::read(&path, Limits::STANDARD.component_bytes_max) {
            Ok(bytes) if Hash::of(&bytes) == *hash => Ok(bytes),
            Ok(_) => Err(StoreError::ComponentChanged { hash: *hash, path }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(StoreError::ComponentMissing { hash: *hash, path })
            }
            Err(source) => Err(StoreError::Io { path, source }),
        }
    }

    fn path(&self, hash: &Hash) -> PathBuf {
        self.dir.join(format!("{hash}.wasm"))
    }
}

/// The components of a store as games, each loaded once. Shared by all threads of a replay.
pub struct StoredComponents<'a> {
    files: ComponentFiles,
    library: &'a Library,
    loaded: Mutex<BTreeMap<Hash, Arc<Component>>>,
}

impl<'a> StoredComponents<'a> {
    pub fn new(files: ComponentFiles, library: &'a Library) -> StoredComponents<'a> {
        StoredComponents { files, library, loaded: Mutex::new(BTreeMap::new()) }
    }
}

impl ComponentSource for StoredComponents<'_> {
    fn component(&self, hash: &Hash) -> Result<Arc<Component>, SourceError> {
        // The map is never left half-written, so a poisoned lock is as good as any.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(component) = loaded.get(hash) {
            return Ok(Arc::clone(component));
        }
        let component = self.library.from_bytes(self.files.get(hash)?)?;
        loaded.insert(*hash, Arc::clone(&component));
        Ok(component)
    }
}
