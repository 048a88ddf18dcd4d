//! A small model with a recipe, and the program on it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ludus_tests::{small_model, small_recipe};
use tempfile::TempDir;

/// The name of every run here: the recipe's.
const RUN: &str = "small";

pub struct Scene {
    folder: TempDir,
    changes: Vec<String>,
}

/// How the program ended, and what it said.
pub struct Ended {
    pub code: Option<i32>,
    pub output: String,
    pub errors: String,
}

impl Scene {
    /// The small recipe with some values changed.
    pub fn new(changes: &[&str]) -> Scene {
        let folder = tempfile::tempdir().expect("a folder");
        let model = folder.path().join("model");
        fs::create_dir(&model).expect("a folder for the model");
        fs::write(folder.path().join("small.toml"), small_recipe(&small_model(&model))).expect("a recipe");
        Scene { folder, changes: changes.iter().map(|change| format!("--set={change}")).collect() }
    }

    pub fn model(&self) -> PathBuf {
        self.folder.path().join("model")
    }

    /// A store of this name, which need not be there yet.
    pub fn store(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `ludus-train` with a store.
    pub fn program(&self, store: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ludus-train"));
        command.arg("--store").arg(store);
        command.arg("--games").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../games-wasm/built"));
        command
    }

    /// The command that begins the run in a store, or goes on with it where it was begun.
    pub fn train(&self, store: &Path) -> Command {
        let mut command = self.program(store);
        command.arg("train").arg(self.folder.path().join("small.toml")).args(&self.changes);
        if run_folder(store).join("run.json").exists() {
            command.arg("--resume");
        }
        command
    }

    /// Trains to the end, which is a good one.
    pub fn train_to_the_end(&self, store: &Path) {
        let ended = end_of(self.train(store));
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
    }

    pub fn replay(&self, store: &Path, step: &str, more: &[&str]) -> Ended {
        let mut command = self.program(store);
        command.args(["replay", RUN, step]).args(more);
        end_of(command)
    }
}

/// Waits for a program's end.
pub fn end_of(mut command: Command) -> Ended {
    let Output { status, stdout, stderr } = command.output().expect("ludus-train runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { code: status.code(), output: text(stdout), errors: text(stderr) }
}

pub fn run_folder(store: &Path) -> PathBuf {
    store.join("runs").join(RUN)
}

pub fn checkpoint(store: &Path, step: u32) -> PathBuf {
    run_folder(store).join(format!("checkpoints/step-{step:06}"))
}

/// Where the checkpoint of a step is written before it takes its place.
pub fn partial_checkpoint(store: &Path, step: u32) -> PathBuf {
    run_folder(store).join(format!("checkpoints/.step-{step:06}.partial"))
}

/// The hash of every file of a run, but of those that hold times.
pub fn files_of(store: &Path) -> BTreeMap<String, String> {
    let root = run_folder(store);
    let mut found = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of a run").flatten() {
            let path = entry.path();
            let name = path.strip_prefix(&root).expect("it is in the run").to_string_lossy().into_owned();
            match name.as_str() {
                "timing.jsonl" | "tensorboard" => {}
                _ if path.is_dir() => folders.push(path),
                _ => {
                    let hash = blake3::hash(&fs::read(&path).expect("a file of a run"));
                    found.insert(name, hash.to_hex().to_string());
                }
            }
        }
    }
    found
}
