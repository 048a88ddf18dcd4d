//! What the programs know of their own making: where libtorch lies, the commit, and the version of wasmtime.
//!
//! Libtorch's folder is written in as an rpath, so that the programs run without `LD_LIBRARY_PATH`. A build script's linker
//! arguments reach its own package only, so `tests` names this same file in its Cargo.toml. The folder is the one that
//! torch-sys links against, however it found it (`LIBTORCH`, for one). It is written twice: with links resolved, for a
//! program that outlives its clone's `.cargo/libtorch`; and as found, for a clone whose link set-up has moved to another
//! libtorch.
//!
//! Commit and version stand in what a run writes down about itself. Where there is no git or no lock file they are left out.

use std::path::Path;
use std::process::Command;

fn main() {
    // Once one such line is there, cargo no longer runs this for every changed file of the package. Those that matter are
    // named: whatever is compiled differs from the commit as soon as one of them does.
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    for path in ["build.rs", "src", "../host/src", "../wit", "../Cargo.lock"].iter().filter(|path| exists(path)) {
        println!("cargo::rerun-if-changed={path}");
    }
    link_to_libtorch();
    if let Some(commit) = commit() {
        println!("cargo::rustc-env=LUDUS_COMMIT={commit}");
    }
    if let Some(version) = locked_version("wasmtime") {
        println!("cargo::rustc-env=LUDUS_WASMTIME={version}");
    }
}

fn link_to_libtorch() {
    // torch-sys declares `links = "tch"`, and cargo hands what it found to packages that depend on it directly.
    let Some(found) = std::env::var_os("DEP_TCH_LIBTORCH_LIB") else {
        return;
    };
    let found = Path::new(&found);
    if let Ok(resolved) = found.canonicalize() {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", resolved.display());
    }
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", found.display());
}

/// The commit, with `-dirty` behind it where files differ from it.
fn commit() -> Option<String> {
    // Grows with every commit and checkout.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if exists(&log) {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"])
}

/// What git answers in one line.
fn git(arguments: &[&str]) -> Option<String> {
    let answer = Command::new("git").args(arguments).output().ok().filter(|answer| answer.status.success())?;
    Some(String::from_utf8(answer.stdout).ok()?.trim().to_owned()).filter(|line| !line.is_empty())
}

/// The version of a package in the workspace's lock file.
fn locked_version(package: &str) -> Option<String> {
    let lock = std::fs::read_to_string("../Cargo.lock").ok()?;
    let (_, after) = lock.split_once(&format!("\nname = \"{package}\"\nversion = \""))?;
    Some(after.split_once('"')?.0.to_owned())
}

fn exists(path: &str) -> bool {
    Path::new(path).exists()
}
