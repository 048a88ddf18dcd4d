//! Games in Python: componentize-py puts them into CPython, an interpreter in WebAssembly.
//!
//! What componentize-py makes imports all that Python's library could use, sockets among it, which no game gets. With
//! `--stub-wasi` it imports nothing that begins with `wasi:`, and each use of it traps. Between the two lies what a game
//! needs, to print and to sleep: it is asked for under another name, and the component's import gets back its own.
//!
//! ```text
//! .ludus/ludus_component.py    where the component begins
//! .ludus/ludus_library.py      turns Python's library to the host
//! .ludus/ludus.py              the SDK
//! .ludus/wit/                  the contract, and the part of WASI
//! ```

use wasmparser::{Parser, Payload};

use super::project::{Language, Project};
use super::tool::{self, Tool};
use super::{BuildError, interpreted};

const PY: Tool =
    Tool { language: Language::Python, names: &["componentize-py"], install: "pip install componentize-py==0.25.1" };

pub(super) const SDK: &[(&str, &str)] = &[
    ("ludus_component.py", include_str!("../../../games-wasm/languages/python/ludus_component.py")),
    ("ludus_library.py", include_str!("../../../games-wasm/languages/python/ludus_library.py")),
    ("ludus.py", include_str!("../../../games-wasm/languages/python/ludus.py")),
];

const WASI: &str = "wasi:";
/// What WASI is called while the component is made. Of the same length, so that a name changes in its place.
const STAND_IN: &str = "real:";

/// Builds `game.py` and what it imports.
pub(super) fn build(project: &Project) -> Result<Vec<u8>, BuildError> {
    let py = PY.find()?;
    if !project.dir.join("game.py").is_file() {
        return Err(project.refused("its folder has no game.py".to_string()));
    }
    for (name, text) in interpreted::FILES {
        project.workshop(&[(name, &text.replace(WASI, STAND_IN))])?;
    }
    let workshop = project.workshop(SDK)?;
    let path = workshop.join("component.wasm");
    let mut command = tool::command(&py, &project.dir, &["--wit-path".as_ref(), ".ludus/wit".as_ref()]);
    command.args(["--world", interpreted::WORLD, "componentize", "--stub-wasi"]);
    command.args(["--python-path", ".ludus", "--python-path", "."]);
    command.arg("--output").arg(&path).arg("ludus_component");
    tool::run(command)?;
    let mut component = project.made(path)?;
    name_wasi(&mut component).map_err(|error| project.refused(format!("it is no component: {error}")))?;
    Ok(component)
}

/// Gives the component's imports of WASI their own names.
fn name_wasi(component: &mut [u8]) -> wasmparser::Result<()> {
    let mut places = Vec::new();
    // Components nest; only the outermost one's imports reach the host.
    let mut depth = 0u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 1 => {
                for import in imports.into_iter_with_offsets() {
                    let (offset, import) = import?;
                    if import.name.name.starts_with(STAND_IN) {
                        // Before the name lie a byte for its kind and, of a name this short, one for its length.
                        places.push(offset + 2);
                    }
                }
            }
            _ => {}
        }
    }
    for place in places {
        component[place..place + WASI.len()].copy_from_slice(WASI.as_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_of_wasi_get_their_own_names_and_no_other_bytes_change() {
        let text = |package: &str| {
            format!(
                r#"(component
                    (import "ludus:game/random@0.1.0" (instance))
                    (import "{package}:cli/stdout@0.2.0" (instance))
                    (import "{package}:cli/stderr@0.2.0" (instance))
                    (component (import "real:cli/stderr@0.2.0" (instance))))"#
            )
        };
        let mut component = wat::parse_str(text("real")).unwrap();
        name_wasi(&mut component).unwrap();
        assert_eq!(component, wat::parse_str(text("wasi")).unwrap());
    }
}
