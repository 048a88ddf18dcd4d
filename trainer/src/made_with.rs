//! With what the steps of a run were made: the programs' versions, the device, and how it computes.
//!
//! The same recipe and seed give the same bits only with the same of all this, so it lies beside the run (`made_with` in
//! `run.json`). A run that goes on with something else gets a further entry, which says from which step on.

use std::fmt;
use std::path::Path;

use ludus_host::library::Library;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind};

use crate::device;

/// What made the steps from one step on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeWith {
    /// The first of these steps, counted from 1.
    pub from_step: u32,
    pub ludus: String,
    /// The commit that the program was built from, with `-dirty` where its files had been changed. None without git.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub libtorch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wasmtime: Option<String>,
    /// The fingerprint of the engine that plays the games.
    pub engine: String,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// The number format of the network's passes: `float32` or `bfloat16`.
    pub precision: String,
    /// libtorch's threads on the CPU.
    pub threads: u32,
    /// The processes that worked together.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub ranks: u32,
}

impl MadeWith {
    /// This program on this machine, as it computes now, by itself.
    pub fn here(library: &Library, device: Device, compute: Kind, from_step: u32) -> MadeWith {
        MadeWith {
            from_step,
            ludus: env!("CARGO_PKG_VERSION").into(),
            commit: option_env!("LUDUS_COMMIT").map(str::to_owned),
            libtorch: device::libtorch_folder().and_then(|folder| libtorch_version(&folder)),
            wasmtime: option_env!("LUDUS_WASMTIME").map(str::to_owned),
            engine: library.engine_fingerprint(),
            device: match device {
                Device::Cuda(number) => format!("cuda:{number}"),
                _ => "cpu".into(),
            },
            precision: if compute == Kind::Float { "float32" } else { "bfloat16" }.into(),
            threads: u32::try_from(tch::get_num_threads()).unwrap_or(0),
            ranks: 1,
        }
    }

    /// Whether all of it is the same, from whichever step on.
    pub fn is_like(&self, other: &MadeWith) -> bool {
        MadeWith { from_step: other.from_step, ..self.clone() } == *other
    }
}

/// `ludus 0.1.0 (commit 7ba9cd4ea370), libtorch 2.13.0, wasmtime-48/1a2b3c, cpu in float32 with 2 threads`
impl fmt::Display for MadeWith {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ludus {}", self.ludus)?;
        if let Some(commit) = &self.commit {
            write!(formatter, " (commit {commit})")?;
        }
        if let Some(libtorch) = &self.libtorch {
            write!(formatter, ", libtorch {libtorch}")?;
        }
        let MadeWith { engine, device, precision, threads, ranks, .. } = self;
        write!(formatter, ", {engine}, {device} in {precision} with {threads} threads")?;
        if *ranks > 1 { write!(formatter, " on each of {ranks} ranks") } else { Ok(()) }
    }
}

fn one() -> u32 {
    1
}

fn is_one(number: &u32) -> bool {
    *number == 1
}

/// The entry of a step. A run that was resumed from an earlier step has made the later ones again.
pub fn of_step(entries: &[MadeWith], step: u32) -> Option<&MadeWith> {
    entries.iter().rfind(|entry| entry.from_step <= step)
}

/// The entries of a run that goes on with `now`.
pub fn going_on(entries: Vec<MadeWith>, now: MadeWith) -> Vec<MadeWith> {
    let mut entries = entries;
    entries.retain(|entry| entry.from_step < now.from_step);
    if entries.last().is_none_or(|last| !last.is_like(&now)) {
        entries.push(now);
    }
    entries
}

/// The version as a Python wheel or a libtorch archive writes it down beside `lib/`.
pub fn libtorch_version(lib: &Path) -> Option<String> {
    let root = lib.parent()?;
    if let Ok(text) = std::fs::read_to_string(root.join("version.py")) {
        let line = text.lines().find(|line| line.starts_with("__version__"))?;
        return Some(line.split(['\'', '"']).nth(1)?.to_owned());
    }
    let text = std::fs::read_to_string(root.join("build-version")).ok()?;
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_with(from_step: u32, threads: u32) -> MadeWith {
        MadeWith {
            from_step,
            ludus: "0.1.0".into(),
            commit: None,
            libtorch: Some("2.13.0+cpu".into()),
            wasmtime: None,
            engine: "wasmtime-48/12ab".into(),
            device: "cpu".into(),
            precision: "float32".into(),
            threads,
            ranks: 1,
        }
    }

    #[test]
    fn a_run_that_goes_on_with_the_same_has_one_entry_and_else_one_from_that_step_on() {
        let begun = going_on(Vec::new(), made_with(1, 2));
        let same = going_on(begun, made_with(5, 2));
        assert_eq!(same, [made_with(1, 2)]);
        let other = going_on(same, made_with(7, 4));
        assert_eq!(other, [made_with(1, 2), made_with(7, 4)]);
        assert_eq!([1, 6, 7, 9].map(|step| of_step(&other, step).unwrap().threads), [2, 2, 4, 4]);
        // Steps that are made again are what the last one made.
        assert_eq!(going_on(other.clone(), made_with(6, 2)), [made_with(1, 2)]);
        assert_eq!(going_on(other, made_with(1, 8)), [made_with(1, 8)]);
    }

    #[test]
    fn what_made_a_run_is_told_in_one_line() {
        let told = "ludus 0.1.0, libtorch 2.13.0+cpu, wasmtime-48/12ab, cpu in float32 with 2 threads";
        assert_eq!(made_with(1, 2).to_string(), told);
        let several = MadeWith { ranks: 4, ..made_with(1, 2) };
        assert_eq!(several.to_string(), format!("{told} on each of 4 ranks"));
    }

    #[test]
    fn the_version_is_read_from_a_wheel_and_from_an_archive() {
        let root = tempfile::tempdir().unwrap();
        let lib = root.path().join("lib");
        assert_eq!(libtorch_version(&lib), None);
        std::fs::write(root.path().join("build-version"), "2.13.0+cpu\n").unwrap();
        assert_eq!(libtorch_version(&lib).as_deref(), Some("2.13.0+cpu"));
        std::fs::write(root.path().join("version.py"), "a = 1\n__version__ = '2.13.0+cu130'\n").unwrap();
        assert_eq!(libtorch_version(&lib).as_deref(), Some("2.13.0+cu130"));
    }
}
