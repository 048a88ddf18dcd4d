//! What was made of components, on disk, so that a game is compiled and asked to describe itself once per machine.
//!
//! ```text
//! CACHE/compiled/FINGERPRINT/COMPONENT_HASH.code       compiled code, as wasmtime serializes it
//! CACHE/compiled/FINGERPRINT/COMPONENT_HASH.digest     32 bytes: blake3(component hash || compiled code)
//! CACHE/compiled/FINGERPRINT/COMPONENT_HASH.manifest   32 bytes: blake3(component hash || JSON), then the JSON
//! ```
//!
//! The code is a file of its own so that it can be mapped: a game in Python compiles to 43 MB. The digests find torn,
//! damaged and misplaced files; what they hold is made again and replaced. They are no protection from
//! somebody who may write into the cache folder: such a person runs code as you already. A cache that cannot be written
//! costs time and nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use wasmtime::component::Component as CompiledComponent;

use crate::atomic;
use crate::bindings::exports::ludus::game::game::Manifest;
use crate::engine::GameEngine;
use crate::hash::Hash;

/// The place of one component in the cache.
pub(crate) struct Place {
    /// Without the ending of a file; none where nothing is cached.
    stem: Option<PathBuf>,
    hash: Hash,
}

impl Place {
    /// `hash` is that of the component's bytes.
    pub fn new(cache_dir: Option<&Path>, engine: &GameEngine, hash: Hash) -> Place {
        let folder = cache_dir.map(|cache| cache.join("compiled").join(engine.fingerprint().short()));
        Place { stem: folder.map(|folder| folder.join(hash.to_string())), hash }
    }

    /// Compiles `bytes`, or loads what an earlier run compiled of them.
    ///
    /// # Errors
    /// Where wasmtime refuses to compile the component.
    pub fn code(&self, engine: &GameEngine, bytes: &[u8]) -> wasmtime::Result<CompiledComponent> {
        let Some((code_path, digest_path)) = self.file("code").zip(self.file("digest")) else {
            return CompiledComponent::from_binary(engine.engine(), bytes);
        };
        if let Some(component) = self.load(engine, &code_path, &digest_path) {
            return Ok(component);
        }
        let component = CompiledComponent::from_binary(engine.engine(), bytes)?;
        let code = component.serialize()?;
        let digest = self.digest(|hasher| Ok(hasher.update(&code)))?;
        // Between the two writes another process may find files that do not belong together, and compiles for itself.
        told(&code_path, atomic::write(&code_path, &code).and_then(|()| atomic::write(&digest_path, &digest)));
        Ok(component)
    }

    fn load(&self, engine: &GameEngine, code_path: &Path, digest_path: &Path) -> Option<CompiledComponent> {
        let recorded = fs::read(digest_path).ok()?;
        if recorded != self.digest(|hasher| hasher.update_mmap_rayon(code_path)).ok()? {
            tracing::debug!(path = %code_path.display(), "a damaged file in the cache is compiled again");
            return None;
        }
        // SAFETY: `deserialize_file` trusts its input as it would trust a program. The digest shows that these bytes are what
        // `code` above wrote for this very component; wasmtime itself checks that its version and settings are the same.
        // Files in the cache are replaced, never changed.
        unsafe { CompiledComponent::deserialize_file(engine.engine(), code_path) }.ok()
    }

    /// What `describe` answers, or what it answered in an earlier run: a game gets nothing there that could change.
    ///
    /// # Errors
    /// Those of `describe`.
    pub fn manifest<E>(&self, describe: impl FnOnce() -> Result<Manifest, E>) -> Result<Manifest, E> {
        let Some(path) = self.file("manifest") else { return describe() };
        if let Some(manifest) = fs::read(&path).ok().and_then(|bytes| self.read_manifest(&bytes)) {
            return Ok(manifest);
        }
        let manifest = describe()?;
        let written = serde_json::to_vec(&manifest).map_err(std::io::Error::from).and_then(|json| {
            let digest = self.digest(|hasher| Ok(hasher.update(&json)))?;
            atomic::write(&path, &[&digest, json.as_slice()].concat())
        });
        told(&path, written);
        Ok(manifest)
    }

    fn read_manifest(&self, bytes: &[u8]) -> Option<Manifest> {
        let (recorded, json) = bytes.split_first_chunk::<32>()?;
        let digest = self.digest(|hasher| Ok(hasher.update(json))).ok()?;
        (digest == *recorded).then(|| serde_json::from_slice(json).ok())?
    }

    fn file(&self, ending: &str) -> Option<PathBuf> {
        self.stem.as_ref().map(|stem| stem.with_extension(ending))
    }

    fn digest(
        &self,
        content: impl FnOnce(&mut blake3::Hasher) -> std::io::Result<&mut blake3::Hasher>,
    ) -> std::io::Result<[u8; 32]> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.hash.as_bytes());
        content(&mut hasher)?;
        Ok(*hasher.finalize().as_bytes())
    }
}

fn told(path: &Path, written: std::io::Result<()>) {
    if let Err(error) = written {
        tracing::debug!(path = %path.display(), %error, "this is not cached");
    }
}
