//! Finding games, and the cache of compiled ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ludus_host::component::ComponentError;
use ludus_host::library::{Library, LibraryOptions};
use ludus_host::limits::Limits;

use crate::guest::*;

fn open_dirs(games_dirs: &[&Path], cache_dir: Option<&Path>) -> Library {
    let games_dirs = games_dirs.iter().map(|dir| dir.to_path_buf()).collect();
    Library::open(LibraryOptions { games_dirs, cache_dir: cache_dir.map(Path::to_path_buf), limits: Limits::STANDARD })
        .unwrap()
}

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() { files.extend(files_under(&entry.path())) } else { files.push(entry.path()) }
    }
    files.sort();
    files
}

#[test]
fn a_game_is_found_by_name_and_by_path_and_loaded_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sample.wasm");
    fs::write(&path, Guest::good().bytes_of_component()).unwrap();
    let library = open_dirs(&[folder.path()], None);
    let by_name = library.game("sample").unwrap();
    let by_path = library.game(path.to_str().unwrap()).unwrap();
    let by_bytes = library.from_bytes(by_name.bytes().to_vec()).unwrap();
    assert!(Arc::ptr_eq(&by_name, &by_path) && Arc::ptr_eq(&by_name, &by_bytes));
    // A file that changes later does not change the game that is being played.
    fs::write(&path, b"something else").unwrap();
    assert!(Arc::ptr_eq(&by_name, &library.game("sample").unwrap()));
}

#[test]
fn a_game_is_found_in_a_folder_of_any_name() {
    let parent = tempfile::tempdir().unwrap();
    let library = open_dirs(&[], None);
    for name in ["sample", "ludus-sample", "sample-1.0"] {
        let folder = parent.path().join(name);
        fs::create_dir_all(folder.join("built")).unwrap();
        let error = library.game(folder.to_str().unwrap()).unwrap_err();
        assert!(error.to_string().contains("`ludus build` makes it"), "{error}");
        fs::write(folder.join("built/sample.wasm"), Guest::good().bytes_of_component()).unwrap();
        assert_eq!(library.game(folder.to_str().unwrap()).unwrap().manifest.name, "sample");
    }
    // Of several games that of the folder's own name, whatever else is in the name; else none.
    let folder = parent.path().join("sample-1.0");
    fs::write(folder.join("built/other.wasm"), b"something else").unwrap();
    let error = library.game(folder.to_str().unwrap()).unwrap_err();
    assert!(error.to_string().contains("2 games"), "{error}");
    fs::rename(folder.join("built/sample.wasm"), folder.join("built/sample-1.0.wasm")).unwrap();
    assert_eq!(library.game(folder.to_str().unwrap()).unwrap().manifest.name, "sample");
}

#[test]
fn a_game_that_is_not_there_is_answered_with_those_that_are() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sample.wasm"), b"").unwrap();
    let error = open_dirs(&[folder.path()], None).game("simple").unwrap_err();
    assert!(error.to_string().contains("`simple`") && error.to_string().contains("sample"), "{error}");
    let error = open_dirs(&[], None).game("simple").unwrap_err();
    assert!(error.to_string().contains("LUDUS_GAMES"), "{error}");
    let error = open_dirs(&[], None).game("nowhere/simple.wasm").unwrap_err();
    assert!(matches!(error, ComponentError::Read { .. }) && error.to_string().contains("nowhere"), "{error}");
}

#[test]
fn a_list_is_sorted_and_shows_broken_games_too() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let good = Guest::good().bytes_of_component();
    fs::write(second.path().join("alpha.wasm"), &good).unwrap();
    fs::write(first.path().join("beta.wasm"), b"broken").unwrap();
    fs::write(second.path().join("beta.wasm"), &good).unwrap();
    fs::write(first.path().join("notes.txt"), b"").unwrap();
    let listed = open_dirs(&[first.path(), second.path()], None).list();
    let paths: Vec<&Path> = listed.iter().map(|(path, _)| path.as_path()).collect();
    assert_eq!(paths, [second.path().join("alpha.wasm"), first.path().join("beta.wasm")]);
    assert!(listed[0].1.is_ok());
    assert!(listed[1].1.as_ref().unwrap_err().to_string().contains("beta.wasm"));
}

#[test]
fn a_compiled_game_is_cached_and_a_damaged_cache_is_made_good() {
    let cache = tempfile::tempdir().unwrap();
    let bytes = Guest::good().bytes_of_component();
    let load = || {
        let library = open_dirs(&[], Some(cache.path()));
        let component = library.from_bytes(bytes.clone()).unwrap();
        let (mut instance, _) = begin(&component).unwrap();
        assert!(instance.step(&seat_0_moves(), stream(2)).is_ok());
    };
    load();
    let files = files_under(cache.path());
    assert_eq!(files.len(), 3, "code, digest and manifest: {files:?}");
    for file in &files {
        let written = fs::read(file).unwrap();
        for damage in
            [vec![], written[..written.len() / 2].to_vec(), flipped(&written, written.len() - 1), flipped(&written, 0)]
        {
            // Replaced, never changed: an earlier library may have it mapped.
            fs::remove_file(file).unwrap();
            fs::write(file, &damage).unwrap();
            load();
            assert_ne!(fs::read(file).unwrap(), damage, "the damaged {} was kept", file.display());
        }
        fs::remove_file(file).unwrap();
        load();
        assert!(file.is_file());
    }

    // What stays whole is used: a file that were compiled again would be a new one.
    let modified = || files.iter().map(|file| fs::metadata(file).unwrap().modified().unwrap()).collect::<Vec<_>>();
    let before = modified();
    load();
    assert_eq!(modified(), before);
    assert_eq!(files_under(cache.path()), files);
}

#[test]
fn what_is_cached_of_another_game_is_not_taken_in_ones_place() {
    let cache = tempfile::tempdir().unwrap();
    let about = About { name: "another", steps_max: 3, schema: r#"{"type":"object"}"#.into() };
    let other = Guest::good().with(|guest| guest.view_returns("another game")).with(|guest| guest.describe(&about));
    open_dirs(&[], Some(cache.path())).from_bytes(other.bytes_of_component()).unwrap();
    let of_other: Vec<Vec<u8>> = files_under(cache.path()).iter().map(|file| fs::read(file).unwrap()).collect();
    fs::remove_dir_all(cache.path().join("compiled")).unwrap();
    open_dirs(&[], Some(cache.path())).from_bytes(Guest::good().bytes_of_component()).unwrap();
    // Their digests too.
    for (file, bytes) in files_under(cache.path()).iter().zip(of_other) {
        fs::write(file, bytes).unwrap();
    }

    let component = open_dirs(&[], Some(cache.path())).from_bytes(Guest::good().bytes_of_component()).unwrap();
    assert_eq!(component.manifest.name, "sample");
    assert_eq!(begin(&component).unwrap().0.view(None), Ok("two doors".into()));
}

#[test]
fn a_cache_that_cannot_be_written_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(open_dirs(&[], Some(&file)).from_bytes(Guest::good().bytes_of_component()).is_ok());
}

fn flipped(bytes: &[u8], index: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[index] ^= 1;
    bytes
}
