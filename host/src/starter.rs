//! The folder that a new game begins as: a small complete game in the author's language, which builds at once.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::build::{BuildError, Language, refresh_sdk};
use crate::manifest::is_kebab_case;

/// Stands for the game's name in a template.
const NAME: &str = "{{name}}";

const C: &[(&str, &str)] = &[("game.c", include_str!("../../games-wasm/languages/c/template/game.c"))];
const ZIG: &[(&str, &str)] = &[("game.zig", include_str!("../../games-wasm/languages/zig/template/game.zig"))];
const GO: &[(&str, &str)] = &[("game.go", include_str!("../../games-wasm/languages/go/template/game.go"))];
const JAVASCRIPT: &[(&str, &str)] =
    &[("game.js", include_str!("../../games-wasm/languages/javascript/template/game.js"))];
const PYTHON: &[(&str, &str)] = &[("game.py", include_str!("../../games-wasm/languages/python/template/game.py"))];
const RUST: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../../games-wasm/languages/rust/template/Cargo.toml")),
    (".cargo/config.toml", include_str!("../../games-wasm/languages/rust/template/.cargo/config.toml")),
    ("clippy.toml", include_str!("../../games-wasm/languages/rust/template/clippy.toml")),
    ("src/lib.rs", include_str!("../../games-wasm/languages/rust/template/src/lib.rs")),
];

/// The languages to begin a game in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A cargo workspace.
    Rust,
    In(Language),
}

impl fmt::Display for Start {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Start::Rust => formatter.write_str("Rust"),
            Start::In(language) => write!(formatter, "{language}"),
        }
    }
}

/// Why no game was begun. Each is one sentence.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("`{0}` is no name for a game: names are kebab-case, such as `connect-four`")]
    Name(String),
    #[error("`{}` is there already: choose another name, or another folder with --dir", .0.display())]
    Exists(PathBuf),
    #[error("cannot write `{}`: {source}", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Sdk(#[from] BuildError),
}

/// Makes the folder `parent/name`. Nothing that is there is written over.
///
/// # Errors
/// Where the name is none, the folder is there already, or it cannot be written.
pub fn start(parent: &Path, name: &str, language: Start) -> Result<PathBuf, StartError> {
    if !is_kebab_case(name) {
        return Err(StartError::Name(name.to_string()));
    }
    let dir = parent.join(name);
    if dir.symlink_metadata().is_ok() {
        return Err(StartError::Exists(dir));
    }
    let (files, main) = match language {
        Start::Rust => (RUST, "src/lib.rs"),
        Start::In(Language::C) => (C, "game.c"),
        Start::In(Language::Zig) => (ZIG, "game.zig"),
        Start::In(Language::Go) => (GO, "game.go"),
        Start::In(Language::Javascript) => (JAVASCRIPT, "game.js"),
        Start::In(Language::Python) => (PYTHON, "game.py"),
    };
    for (path, text) in files {
        write(&dir.join(path), &text.replace(NAME, name))?;
    }
    if let Start::In(language) = language {
        write(&dir.join("ludus.toml"), &format!("name = \"{name}\"\nlanguage = \"{}\"\n", language.word()))?;
    }
    write(&dir.join("README.md"), &readme(name, language, main))?;
    write(&dir.join(".gitignore"), ".ludus/\nbuilt/\ntarget/\n")?;
    refresh_sdk(&dir)?;
    Ok(dir)
}

fn readme(name: &str, language: Start, main: &str) -> String {
    format!(
        "# {name}\n\n\
         A game for language models in {language}; the rules are in `{main}`, and the SDK in `.ludus/` says what there is.\n\n\
         - `ludus build` makes `built/{name}.wasm`: that file is the game, and its hash is its identity.\n\
         - `ludus check built/{name}.wasm` plays it in every way that should make no difference.\n\
         - `ludus play built/{name}.wasm` lets you play it.\n"
    )
}

fn write(path: &Path, text: &str) -> Result<(), StartError> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    written.map_err(|source| StartError::Unwritable { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Start; 6] = [
        Start::Rust,
        Start::In(Language::C),
        Start::In(Language::Zig),
        Start::In(Language::Go),
        Start::In(Language::Javascript),
        Start::In(Language::Python),
    ];

    #[test]
    fn a_new_game_has_its_name_everywhere_and_a_short_readme() {
        for language in ALL {
            let folder = tempfile::tempdir().unwrap();
            let dir = start(folder.path(), "my-game", language).unwrap();
            for file in ["README.md", "ludus.toml", "Cargo.toml", "game.c", "game.py", "src/lib.rs"] {
                let text = fs::read_to_string(dir.join(file)).unwrap_or_default();
                assert!(!text.contains(NAME), "{language}: {file}");
            }
            let readme = fs::read_to_string(dir.join("README.md")).unwrap();
            assert!(readme.lines().filter(|line| !line.is_empty()).count() <= 5, "{readme}");
        }
    }

    #[test]
    fn what_is_there_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("taken"), "mine").unwrap();
        assert!(matches!(start(folder.path(), "taken", Start::Rust), Err(StartError::Exists(_))));
        assert!(matches!(start(folder.path(), "Not A Name", Start::Rust), Err(StartError::Name(_))));
        assert_eq!(fs::read_to_string(folder.path().join("taken")).unwrap(), "mine");
    }
}
