//! Writes libtorch's folder into the programs (rpath), so that they run without `LD_LIBRARY_PATH`.
//!
//! A build script's linker arguments reach its own package only, so `tests` names this same file in its Cargo.toml.
//! The folder is the one that torch-sys links against, however it found it (`LIBTORCH`, for one). It is written twice:
//! with links resolved, for a program that outlives its clone's `.cargo/libtorch`; and as found, for a clone whose link
//! set-up has moved to another libtorch.

use std::path::Path;

fn main() {
    // Some such line is needed, else cargo runs this for every changed file of the package.
    println!("cargo::rerun-if-env-changed=LIBTORCH");
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
