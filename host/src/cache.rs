//! Compiled components on disk, so that a game compiles once per machine.
//!
//! ```text
//! CACHE/compiled/FINGERPRINT/COMPONENT_HASH.compiled
//!     32 bytes  blake3(component hash || compiled code)
//!     the rest  compiled code, as wasmtime serializes it
//! ```
//!
//! The digest finds torn, damaged and misplaced files; they are compiled again and replaced. It is no protection from
//! somebody who may write into the cache folder: such a person runs code as you already. A cache that cannot be written
//! costs time and nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use wasmtime::component::Component as CompiledComponent;

use crate::atomic;
use crate::engine::GameEngine;
use crate::hash::Hash;

const DIGEST_BYTES: usize = 32;

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
    let mut file = Vec::with_capacity(DIGEST_BYTES + code.len());
    file.extend_from_slice(&digest(hash, &code));
    file.extend_from_slice(&code);
    if let Err(error) = atomic::write(&path, &file) {
        tracing::debug!(path = %path.display(), %error, "the compiled component is not cached");
    }
    Ok(component)
}

fn path(cache_dir: &Path, engine: &GameEngine, hash: Hash) -> PathBuf {
    cache_dir.join("compiled").join(engine.fingerprint().short()).join(format!("{hash}.compiled"))
}

fn load(engine: &GameEngine, path: &Path, hash: Hash) -> Option<CompiledComponent> {
    let file = fs::read(path).ok()?;
    let (recorded, code) = file.split_at_checked(DIGEST_BYTES)?;
    if recorded != digest(hash, code) {
        tracing::debug!(path = %path.display(), "a damaged file in the cache is compiled again");
        return None;
    }
    // SAFETY: `deserialize` trusts its input as it would trust a program. The digest shows that these bytes are what
    // `compile` above wrote for this very component; wasmtime itself checks that its version and settings are the same.
    unsafe { CompiledComponent::deserialize(engine.engine(), code) }.ok()
}

fn digest(hash: Hash, code: &[u8]) -> [u8; DIGEST_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(hash.as_bytes()).update(code);
    *hasher.finalize().as_bytes()
}
