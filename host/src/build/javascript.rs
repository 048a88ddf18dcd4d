//! Games in JavaScript: componentize-qjs puts them into QuickJS, an interpreter in WebAssembly.
//!
//! ```text
//! .ludus/entry.js                       where the component begins
//! .ludus/node_modules/ludus/index.js    the SDK, `import … from "ludus"`
//! .ludus/source/                        the game's own files, copied: a bare name is looked for in the folders above its file
//! .ludus/wit/                           the contract, and the part of WASI that the SDK prints to
//! ```

use std::fs;
use std::io;
use std::path::Path;

use super::project::{Language, Project};
use super::tool::{self, Tool};
use super::{BuildError, interpreted};

const QJS: Tool = Tool {
    language: Language::Javascript,
    names: &["componentize-qjs"],
    install: "npm install --global componentize-qjs@0.4.5",
};

pub(super) const SDK: &[(&str, &str)] = &[
    ("entry.js", include_str!("../../../games-wasm/languages/javascript/entry.js")),
    ("node_modules/ludus/index.js", include_str!("../../../games-wasm/languages/javascript/ludus.js")),
];

/// Folders beside the game that hold none of its sources. Packages are found where they lie.
const NO_SOURCES: [&str; 2] = ["built", "node_modules"];

/// Builds `game.js` and what it imports.
pub(super) fn build(project: &Project) -> Result<Vec<u8>, BuildError> {
    let qjs = QJS.find()?;
    if !project.dir.join("game.js").is_file() {
        return Err(project.refused("its folder has no game.js".to_string()));
    }
    project.workshop(&interpreted::FILES)?;
    let workshop = project.workshop(SDK)?;
    let source = workshop.join("source");
    copy_sources(&project.dir, &source).map_err(|error| BuildError::File { path: source, source: error })?;

    let component = workshop.join("component.wasm");
    let mut command = tool::command(&qjs, &project.dir, &["--sync".as_ref()]);
    command.args([
        "--wit",
        ".ludus/wit",
        "--world",
        interpreted::WORLD,
        "--js",
        ".ludus/entry.js",
        "--module-root",
        ".",
    ]);
    command.arg("--output").arg(&component);
    tool::run(command)?;
    project.made(component)
}

/// Copies scripts and data, with the folders that they lie in, and nothing from an earlier build.
fn copy_sources(from: &Path, to: &Path) -> io::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name().filter(|name| !name.to_string_lossy().starts_with('.')) else { continue };
        let is_script = path.extension().is_some_and(|kind| kind == "js" || kind == "mjs" || kind == "json");
        if path.is_dir() && !NO_SOURCES.iter().any(|folder| name == *folder) {
            copy_sources(&path, &to.join(name))?;
        } else if path.is_file() && is_script {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
