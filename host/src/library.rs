//! The games at hand: finds components by name or path and loads each of them once.
//!
//! A name means `NAME.wasm` in the first of the games folders that has it. What was loaded stays as it was for the life of
//! the library: a file that is rebuilt under a long run does not change the game in the middle. A library may be shared
//! between threads.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::component::{Component, ComponentError};
use crate::engine::{Allocation, GameEngine};
use crate::hash::Hash;
use crate::limits::Limits;
use crate::regular_file;
use crate::suggest;

/// Where games lie and how they are run.
#[derive(Clone, Debug)]
pub struct LibraryOptions {
    /// Searched in this order.
    pub games_dirs: Vec<PathBuf>,
    /// Keeps compiled components between runs; none: each run compiles anew.
    pub cache_dir: Option<PathBuf>,
    pub limits: Limits,
}

/// The games at hand.
pub struct Library {
    options: LibraryOptions,
    engine: Arc<GameEngine>,
    loaded: Mutex<Loaded>,
}

#[derive(Default)]
struct Loaded {
    /// What was put in the place of a name or path.
    instead: BTreeMap<String, Arc<Component>>,
    by_path: BTreeMap<PathBuf, Arc<Component>>,
    by_hash: BTreeMap<Hash, Arc<Component>>,
}

impl Library {
    /// # Errors
    /// Where this machine cannot run WebAssembly with the limits given. Missing folders are no error: they hold no games.
    pub fn open(options: LibraryOptions) -> Result<Library, ComponentError> {
        let pooled = Library::open_with(options.clone(), Allocation::STANDARD);
        // Where addresses are rationed (`ulimit -v`) a pool does not fit. Games then begin slower and go the same way.
        pooled.or_else(|error| {
            tracing::debug!(%error, "no pool of instances");
            Library::open_with(options, Allocation::OnDemand)
        })
    }

    /// As `open`, with a choice of how instances get their memory.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_with(options: LibraryOptions, allocation: Allocation) -> Result<Library, ComponentError> {
        let engine = GameEngine::new(options.limits, allocation)
            .map_err(|error| ComponentError::Engine(format!("{error:#}")))?;
        Ok(Library { options, engine: Arc::new(engine), loaded: Mutex::default() })
    }

    /// The folders to look in: those given (`--games`), else those of `LUDUS_GAMES`, else `games-wasm/built` of this
    /// folder or the nearest one above it that has it.
    pub fn standard_dirs(given: &[PathBuf]) -> Vec<PathBuf> {
        if !given.is_empty() {
            return given.to_vec();
        }
        if let Some(listed) = std::env::var_os("LUDUS_GAMES").filter(|listed| !listed.is_empty()) {
            return std::env::split_paths(&listed).collect();
        }
        let here = std::env::current_dir().unwrap_or_default();
        here.ancestors()
            .map(|folder| folder.join("games-wasm/built"))
            .find(|built| built.is_dir())
            .into_iter()
            .collect()
    }

    /// The cache folder: `$LUDUS_CACHE`, else `${XDG_CACHE_HOME:-~/.cache}/ludus`, else none.
    pub fn standard_cache_dir() -> Option<PathBuf> {
        let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        folder("LUDUS_CACHE")
            .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("ludus")))
            .or_else(|| folder("HOME").map(|home| home.join(".cache/ludus")))
    }

    /// The game of that name, in that file, or built in that folder: what has a separator or ends in `.wasm` is a path.
    ///
    /// # Errors
    /// Where there is no such game, or it may not be played.
    pub fn game(&self, name_or_path: &str) -> Result<Arc<Component>, ComponentError> {
        if let Some(component) = self.loaded().instead.get(name_or_path) {
            return Ok(Arc::clone(component));
        }
        let path = if is_path(name_or_path) { PathBuf::from(name_or_path) } else { self.find(name_or_path)? };
        self.load_file(&built_in(&path)?)
    }

    /// Gives the game of these bytes from now on to whoever asks for this name or path.
    ///
    /// # Errors
    /// Where it may not be played.
    pub fn play_instead(&self, name_or_path: &str, bytes: Vec<u8>) -> Result<(), ComponentError> {
        let component = self.from_bytes(bytes)?;
        self.loaded().instead.insert(name_or_path.to_string(), component);
        Ok(())
    }

    /// The game of these bytes, as a store keeps them.
    ///
    /// # Errors
    /// Where it may not be played.
    pub fn from_bytes(&self, bytes: Vec<u8>) -> Result<Arc<Component>, ComponentError> {
        // Held while compiling: two threads that want the same game compile it once.
        self.load(&mut self.loaded(), bytes)
    }

    /// Every game in the folders, sorted by name; of two with the same name the one that `game` would give.
    pub fn list(&self) -> Vec<(PathBuf, Result<Arc<Component>, ComponentError>)> {
        self.names().into_values().map(|path| (path.clone(), self.load_file(&path))).collect()
    }

    pub fn limits(&self) -> &Limits {
        &self.options.limits
    }

    /// Names the engine: wasmtime's version, its settings and this processor. Stands beside a record, never in it.
    pub fn engine_fingerprint(&self) -> String {
        format!("wasmtime-48/{}", self.engine.fingerprint().short())
    }

    /// A panic elsewhere leaves whole maps.
    fn loaded(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn load_file(&self, path: &Path) -> Result<Arc<Component>, ComponentError> {
        let mut loaded = self.loaded();
        if let Some(component) = loaded.by_path.get(path) {
            return Ok(Arc::clone(component));
        }
        let bytes = regular_file::read(path, self.options.limits.component_bytes_max)
            .map_err(|source| ComponentError::Read { path: path.to_path_buf(), source })?;
        let component = self
            .load(&mut loaded, bytes)
            .map_err(|source| ComponentError::InFile { path: path.to_path_buf(), source: Box::new(source) })?;
        loaded.by_path.insert(path.to_path_buf(), Arc::clone(&component));
        Ok(component)
    }

    fn load(&self, loaded: &mut Loaded, bytes: Vec<u8>) -> Result<Arc<Component>, ComponentError> {
        let hash = Hash::of(&bytes);
        if let Some(component) = loaded.by_hash.get(&hash) {
            return Ok(Arc::clone(component));
        }
        let component = Arc::new(Component::load(&self.engine, self.options.cache_dir.as_deref(), hash, bytes)?);
        loaded.by_hash.insert(hash, Arc::clone(&component));
        Ok(component)
    }

    fn find(&self, name: &str) -> Result<PathBuf, ComponentError> {
        let file = format!("{name}.wasm");
        let found = self.options.games_dirs.iter().map(|folder| folder.join(&file)).find(|path| path.is_file());
        // A new game's folder, called as it is seen from where it lies.
        let folder = || Some(PathBuf::from(name)).filter(|folder| folder.is_dir());
        found
            .or_else(folder)
            .ok_or_else(|| ComponentError::NotFound { name: name.to_string(), looked: self.what_there_is(name) })
    }

    /// The end of a sentence for somebody who asked for a game that is not there.
    fn what_there_is(&self, wanted: &str) -> String {
        if self.options.games_dirs.is_empty() {
            return "no folder of games was found, so give one with --games or LUDUS_GAMES, or run `./just games`"
                .to_string();
        }
        let folders: Vec<String> = self.options.games_dirs.iter().map(|folder| folder.display().to_string()).collect();
        let unreadable = self.options.games_dirs.iter().find_map(|folder| {
            let error = fs::read_dir(folder).err().filter(|error| error.kind() != std::io::ErrorKind::NotFound)?;
            Some((folder, error))
        });
        if let Some((folder, error)) = unreadable {
            return format!("the folder of games {} cannot be read: {error}", folder.display());
        }
        let names: Vec<String> = self.names().into_keys().collect();
        if names.is_empty() {
            return format!("{} holds none, so build some with `./just games`", folders.join(", "));
        }
        let guess = suggest::nearest(wanted, names.iter().map(String::as_str));
        let guess = guess.map(|name| format!("did you mean `{name}`? ")).unwrap_or_default();
        format!(
            "{guess}{} has {}; `./just languages` builds the games in other languages than Rust",
            folders.join(", "),
            names.join(", ")
        )
    }

    /// Names and files, earlier folders first served.
    fn names(&self) -> BTreeMap<String, PathBuf> {
        let mut names = BTreeMap::new();
        for folder in &self.options.games_dirs {
            for path in components_in(folder) {
                if let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) {
                    names.entry(name.to_string()).or_insert(path);
                }
            }
        }
        names
    }
}

/// Whether a game is given as a path, and not by its name.
pub(crate) fn is_path(name_or_path: &str) -> bool {
    name_or_path.ends_with(".wasm") || name_or_path.contains(std::path::is_separator)
}

/// The files in a folder that are called as components are, in no order.
fn components_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let paths = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "wasm") && path.is_file())
}

/// The component in the folder of a game, where `ludus build` puts it; every other path as it is.
fn built_in(path: &Path) -> Result<PathBuf, ComponentError> {
    if !path.is_dir() {
        return Ok(path.to_path_buf());
    }
    let mut name =
        path.canonicalize().ok().and_then(|path| path.file_name().map(ToOwned::to_owned)).unwrap_or_default();
    name.push(".wasm");
    let folder = path.join("built");
    let built = folder.join(name);
    if built.is_file() {
        return Ok(built);
    }
    // A folder may be called otherwise than the game in it, as a clone is.
    let mut others: Vec<PathBuf> = components_in(&folder).collect();
    let looked = match others.len() {
        1 => return Ok(others.swap_remove(0)),
        0 => format!("it is a folder, and {} is not there: `ludus build` makes it", built.display()),
        several => format!("it is a folder with {several} games in {}: name one of these files", folder.display()),
    };
    Err(ComponentError::NotFound { name: path.display().to_string(), looked })
}
