//! The Rust SDK, for a game that has a workspace of its own outside `games-wasm`.
//!
//! ```text
//! DIR/Cargo.toml          ludus-game = { path = ".ludus/games/sdk" }
//! DIR/.ludus/games/sdk    the SDK's crate, a member of the game's workspace
//! DIR/.ludus/wit          the contract, where the SDK's bindings look for it: two folders up from their crate
//! ```
//!
//! The SDK's own tests are not among the files: they are run where the SDK is made.

use std::fs;
use std::io;
use std::path::Path;

use super::BuildError;
use crate::atomic;
use crate::componentize::WIT;

/// What a game's Cargo.toml says where its SDK is the one in `.ludus`.
const DEPENDENCY: &str = "\".ludus/games/sdk\"";

/// The files, with their paths inside the game's folder `.ludus`.
pub(super) const RUST: &[(&str, &str)] = &[
    ("wit/game.wit", WIT),
    ("games/sdk/Cargo.toml", include_str!("../../../games-wasm/sdk/Cargo.toml")),
    ("games/sdk/examples/nim.rs", include_str!("../../../games-wasm/sdk/examples/nim.rs")),
    ("games/sdk/src/allocator.rs", include_str!("../../../games-wasm/sdk/src/allocator.rs")),
    ("games/sdk/src/bindings.rs", include_str!("../../../games-wasm/sdk/src/bindings.rs")),
    ("games/sdk/src/component.rs", include_str!("../../../games-wasm/sdk/src/component.rs")),
    ("games/sdk/src/exported.rs", include_str!("../../../games-wasm/sdk/src/exported.rs")),
    ("games/sdk/src/lib.rs", include_str!("../../../games-wasm/sdk/src/lib.rs")),
    ("games/sdk/src/random.rs", include_str!("../../../games-wasm/sdk/src/random.rs")),
    ("games/sdk/src/table.rs", include_str!("../../../games-wasm/sdk/src/table.rs")),
    ("games/sdk/src/testing.rs", include_str!("../../../games-wasm/sdk/src/testing.rs")),
];

/// Brings the SDK of the game in `dir` up to date, where its Cargo.toml asks for one in `.ludus`; a workspace that has its
/// SDK elsewhere is left alone. Files that are as they should be are not touched, so that cargo need not compile them again.
///
/// # Errors
/// Where a file cannot be read or written.
pub fn refresh(dir: &Path) -> Result<(), BuildError> {
    let manifest = dir.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(|source| BuildError::File { path: manifest, source })?;
    if !text.contains(DEPENDENCY) {
        return Ok(());
    }
    for (name, text) in RUST {
        let path = dir.join(".ludus").join(name);
        write_if_different(&path, text.as_bytes()).map_err(|source| BuildError::File { path, source })?;
    }
    Ok(())
}

fn write_if_different(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::read(path) {
        Ok(present) if present == bytes => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => atomic::write(path, bytes),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn every_file_of_the_sdk_that_a_build_needs_is_there() {
        let sdk = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../games-wasm/sdk");
        let mut names: Vec<String> = vec!["Cargo.toml".to_string()];
        for folder in ["examples", "src"] {
            for entry in fs::read_dir(sdk.join(folder)).unwrap() {
                names.push(format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap()));
            }
        }
        names.sort();
        let listed: Vec<&str> = RUST.iter().filter_map(|(path, _)| path.strip_prefix("games/sdk/")).collect();
        assert_eq!(listed, names);
    }

    #[test]
    fn a_workspace_with_its_sdk_elsewhere_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Cargo.toml"), "ludus-game = { path = \"sdk\" }").unwrap();
        refresh(folder.path()).unwrap();
        assert!(!folder.path().join(".ludus").exists());
    }

    #[test]
    fn a_changed_file_is_put_right_and_the_others_are_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Cargo.toml"), format!("ludus-game = {{ path = {DEPENDENCY} }}")).unwrap();
        refresh(folder.path()).unwrap();
        let sdk = folder.path().join(".ludus/games/sdk");
        let modified = || fs::metadata(sdk.join("src/lib.rs")).unwrap().modified().unwrap();
        let before = modified();
        fs::write(sdk.join("src/table.rs"), "old").unwrap();
        refresh(folder.path()).unwrap();
        assert_eq!(modified(), before);
        let table = fs::read_to_string(sdk.join("src/table.rs")).unwrap();
        assert!(RUST.contains(&("games/sdk/src/table.rs", table.as_str())));
    }
}
