//! The contract as wasmtime sees it, generated from `wit/game.wit`.
//!
//! Nothing outside `instance.rs`, `check.rs`, `manifest.rs`, `cache.rs` and `engine.rs` uses these types: what they hold was
//! said by a guest and is not yet checked. `turn.rs` has the checked ones.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "player-game",
    imports: { default: trappable },
    additional_derives: [serde::Serialize, serde::Deserialize],
});
