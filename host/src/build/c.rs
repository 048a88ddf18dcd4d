//! Games in C, compiled by `zig cc`: one package with a C library for WebAssembly and no other needs.

use std::path::Path;

use super::project::{Language, Project};
use super::tool::{self, Tool};
use super::{BuildError, zig};
use crate::componentize::componentize;

/// What a game includes, and the one file that compiles the half of it which is not declarations.
pub(super) const SDK: &[(&str, &str)] = &[
    ("ludus.h", include_str!("../../../games-wasm/languages/c/ludus.h")),
    ("ludus.c", "#define LUDUS_IMPLEMENTATION\n#include \"ludus.h\"\n"),
];

/// A library with the C library's parts that are used, no `main`, no names and no paths of this machine.
const TARGET: [&str; 5] = ["--target=wasm32-wasi", "-mexec-model=reactor", "-std=c11", "-O2", "-g0"];

/// Much of what is undefined in C stops the game instead of spoiling it: an index out of an array, a sum that overflows. It
/// costs a search about a quarter of its speed.
const SAFETY: [&str; 2] = ["-fsanitize=undefined", "-fsanitize-trap=undefined"];

/// A stack protector would draw its canary from WASI; nothing returns through this stack. A game's functions have parameters
/// that some games need and others do not.
const OTHERS: [&str; 5] = ["-fno-stack-protector", "-Wall", "-Wextra", "-Wno-unused-parameter", "-I.ludus"];

/// The linker: no names for debuggers, and the shadow stack of all our languages. It lies below the data, so what overflows it
/// traps.
const LINKER: [&str; 2] = ["-s", zig::C_STACK];

/// Compiles every `.c` file of the folder.
pub(super) fn build(project: &Project) -> Result<Vec<u8>, BuildError> {
    let zig = Tool { language: Language::C, ..zig::ZIG }.find()?;
    let sources = sources(&project.dir)?;
    if sources.is_empty() {
        return Err(project.refused("its folder has no .c file".to_string()));
    }
    if !names_the_game(&project.dir, &sources) {
        let reason = "no .c file defines `ludus_game`, which holds what the game says of itself and its rules";
        return Err(project.refused(reason.to_string()));
    }
    let workshop = project.workshop(SDK)?;
    let mut cc = tool::command(&zig, &project.dir, &["cc".as_ref()]);
    cc.env("ZIG_LOCAL_CACHE_DIR", workshop.join("cache"));
    cc.args(TARGET).args(SAFETY).args(OTHERS).args(LINKER);
    cc.args(["-o", ".ludus/core.wasm", ".ludus/ludus.c"]).args(sources);
    tool::run(cc)?;
    componentize(&project.made(workshop.join("core.wasm"))?).map_err(|reason| project.refused(reason))
}

/// Whether the name that the SDK asks for is in one of the files; the linker would say the same in its own words.
fn names_the_game(dir: &Path, sources: &[String]) -> bool {
    let name = b"ludus_game";
    let has_name = |text: Vec<u8>| text.windows(name.len()).any(|part| part == name);
    sources.iter().any(|source| std::fs::read(dir.join(source)).map_or(true, has_name))
}

/// The names of the folder's own `.c` files, sorted: the order in which they are linked shows in the component.
fn sources(dir: &Path) -> Result<Vec<String>, BuildError> {
    let failed = |source| BuildError::File { path: dir.to_path_buf(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.extension().is_some_and(|extension| extension == "c") {
            // So that a name which begins with a hyphen is no option.
            names.push(format!("./{name}"));
        }
    }
    names.sort();
    Ok(names)
}
