//! Building a workspace of Rust games: cargo makes core modules, and each becomes a component.
//!
//! ```text
//! DIR/Cargo.toml                          every crate with a `cdylib` target is a game
//! DIR/target/wasm32-unknown-unknown/...   cargo's own folder
//! DIR/built/NAME.wasm                     the components, NAME being the package's
//! ```
//!
//! A component's identity is its bytes, so builds must not hold this machine's paths: they are remapped. What this file
//! does not do: it installs nothing. A missing compiler target is named, with the command that adds it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::atomic;
use crate::componentize::componentize;
use crate::gate;
use crate::hash::Hash;
use crate::limits::Limits;

/// The compiler target of games.
const TARGET: &str = "wasm32-unknown-unknown";

/// Settings of the surrounding build that must not leak into the games': they would overrule the workspace's own.
const FOREIGN_VARIABLES: [&str; 6] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
];

/// A game that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    pub name: String,
    pub path: PathBuf,
    pub hash: Hash,
    pub bytes: u64,
}

/// Why games could not be built. Each is one sentence.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("`{}` has no Cargo.toml: give the folder of a workspace of games", .0.display())]
    NoWorkspace(PathBuf),
    #[error("the Rust target {TARGET} is not installed: run `rustup target add {TARGET}`")]
    NoTarget,
    #[error("cannot run `{program}`: {source}")]
    Program { program: String, source: std::io::Error },
    #[error("`{command}` failed; its own message is above")]
    Failed { command: String },
    #[error("cargo's description of the workspace is not understood: {0}")]
    Metadata(String),
    #[error("`{}` holds no game: a game is a crate with crate-type = [\"cdylib\"]", .0.display())]
    NoGames(PathBuf),
    #[error("cannot use `{}`: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{name} is no game yet: {reason}")]
    Game { name: String, reason: String },
}

/// Builds every game of the workspace in `dir`, sorted by name. Cargo's progress goes to standard error.
///
/// # Errors
/// Where a tool or target is missing, a crate does not compile, or what comes out is not a game.
pub fn build_games(dir: &Path) -> Result<Vec<Built>, BuildError> {
    let dir = dir.canonicalize().map_err(|_| BuildError::NoWorkspace(dir.to_path_buf()))?;
    if !dir.join("Cargo.toml").is_file() {
        return Err(BuildError::NoWorkspace(dir));
    }
    check_target(&dir)?;
    let games = games(&dir)?;
    if games.is_empty() {
        return Err(BuildError::NoGames(dir));
    }
    compile(&dir, &games)?;
    games.iter().map(|game| finish(&dir, game)).collect()
}

/// A crate of the workspace that is a game.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Game {
    package: String,
    /// The library's name, which cargo gives to the file.
    library: String,
}

fn check_target(dir: &Path) -> Result<(), BuildError> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let output = command(&rustc, dir)
        .args(["--print", "target-libdir", "--target", TARGET])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| BuildError::Program { program: "rustc".to_string(), source })?;
    let folder = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && Path::new(folder.trim()).is_dir() { Ok(()) } else { Err(BuildError::NoTarget) }
}

/// Asks cargo which crates of the workspace make a `cdylib`.
fn games(dir: &Path) -> Result<Vec<Game>, BuildError> {
    let output = cargo(dir)
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| BuildError::Program { program: "cargo".to_string(), source })?;
    if !output.status.success() {
        return Err(BuildError::Failed { command: "cargo metadata".to_string() });
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| BuildError::Metadata(error.to_string()))?;
    games_in(&metadata)
}

fn games_in(metadata: &Value) -> Result<Vec<Game>, BuildError> {
    let unknown = || BuildError::Metadata("it lists no packages".to_string());
    let mut games = Vec::new();
    for package in metadata["packages"].as_array().ok_or_else(unknown)? {
        for target in package["targets"].as_array().ok_or_else(unknown)? {
            let crate_types = target["crate_types"].as_array().ok_or_else(unknown)?;
            if crate_types.iter().any(|crate_type| crate_type == "cdylib") {
                let text = |value: &Value| value.as_str().map(str::to_string).ok_or_else(unknown);
                games.push(Game { package: text(&package["name"])?, library: text(&target["name"])? });
            }
        }
    }
    games.sort();
    Ok(games)
}

fn compile(dir: &Path, games: &[Game]) -> Result<(), BuildError> {
    let mut cargo = cargo(dir);
    cargo.args(["build", "--release", "--target", TARGET, "--target-dir"]).arg(dir.join("target"));
    cargo.arg("--config").arg(remap(dir));
    for game in games {
        cargo.args(["--package", &game.package]);
    }
    // What a person wants to see of a build is cargo's progress; standard output stays ours.
    let status = cargo
        .stdout(Stdio::null())
        .status()
        .map_err(|source| BuildError::Program { program: "cargo".to_string(), source })?;
    if status.success() {
        Ok(())
    } else {
        Err(BuildError::Failed { command: format!("cargo build --release --target {TARGET}") })
    }
}

/// Replaces this machine's folders in panic messages. Added to what the workspace's own `.cargo/config.toml` says.
fn remap(dir: &Path) -> String {
    let mut flags = vec![format!("--remap-path-prefix={}=games", dir.display())];
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    if let Some(home) = home {
        flags.push(format!("--remap-path-prefix={}=cargo", home.display()));
    }
    // A JSON list of strings is a TOML one too.
    format!("target.{TARGET}.rustflags = {}", Value::from(flags))
}

fn finish(dir: &Path, game: &Game) -> Result<Built, BuildError> {
    let core = dir.join("target").join(TARGET).join("release").join(format!("{}.wasm", game.library.replace('-', "_")));
    let core_module = std::fs::read(&core).map_err(|source| BuildError::File { path: core, source })?;
    let refused = |reason: String| BuildError::Game { name: game.package.clone(), reason };
    let component = componentize(&core_module).map_err(refused)?;
    gate::inspect(&component, &Limits::STANDARD).map_err(|error| refused(error.to_string()))?;

    let path = dir.join("built").join(format!("{}.wasm", game.package));
    atomic::write(&path, &component).map_err(|source| BuildError::File { path: path.clone(), source })?;
    Ok(Built { name: game.package.clone(), path, hash: Hash::of(&component), bytes: component.len() as u64 })
}

fn cargo(dir: &Path) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    command(&cargo, dir)
}

fn command(program: &OsString, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir);
    for variable in FOREIGN_VARIABLES {
        command.env_remove(variable);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_games_of_a_workspace_are_its_cdylib_crates() {
        let library =
            |name: &str, kind: &str| json!({"name": name, "targets": [{"name": name, "crate_types": [kind]}]});
        let metadata =
            json!({"packages": [library("spy", "cdylib"), library("sdk", "lib"), library("math", "cdylib")]});
        let names: Vec<String> = games_in(&metadata).unwrap().into_iter().map(|game| game.package).collect();
        assert_eq!(names, ["math", "spy"]);
    }

    #[test]
    fn a_folder_without_a_workspace_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = build_games(folder.path()).unwrap_err();
        assert!(matches!(error, BuildError::NoWorkspace(_)), "{error}");
    }
}
