//! The contract in Rust, generated from `wit/game.wit`.

wit_bindgen::generate!({
    path: "../../wit",
    world: "player-game",
    pub_export_macro: true,
    export_macro_name: "export_component",
    additional_derives: [PartialEq],
});
