//! What is here and what is missing, for `ludus-train doctor`: libtorch, devices, cores, memory, model, games, cache.
//!
//! Nothing is changed and nothing is downloaded. Every missing thing comes with what mends it.

use std::fmt;
use std::path::Path;

use ludus_host::library::Library;
use tch::Cuda;

use crate::device::{self, CudaLibrary};
use crate::fused;
use crate::machine::{self, format_bytes};
use crate::made_with::libtorch_version;
use crate::model::import::{self, DEFAULT_MODEL};
use crate::plan::model_folder;
use crate::{products, ranks};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub what: &'static str,
    pub found: String,
    /// What to do about it; None where all is well.
    pub mend: Option<&'static str>,
}

/// Looks at everything, in the order in which it is needed.
pub fn examine(library: &Library) -> Vec<Finding> {
    vec![
        libtorch(),
        cuda_library(),
        devices(),
        ranks(),
        well("cores", cores()),
        well("number format", number_format()),
        memory(),
        cache(),
        model(),
        games(library),
    ]
}

/// `libtorch   2.13.0 in /…`, and below it what mends a fault.
impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:<14} {}", self.what, self.found)?;
        match self.mend {
            Some(mend) => write!(formatter, "\n{:<14} -> {mend}", ""),
            None => Ok(()),
        }
    }
}

fn well(what: &'static str, found: String) -> Finding {
    Finding { what, found, mend: None }
}

fn ill(what: &'static str, found: String, mend: &'static str) -> Finding {
    Finding { what, found, mend: Some(mend) }
}

fn libtorch() -> Finding {
    // The program could not have started without it; what may be odd is where it came from.
    match device::libtorch_folder() {
        Some(folder) => {
            let version = libtorch_version(&folder).unwrap_or_else(|| "of unknown version".into());
            well("libtorch", format!("{version} in {}", folder.display()))
        }
        None => well("libtorch", "linked into the program".into()),
    }
}

fn cuda_library() -> Finding {
    match device::load_cuda() {
        Ok(CudaLibrary::Loaded) => well("CUDA", "compiled in".into()),
        Ok(CudaLibrary::NotInstalled) => well("CUDA", "not compiled in (this libtorch is for CPUs only)".into()),
        Err(error) => ill("CUDA", error.to_string(), "./just setup"),
    }
}

fn devices() -> Finding {
    let count = usize::try_from(Cuda::device_count()).unwrap_or(0);
    let has_driver = device::gpu_driver_is_present();
    if count == 0 {
        let found = "the CPU".to_owned();
        return match has_driver {
            false => well("devices", found),
            true => ill(
                "devices",
                format!("{found}; there is an NVIDIA driver, but libtorch finds no GPU"),
                "see whether nvidia-smi works and CUDA_VISIBLE_DEVICES is empty, then ./just setup",
            ),
        };
    }
    let gpus: Vec<String> = (0..count)
        .map(|number| match device::cuda_memory_bytes(number) {
            Some((free, total)) => {
                format!("cuda:{number} ({} of {} free)", format_bytes(free), format_bytes(total))
            }
            None => format!("cuda:{number}"),
        })
        .collect();
    well("devices", format!("the CPU, {}", gpus.join(", ")))
}

fn ranks() -> Finding {
    match ranks::backends() {
        Some(backends) => well("ranks", format!("joined by {backends}")),
        None => ill(
            "ranks",
            "this program runs alone: it was built without Gloo's headers".to_owned(),
            "./just setup, or apt-get install libgloo-dev, then touch trainer/build.rs and build again",
        ),
    }
}

fn number_format() -> String {
    let fast = if machine::multiplies_bfloat16_faster() { "bfloat16" } else { "float32" };
    format!("{fast} on this CPU with precision = \"auto\"")
}

fn memory() -> Finding {
    let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "unknown".to_owned(), format_bytes);
    let (available, total) = (machine::memory_available_bytes(), machine::memory_total_bytes());
    well("memory", format!("{} of {} available", bytes(available), bytes(total)))
}

fn cache() -> Finding {
    match import::standard_cache() {
        Ok(folder) if folder.is_dir() => well("cache", folder.display().to_string()),
        Ok(folder) => ill("cache", format!("{} is not there yet", folder.display()), "./just setup"),
        Err(error) => ill("cache", error.to_string(), "export LUDUS_CACHE=/some/folder"),
    }
}

fn model() -> Finding {
    match model_folder(DEFAULT_MODEL) {
        Some(folder) => well("model", format!("{DEFAULT_MODEL} in {}", folder.display())),
        None => ill("model", format!("{DEFAULT_MODEL} is not there"), "./just setup"),
    }
}

fn games(library: &Library) -> Finding {
    let games = library.list();
    if games.is_empty() {
        return ill("games", "none".into(), "./just games");
    }
    let name = |path: &Path| path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let (good, bad): (Vec<_>, Vec<_>) = games.iter().partition(|(_, game)| game.is_ok());
    let good: Vec<String> = good.iter().map(|(path, _)| name(path)).collect();
    if bad.is_empty() {
        return well("games", good.join(", "));
    }
    let bad: Vec<String> = bad.iter().map(|(path, _)| name(path)).collect();
    ill("games", format!("{}; these cannot be used: {}", good.join(", "), bad.join(", ")), "./just games")
}

fn cores() -> String {
    let (cores, used) = (machine::cores(), tch::get_num_threads());
    let products = products::kernels().first().map_or(String::new(), |name| format!(", bfloat16 by {name}"));
    format!("{cores}, libtorch uses {used}, vectors by {}{products}", fused::instructions())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ludus_host::library::LibraryOptions;
    use ludus_host::limits::Limits;

    #[test]
    fn a_missing_thing_comes_with_what_mends_it() {
        let empty = tempfile::tempdir().unwrap();
        let options =
            LibraryOptions { games_dirs: vec![empty.path().into()], cache_dir: None, limits: Limits::STANDARD };
        let findings = examine(&Library::open(options).unwrap());
        let games = findings.iter().find(|finding| finding.what == "games").unwrap();
        assert_eq!(games.to_string(), "games          none\n               -> ./just games");
        let libtorch = findings.iter().find(|finding| finding.what == "libtorch").unwrap();
        assert!(libtorch.found.starts_with("2."), "{}", libtorch.found);
    }
}
