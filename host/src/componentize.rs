//! From a core module to a component.
//!
//! A compiler for wasm32 makes a core module. wit-component wraps it, once the module says in a custom section which world
//! it implements. The result is a function of the module's bytes.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The contract, for tools that want a file of it.
pub const WIT: &str = include_str!("../../wit/game.wit");

/// The world that a game implements.
const WORLD: &str = "player-game";

/// WASI preview 1 without memory of its own, and what it uses of preview 2.
const ADAPTER: &str = include_str!("componentize/preview1.wat");
const ADAPTER_WIT: &str = include_str!("componentize/preview1.wit");
const ADAPTER_WORLD: &str = "adapter";

/// Wraps a core module that exports the world's functions under their canonical names (`ludus:game/game@0.1.0#start`) and
/// says nothing of it. What it imports of WASI preview 1 is translated to preview 2.
///
/// # Errors
/// A sentence, where the module is none or does not implement the world.
pub fn componentize(core_module: &[u8]) -> Result<Vec<u8>, String> {
    let adapter = wat::parse_str(ADAPTER).map_err(anyhow::Error::from);
    let adapter = adapter.and_then(|module| with_world(&module, ADAPTER_WIT, ADAPTER_WORLD)).map_err(refused)?;
    with_world(core_module, WIT, WORLD)
        .and_then(|module| {
            ComponentEncoder::default()
                .module(&module)?
                .adapter("wasi_snapshot_preview1", &adapter)?
                .validate(true)
                .encode()
        })
        .map_err(refused)
}

/// Notes in a module which world of `wit` it implements.
fn with_world(core_module: &[u8], wit: &str, world: &str) -> anyhow::Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str(Path::new("world.wit"), wit)?;
    let world = resolve.select_world(&[package], Some(world))?;
    let mut module = core_module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)?;
    Ok(module)
}

fn refused(error: anyhow::Error) -> String {
    format!("it does not become a component: {error:#}")
}
