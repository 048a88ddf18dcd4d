//! The contract in Rust, generated from `wit/game.wit`.

wit_bindgen::generate!({
    path: "../../wit",
    world: "player-game",
    additional_derives: [PartialEq],
});
