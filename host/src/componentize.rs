//! From a core module to a component.
//!
//! A compiler for wasm32 makes a core module; wit-bindgen leaves in it a custom section that says which world it
//! implements. wit-component reads that section and wraps the module. The result is a function of the module's bytes.

use wit_component::ComponentEncoder;

/// Wraps a core module that was built against `wit/game.wit`.
///
/// # Errors
/// A sentence, where the module is none or does not implement the world.
pub fn componentize(core_module: &[u8]) -> Result<Vec<u8>, String> {
    ComponentEncoder::default()
        .module(core_module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| format!("it does not become a component: {error:#}"))
}
