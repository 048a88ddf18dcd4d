//! Games in Zig, for no operating system at all: such a component imports nothing but the host's `random`.

use super::BuildError;
use super::project::{Language, Project};
use super::tool::{self, Tool};
use crate::componentize::componentize;

pub(super) const ZIG: Tool =
    Tool { language: Language::Zig, names: &["zig", "python-zig"], install: "pip install ziglang==0.17.1" };

/// A shadow stack of 32 KiB: an instance's memory is cleared between episodes, so a small one starts faster.
const STACK_BYTES: &str = "32768";
/// The same for C.
pub(super) const C_STACK: &str = "-Wl,-z,stack-size=32768";

/// `@import("ludus")`, which is also the root of the program.
pub(super) const SDK: &[(&str, &str)] = &[("ludus.zig", include_str!("../../../games-wasm/languages/zig/ludus.zig"))];

/// `ReleaseSafe` checks what is undefined otherwise, and traps.
const TARGET: [&str; 8] =
    ["-target", "wasm32-freestanding", "-O", "ReleaseSafe", "-fno-entry", "-rdynamic", "-fstrip", "-fsingle-threaded"];

/// The SDK and the game know each other: `@import("game")` and `@import("ludus")`.
const MODULES: [&str; 6] = ["--dep", "game", "-Mroot=.ludus/ludus.zig", "--dep", "ludus=root", "-Mgame=game.zig"];

/// Compiles `game.zig` and what it imports.
pub(super) fn build(project: &Project) -> Result<Vec<u8>, BuildError> {
    let zig = ZIG.find()?;
    if !project.dir.join("game.zig").is_file() {
        return Err(project.refused("its folder has no game.zig".to_string()));
    }
    let workshop = project.workshop(SDK)?;
    let mut compile = tool::command(&zig, &project.dir, &["build-exe".as_ref()]);
    compile.args(TARGET).args(["--stack", STACK_BYTES, "--cache-dir", ".ludus/cache"]);
    compile.args(["--name", "core", "-femit-bin=.ludus/core.wasm"]).args(MODULES);
    tool::run(compile)?;
    componentize(&project.made(workshop.join("core.wasm"))?).map_err(|reason| project.refused(reason))
}
