//! `ludus.toml`: what a game in another language than Rust says of itself to the build.
//!
//! ```text
//! name = "connect-four"     the component's file, and the name in its manifest
//! language = "c"
//! ```

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::BuildError;
use crate::manifest::is_kebab_case;

/// The languages besides Rust that games are built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    C,
    Zig,
    Go,
    Javascript,
    Python,
}

impl Language {
    /// As `ludus.toml` has it.
    pub fn word(self) -> &'static str {
        match self {
            Language::C => "c",
            Language::Zig => "zig",
            Language::Go => "go",
            Language::Javascript => "javascript",
            Language::Python => "python",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Language::C => "C",
            Language::Zig => "Zig",
            Language::Go => "Go",
            Language::Javascript => "JavaScript",
            Language::Python => "Python",
        })
    }
}

/// One game to build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Project {
    /// Absolute.
    pub dir: PathBuf,
    pub name: String,
    pub language: Language,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    language: Language,
}

impl Project {
    /// None where `dir` has no `ludus.toml`.
    pub fn read(dir: &Path) -> Result<Option<Project>, BuildError> {
        let path = dir.join("ludus.toml");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(BuildError::File { path, source }),
        };
        let refused = |reason: String| BuildError::Project { path: path.clone(), reason };
        let Written { name, language } = toml::from_str(&text).map_err(|error| refused(error.message().to_string()))?;
        if !is_kebab_case(&name) {
            return Err(refused(format!("the name `{name}` is not in kebab-case, such as `connect-four`")));
        }
        Ok(Some(Project { dir: dir.to_path_buf(), name, language }))
    }

    /// The folder for the SDK and for what tools leave behind, with these files in it.
    pub fn workshop(&self, files: &[(&str, &str)]) -> Result<PathBuf, BuildError> {
        let workshop = self.dir.join(".ludus");
        for (name, text) in files {
            let path = workshop.join(name);
            let written =
                path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text.as_bytes()));
            written.map_err(|source| BuildError::File { path, source })?;
        }
        Ok(workshop)
    }

    /// What a tool has made.
    pub fn made(&self, path: PathBuf) -> Result<Vec<u8>, BuildError> {
        fs::read(&path).map_err(|source| BuildError::File { path, source })
    }

    /// An error about this game.
    pub fn refused(&self, reason: String) -> BuildError {
        BuildError::Game { name: self.name.clone(), reason }
    }
}
