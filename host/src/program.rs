//! How our programs are called where they run, so that a command in a hint can be typed as it stands.

use std::path::{Path, PathBuf};

/// The store that our programs take where none is named.
pub const STORE: &str = ".ludus";

/// One of our programs, as a shell takes it: its bare name where `PATH` leads to the one beside this very program, else that
/// one's path.
pub fn typed(name: &str) -> String {
    let Some(program) = std::env::current_exe().ok().map(|own| own.with_file_name(name)) else {
        return name.to_string();
    };
    if on_path(name).is_some_and(|found| is_same(&found, &program)) {
        return name.to_string();
    }
    let here = std::env::current_dir().unwrap_or_default();
    quoted(&program.strip_prefix(here).unwrap_or(&program).to_string_lossy())
}

/// The program `ludus` as it is called to look into a store.
pub fn ludus(store: &Path) -> String {
    on_store("ludus", store)
}

/// One of our programs as it is called to work on a store.
pub fn on_store(name: &str, store: &Path) -> String {
    let program = typed(name);
    if store == Path::new(STORE) { program } else { format!("{program} --store {}", quoted(&store.to_string_lossy())) }
}

/// A word as a shell takes it whole.
pub fn quoted(word: &str) -> String {
    let is_plain = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./=:,+@".contains(c));
    if is_plain { word.into() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::{quoted, typed};

    #[test]
    fn words_with_brackets_are_quoted_for_the_shell() {
        assert_eq!(quoted("seed=2"), "seed=2");
        assert_eq!(quoted("stage.0.players=[\"a\"]"), "'stage.0.players=[\"a\"]'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_program_that_is_not_on_the_path_is_called_by_its_place() {
        let typed = typed("no-such-program");
        assert!(typed.ends_with("/no-such-program"), "{typed}");
    }
}
