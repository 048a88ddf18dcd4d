//! The world of games whose language comes with an interpreter.

use crate::componentize::WIT;

pub(super) const WORLD: &str = "interpreted-game";

/// The world and all that it names, as files for a tool.
pub(super) const FILES: [(&str, &str); 3] = [
    ("wit/game.wit", WIT),
    ("wit/interpreted.wit", include_str!("../../../games-wasm/languages/interpreted.wit")),
    ("wit/deps/wasi.wit", include_str!("../../../games-wasm/languages/wasi.wit")),
];
