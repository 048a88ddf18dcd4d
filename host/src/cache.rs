//! Compiled components on disk, so that a game compiles once per machine.
//!
//! ```text
//! CACHE/compiled/FINGERPRINT/COMPONENT_HASH.code       compiled code, as wasmtime serializes it
//! CACHE/compiled/FINGERPRINT/COMPONENT_HASH.digest     32 bytes: blake3(component hash || compiled code)
//! ```
//!
//! The code is a file of its own so that it can be mapped: a game in Python compiles to 43 MB. The digest finds torn,
//! damaged and misplaced files; they are compiled again and replaced. It is no protection from
//! somebody who may write into the cache folder: such a person runs code as you already. A cache that cannot be written
//! costs time and nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use wasmtime::component::Component as CompiledComponent;

use crate::atomic;
use crate::engine::GameEngine;
use crate::hash::Hash;

/// Compiles `bytes`, or loads what an earlier run compiled of them.
///
/// # Errors
/// Where wasmtime refuses to compile the component.
pub(crate) fn compile(
    engine: &GameEngine,
    cache_dir: Option<&Path>,
    hash: Hash,
    bytes: &[u8],
) -> wasmtime::Result<CompiledComponent> {
    let Some(path) = cache_dir.map(|folder| path(folder, engine, hash)) else {
        return CompiledComponent::from_binary(engine.engine(), bytes);
    };
    if let Some(component) = load(engine, &path, hash) {
        return Ok(component);
    }
    let component = CompiledComponent::from_binary(engine.engine(), bytes)?;
    let code = component.serialize()?;
    let digest = digest(hash, |hasher| Ok(hasher.update(&code)))?;
    // Between the two writes another process may find files that do not belong together, and compiles for itself.
    if let Err(error) = atomic::write(&path, &code).and_then(|()| atomic::write(&digest_path(&path), &digest)) {
        tracing::debug!(path = %path.display(), %error, "the compiled component is not cached");
    }
    Ok(component)
}

fn path(cache_dir: &Path, engine: &GameEngine, hash: Hash) -> PathBuf {
    cache_dir.join("compiled").join(engine.fingerprint().short()).join(format!("{hash}.code"))
}

fn digest_path(path: &Path) -> PathBuf {
    path.with_extension("digest")
}

fn load(engine: &GameEngine, path: &Path, hash: Hash) -> Option<CompiledComponent> {
    let recorded = fs::read(digest_path(path)).ok()?;
    if recorded != digest(hash, |hasher| hasher.update_mmap_rayon(path)).ok()? {
        tracing::debug!(path = %path.display(), "a damaged file in the cache is compiled again");
        return None;
    }
    // SAFETY: `deserialize_file` trusts its input as it would trust a program. The digest shows that these bytes are what
    // `compile` above wrote for this very component; wasmtime itself checks that its version and settings are the same.
    // Files in the cache are replaced, never changed.
    unsafe { CompiledComponent::deserialize_file(engine.engine(), path) }.ok()
}

fn digest(
    hash: Hash,
    code: impl FnOnce(&mut blake3::Hasher) -> std::io::Result<&mut blake3::Hasher>,
) -> std::io::Result<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(hash.as_bytes());
    code(&mut hasher)?;
    Ok(*hasher.finalize().as_bytes())
}
