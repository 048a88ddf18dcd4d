//! A workspace of Rust games: cargo makes core modules, and each becomes a component.
//!
//! ```text
//! DIR/Cargo.toml                          every crate with a `cdylib` target is a game
//! DIR/target/wasm32-unknown-unknown/...   cargo's own folder
//! DIR/built/NAME.wasm                     the components, NAME being the package's
//! ```
//!
//! A component's identity is its bytes, so builds must not hold this machine's paths: they are remapped. What this file
//! does not do: it installs nothing. A missing compiler target is named, with the command that adds it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{BuildError, Built, finish, sdk};
use crate::componentize::componentize;

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

/// Builds every game of the workspace in `dir`, sorted by name. Cargo's progress goes to standard error.
///
/// # Errors
/// Where a tool or target is missing, a crate does not compile, or what comes out is not a game.
pub(super) fn build(dir: &Path, out: &Path) -> Result<Vec<Built>, BuildError> {
    check_target(dir)?;
    sdk::refresh(dir)?;
    let metadata = metadata(dir)?;
    let games = games_in(&metadata)?;
    if games.is_empty() {
        return Err(BuildError::NoGames(dir.to_path_buf()));
    }
    compile(dir, &games, &remap(dir, &metadata))?;
    games.iter().map(|game| finish(out, &game.package, &component(dir, game)?)).collect()
}

/// A crate of the workspace that is a game.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Game {
    package: String,
    /// The library's name, which cargo gives to the file.
    library: String,
}

fn check_target(dir: &Path) -> Result<(), BuildError> {
    if std::env::var_os("CARGO_UNSTABLE_BUILD_STD").is_some() {
        // Cargo builds the target's standard library itself.
        return Ok(());
    }
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let output = command(&rustc, dir)
        .args(["--print", "target-libdir", "--target", TARGET])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| BuildError::Program { program: "rustc".to_string(), source })?;
    let folder = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && Path::new(folder.trim()).is_dir() { Ok(()) } else { Err(BuildError::NoTarget) }
}

/// Asks cargo what the workspace is made of. Fetches what is not there yet.
fn metadata(dir: &Path) -> Result<Value, BuildError> {
    let output = cargo(dir)
        .args(["metadata", "--format-version", "1", "--filter-platform", TARGET])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| BuildError::Program { program: "cargo".to_string(), source })?;
    if !output.status.success() {
        return Err(BuildError::Failed { command: "cargo metadata".to_string() });
    }
    serde_json::from_slice(&output.stdout).map_err(|error| BuildError::Metadata(error.to_string()))
}

/// The workspace's own crates that make a `cdylib`, sorted.
fn games_in(metadata: &Value) -> Result<Vec<Game>, BuildError> {
    let unknown = || BuildError::Metadata("it lists no packages".to_string());
    let members = metadata["workspace_members"].as_array().ok_or_else(unknown)?;
    let mut games = Vec::new();
    for package in metadata["packages"].as_array().ok_or_else(unknown)? {
        if !members.contains(&package["id"]) {
            continue;
        }
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

fn compile(dir: &Path, games: &[Game], remap: &str) -> Result<(), BuildError> {
    let mut cargo = cargo(dir);
    cargo.args(["build", "--release", "--target", TARGET, "--target-dir"]).arg(dir.join("target"));
    cargo.arg("--config").arg(remap);
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

/// Replaces this machine's folders in panic messages: the workspace's, and those that hold its dependencies. Added to what
/// the workspace's own `.cargo/config.toml` says.
fn remap(dir: &Path, metadata: &Value) -> String {
    // The folder of a dependency's folder: a registry's sources, whose name differs between mirrors.
    let sources: BTreeSet<&Path> = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|package| package["source"].is_string())
        .filter_map(|package| Path::new(package["manifest_path"].as_str()?).parent()?.parent())
        .collect();
    let flags: Vec<String> = std::iter::once((dir, "games"))
        .chain(sources.into_iter().map(|folder| (folder, "cargo")))
        .map(|(folder, name)| format!("--remap-path-prefix={}={name}", folder.display()))
        .collect();
    // A JSON list of strings is a TOML one too.
    format!("target.{TARGET}.rustflags = {}", Value::from(flags))
}

fn component(dir: &Path, game: &Game) -> Result<Vec<u8>, BuildError> {
    let core = dir.join("target").join(TARGET).join("release").join(format!("{}.wasm", game.library.replace('-', "_")));
    let core_module = std::fs::read(&core).map_err(|source| BuildError::File { path: core, source })?;
    componentize(&core_module).map_err(|reason| BuildError::Game { name: game.package.clone(), reason })
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

    fn workspace() -> Value {
        let package = |name: &str, kind: &str, source: Option<&str>| {
            let targets = json!([{"name": name, "crate_types": [kind]}]);
            json!({"id": name, "name": name, "source": source, "manifest_path": format!("/reg/{name}/Cargo.toml"), "targets": targets})
        };
        json!({
            "workspace_members": ["spy", "sdk", "math"],
            "packages": [
                package("spy", "cdylib", None),
                package("sdk", "lib", None),
                package("math", "cdylib", None),
                package("far", "cdylib", Some("registry")),
            ],
        })
    }

    #[test]
    fn the_games_of_a_workspace_are_its_own_cdylib_crates() {
        let names: Vec<String> = games_in(&workspace()).unwrap().into_iter().map(|game| game.package).collect();
        assert_eq!(names, ["math", "spy"]);
        assert!(games_in(&json!({})).is_err());
    }

    #[test]
    fn no_folder_of_this_machine_gets_into_a_game() {
        let flags = remap(Path::new("/home/me/games"), &workspace());
        let expected = r#"["--remap-path-prefix=/home/me/games=games","--remap-path-prefix=/reg=cargo"]"#;
        assert_eq!(flags, format!("target.{TARGET}.rustflags = {expected}"));
    }
}
