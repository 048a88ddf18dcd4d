//! The import gate: what a component asks for is read before anything of it is compiled.
//!
//! A game may import `ludus:game/random` and the virtual WASI (`wasi`), nothing else, and must export `ludus:game/game`.
//! The gate reads names only; wasmtime checks the types when it links. Toolchains may export more than the contract, which
//! does no harm.

use wasmparser::{ComponentType, Encoding, Parser, Payload};

use crate::limits::Limits;
use crate::wasi;

/// The one thing that a game may ask of its host.
pub const PERMITTED_IMPORT: &str = "ludus:game/random@0.1.0";
/// What makes a component a game.
pub const REQUIRED_EXPORT: &str = "ludus:game/game@0.1.0";

/// What one core module may have. A pool of instances has places for so many, and hosts without one must not take more: which
/// games are good ones is the same everywhere.
const MODULE_MEMORIES_MAX: u32 = 1;
pub(crate) const MODULE_TABLES_MAX: u32 = 4;

/// Why a file is not let in. Each message is a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    #[error("the component has {bytes} bytes, and {bytes_max} are the most: build it smaller")]
    TooLarge { bytes: u64, bytes_max: u64 },
    #[error(
        "it is no WebAssembly component ({reason}): give the .wasm file that `ludus build` or the game's own toolchain made"
    )]
    Malformed { reason: String },
    #[error(
        "it is a core WebAssembly module, not a component: `ludus build` makes components of games in its languages, `wasm-tools component new` of other modules"
    )]
    CoreModule,
    #[error(
        "it imports `{name}`, which no game gets: of WASI there are clocks, random numbers, and streams that lead nowhere, but \
         no network and no programs, so build it without"
    )]
    Wasi { name: String },
    #[error(
        "it imports `{name}`, which no game gets: only `{PERMITTED_IMPORT}` and a small part of WASI may be imported"
    )]
    Import { name: String },
    #[error("it defines resource types of its own, which no game needs: use plain records and functions")]
    Resource,
    #[error("a core module in it has {count} {what}, and {most} is the most: build it with fewer")]
    Module { what: &'static str, count: u32, most: u32 },
    #[error("components or types in it are nested too deep: flatten them, as every toolchain's are")]
    Nested,
    #[error("it does not export `{REQUIRED_EXPORT}`: implement the world `player-game` of wit/game.wit")]
    NoGame,
}

/// Components and modules within each other: toolchains make three. Compiling takes memory with the square of it.
const DEPTH_MAX: u32 = 16;
/// The bytes in a section of types that may each begin a nested one: toolchains make one.
const NESTING_BYTES_MAX: usize = 200;

/// Lets a component pass and lists what it imports of WASI, or says why not.
///
/// # Errors
/// Where the bytes are too many, are no component, import what is not permitted, have modules of more memories or tables than
/// any host has room for, are nested too deep, or export no game.
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<Vec<String>, GateError> {
    let bytes_max = limits.component_bytes_max;
    if bytes.len() as u64 > bytes_max {
        return Err(GateError::TooLarge { bytes: bytes.len() as u64, bytes_max });
    }

    let mut has_game = false;
    let mut wasi = Vec::new();
    // Components nest; only the outermost one's imports reach the host.
    let mut depth = 0u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(malformed)? {
            Payload::Version { encoding, .. } => {
                if depth == 0 && encoding == Encoding::Module {
                    return Err(GateError::CoreModule);
                }
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(GateError::Nested);
                }
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 1 => {
                for import in imports {
                    let name = import.map_err(malformed)?.name.name;
                    check_import(name)?;
                    if name != PERMITTED_IMPORT {
                        wasi.push(name.to_string());
                    }
                }
            }
            Payload::ComponentExportSection(exports) if depth == 1 => {
                for export in exports {
                    has_game |= export.map_err(malformed)?.name.name == REQUIRED_EXPORT;
                }
            }
            Payload::ComponentTypeSection(types) => {
                // Every reader of such types goes into them, and so down its stack; each level begins with one of two bytes.
                let section = bytes.get(types.range()).unwrap_or_default();
                if section.iter().filter(|byte| matches!(byte, 0x41 | 0x42)).count() > NESTING_BYTES_MAX {
                    return Err(GateError::Nested);
                }
                // Each of their handles would take memory of the host, without a bound.
                for defined in types {
                    if matches!(defined.map_err(malformed)?, ComponentType::Resource { .. }) {
                        return Err(GateError::Resource);
                    }
                }
            }
            Payload::MemorySection(memories) => check_count("memories", memories.count(), MODULE_MEMORIES_MAX)?,
            Payload::TableSection(tables) => check_count("tables", tables.count(), MODULE_TABLES_MAX)?,
            _ => {}
        }
    }
    if has_game { Ok(wasi) } else { Err(GateError::NoGame) }
}

fn check_count(what: &'static str, count: u32, most: u32) -> Result<(), GateError> {
    if count > most { Err(GateError::Module { what, count, most }) } else { Ok(()) }
}

fn check_import(name: &str) -> Result<(), GateError> {
    if name == PERMITTED_IMPORT || wasi::is_offered(name) {
        return Ok(());
    }
    // A name can be long and hold anything: it is shown to people, so escape and bound it.
    let shown: String = name.chars().take(120).flat_map(char::escape_debug).collect();
    if name.starts_with("wasi:") {
        Err(GateError::Wasi { name: shown })
    } else {
        Err(GateError::Import { name: shown })
    }
}

fn malformed(error: wasmparser::BinaryReaderError) -> GateError {
    // What follows a colon are the bytes in question, over many lines.
    let reason = error.message().split(':').next().unwrap_or_default().to_string();
    GateError::Malformed { reason }
}
