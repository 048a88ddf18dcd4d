//! A game that may be played: its bytes, its identity, its compiled code and its checked manifest.
//!
//! ```text
//! bytes -> blake3 -> import gate -> compiled once, cached on disk -> linked once -> describe -> manifest
//! ```
//!
//! Only what came through all of these is a `Component`, so nobody downstream has to ask again. A component's identity is
//! the hash of its bytes, never its name: two files with the same name and other bytes are two games.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::bindings::PlayerGamePre;
use crate::cache::Place;
use crate::engine::GameEngine;
use crate::fault::{Call, Fault};
use crate::gate::{self, GateError};
use crate::hash::Hash;
use crate::limits::Limits;
use crate::manifest::Manifest;
use crate::schema::OptionsSchema;
use crate::state::State;
use crate::stream::Stream;
use crate::trap;
use crate::wasi;

/// Why a game cannot be played. Each is one sentence.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    #[error("there is no game `{name}`: {looked}")]
    NotFound { name: String, looked: String },
    #[error("cannot read `{}`: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{0}")]
    Gate(#[from] GateError),
    #[error("it does not compile: {0}")]
    Compile(String),
    #[error("it does not fit the contract in wit/game.wit: {0}")]
    Link(String),
    #[error("it cannot describe itself: {0}")]
    Describe(Fault),
    #[error("its manifest is not in order: {0}")]
    Manifest(String),
    #[error("WebAssembly cannot run on this machine: {0}")]
    Engine(String),
    /// Another of these errors, with the file that it is about.
    #[error("`{}` cannot be played: {source}", path.display())]
    InFile { path: PathBuf, source: Box<ComponentError> },
}

/// A game, compiled and linked. Shared between threads; each `Instance` of it is a fresh one.
pub struct Component {
    /// The blake3 of the component's bytes.
    pub hash: Hash,
    pub manifest: Manifest,
    bytes: Vec<u8>,
    options: OptionsSchema,
    engine: Arc<GameEngine>,
    linked: PlayerGamePre<State>,
}

impl Component {
    /// `hash` is that of the bytes.
    pub(crate) fn load(
        engine: &Arc<GameEngine>,
        cache_dir: Option<&Path>,
        hash: Hash,
        bytes: Vec<u8>,
    ) -> Result<Component, ComponentError> {
        let wasi_imports = gate::inspect(&bytes, engine.limits())?;
        let cached = Place::new(cache_dir, engine, hash);
        let compiled = cached.code(engine, &bytes).map_err(|error| ComponentError::Compile(format!("{error:#}")))?;
        let mut linker = engine.linker().clone();
        let linked = wasi::link(&mut linker, &wasi_imports, &compiled)
            .and_then(|()| linker.instantiate_pre(&compiled))
            .and_then(PlayerGamePre::new)
            .map_err(|error| ComponentError::Link(format!("{error:#}")))?;
        let raw = cached.manifest(|| describe(engine, &linked)).map_err(ComponentError::Describe)?;
        let (manifest, options) = Manifest::check(raw, engine.limits()).map_err(ComponentError::Manifest)?;
        Ok(Component { hash, manifest, bytes, options, engine: Arc::clone(engine), linked })
    }

    /// The component's own bytes, as a store keeps them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Checks options against the game's schema and writes them as canonical JSON.
    ///
    /// # Errors
    /// One sentence that names the option, its value and what is allowed.
    pub fn check_options(&self, options: &Value) -> Result<String, String> {
        self.options.check(options)
    }

    /// The bounds that instances of this game live under.
    pub fn limits(&self) -> &Limits {
        self.engine.limits()
    }

    pub(crate) fn engine(&self) -> &GameEngine {
        &self.engine
    }

    pub(crate) fn linked(&self) -> &PlayerGamePre<State> {
        &self.linked
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Component({} {}, {})", self.manifest.name, self.manifest.version, self.hash.short())
    }
}

/// Asks a game for its manifest, in an instance of its own that gets no randomness.
fn describe(
    engine: &GameEngine,
    linked: &PlayerGamePre<State>,
) -> Result<crate::bindings::exports::ludus::game::game::Manifest, Fault> {
    let mut store = engine.store().map_err(|error| trap::fault(Call::Instantiate, &error))?;
    // A language's own run time may draw while it sets itself up; what a game says of itself does not depend on luck.
    store.data_mut().setup_random = Some(Stream::derive(0, &["describe".into()]));
    let game = match linked.instantiate(&mut store) {
        Ok(game) => game,
        Err(error) => return Err(trap::fault(Call::Instantiate, &error).with_printed(&store.data().wasi.printed())),
    };
    store.data_mut().setup_random = None;
    engine
        .allow(&mut store, engine.limits().fuel_per_call)
        .and_then(|()| game.ludus_game_game().call_describe(&mut store))
        .map_err(|error| trap::fault(Call::Describe, &error).with_printed(&store.data().wasi.printed()))
}
