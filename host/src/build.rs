//! Building games: a language's own tools make a core module or a component, and what comes out is let through the gate.
//!
//! ```text
//! DIR/Cargo.toml    a workspace of Rust games: every crate with a `cdylib` target is one     (`rust`)
//! DIR/ludus.toml    one game in another language: its name and the language                  (`project`, one file a language)
//! DIR/built/        the components, NAME.wasm
//! DIR/.ludus/       the SDK of that language and what its tools leave behind; made anew by each build
//! ```
//!
//! A Rust game may also have a workspace of its own, with the SDK in `.ludus` (`sdk`).
//!
//! What this does not do: it installs nothing. A missing tool is named, with the command that installs it.

mod c;
mod go;
mod interpreted;
mod javascript;
mod project;
mod python;
mod rust;
mod sdk;
mod tool;
mod zig;

use std::path::{Path, PathBuf};

use crate::atomic;
use crate::gate::{self, GateError};
use crate::hash::Hash;
use crate::limits::Limits;

pub use project::Language;
use project::Project;

/// A game that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    pub name: String,
    pub path: PathBuf,
    pub hash: Hash,
    pub bytes: u64,
    /// What it imports besides `ludus:game/random`, sorted.
    pub wasi: Vec<String>,
}

/// Why games could not be built. Each is one sentence.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error(
        "`{}` has no ludus.toml and no Cargo.toml: give the folder of a game, or begin one with `ludus new NAME --language c`",
        .0.display()
    )]
    NoProject(PathBuf),
    #[error("`{}` is not understood: {reason}", path.display())]
    Project { path: PathBuf, reason: String },
    #[error("the Rust target wasm32-unknown-unknown is not installed: run `rustup target add wasm32-unknown-unknown`")]
    NoTarget,
    #[error("{language} games need `{tool}`, which was not found: install it with `{install}`")]
    NoTool { language: Language, tool: &'static str, install: String },
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

/// Builds the game, or every game of the workspace, in `dir`, sorted by name. The components go to `out`, by default the
/// folder `built` in `dir`. The tools' own progress goes to standard error.
///
/// # Errors
/// Where a tool is missing, the game does not compile, or what comes out is not a game.
pub fn build(dir: &Path, out: Option<&Path>) -> Result<Vec<Built>, BuildError> {
    let dir = dir.canonicalize().map_err(|_| BuildError::NoProject(dir.to_path_buf()))?;
    let out = out.map_or_else(|| dir.join("built"), Path::to_path_buf);
    if let Some(project) = Project::read(&dir)? {
        let component = match project.language {
            Language::C => c::build(&project),
            Language::Zig => zig::build(&project),
            Language::Go => go::build(&project),
            Language::Javascript => javascript::build(&project),
            Language::Python => python::build(&project),
        }?;
        return Ok(vec![finish(&out, &project.name, &component)?]);
    }
    if dir.join("Cargo.toml").is_file() {
        return rust::build(&dir, &out);
    }
    Err(BuildError::NoProject(dir))
}

/// Writes the SDK of the game in `dir` into its folder `.ludus`, where it belongs there, so that editors find it.
///
/// # Errors
/// Where the game says no language, or a file cannot be written.
pub fn refresh_sdk(dir: &Path) -> Result<(), BuildError> {
    match Project::read(dir)? {
        Some(project) => match project.language {
            Language::C => project.workshop(c::SDK),
            Language::Zig => project.workshop(zig::SDK),
            Language::Go => project.workshop(go::SDK),
            Language::Javascript => project.workshop(javascript::SDK),
            Language::Python => project.workshop(python::SDK),
        }
        .map(drop),
        None => sdk::refresh(dir),
    }
}

/// Lets a component through the gate and writes it.
fn finish(out: &Path, name: &str, component: &[u8]) -> Result<Built, BuildError> {
    let refused = |error: GateError| BuildError::Game { name: name.to_string(), reason: error.to_string() };
    let mut wasi = gate::inspect(component, &Limits::STANDARD).map_err(refused)?;
    wasi.sort();
    let path = out.join(format!("{name}.wasm"));
    atomic::write(&path, component).map_err(|source| BuildError::File { path: path.clone(), source })?;
    Ok(Built { name: name.to_string(), path, hash: Hash::of(component), bytes: component.len() as u64, wasi })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_game_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = build(folder.path(), None).unwrap_err();
        assert!(matches!(error, BuildError::NoProject(_)), "{error}");
    }
}
