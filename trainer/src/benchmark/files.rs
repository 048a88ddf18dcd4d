//! Which files of a folder hold a split.
//!
//! Folders look as on the Hugging Face Hub (`anatomy/test-00000-of-00001.parquet`, `test.jsonl`, `main/train/0000.parquet`)
//! or as in a benchmark's own archive (`test/anatomy_test.csv`, `commongen.dev.jsonl`). A file's split is what its name begins
//! or ends with, else its folder's name. Where a data set lies there in several configurations, the one called `all`, `main` or
//! `default` is meant.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::BenchmarkError;
use super::rows::ENDINGS;

/// How deep files are looked for.
const DEPTH_MAX: usize = 4;

const CONFIGURATIONS: [&str; 3] = ["all", "main", "default"];

/// The names of the same split.
const SPLITS: [(&str, &[&str]); 4] =
    [("test", &["test"]), ("validation", &["validation", "valid", "val"]), ("dev", &["dev"]), ("train", &["train"])];

/// A split's files in a folder, in the order of their names.
///
/// # Errors
/// Where the folder cannot be read or has no such files.
pub fn of_split(folder: &Path, splits: &[&str]) -> Result<(String, Vec<PathBuf>), BenchmarkError> {
    let mut all = Vec::new();
    collect(folder, DEPTH_MAX, &mut all)?;
    for split in splits {
        let files: Vec<PathBuf> = all.iter().filter(|path| split_of(path).as_deref() == Some(split)).cloned().collect();
        if !files.is_empty() {
            return Ok(((*split).to_owned(), files));
        }
    }
    let found = if all.is_empty() {
        format!("no file there ends with {}", ENDINGS.map(|ending| format!(".{ending}")).join(", "))
    } else {
        format!("of its {} files none is named after one", all.len())
    };
    Err(BenchmarkError::Asked(format!("{} has no split called {}: {found}", folder.display(), splits.join(" or "))))
}

/// The subject that a file is about, by its name (`anatomy_test.csv`) or its folder's (`anatomy/test-00000-of-00001.parquet`).
pub fn subject_of(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    if let Some((subject, end)) = stem.rsplit_once('_')
        && known_split(end).is_some()
    {
        return Some(subject.to_owned());
    }
    let mut folders = path.ancestors().skip(1).filter_map(|folder| folder.file_name()?.to_str());
    let folder = folders.find(|name| known_split(name).is_none())?;
    let is_subject = known_split(stem.split(['-', '.']).next()?).is_some() || stem.chars().all(|c| c.is_ascii_digit());
    let other = CONFIGURATIONS.contains(&folder) || folder == "data";
    (is_subject && !other).then(|| folder.to_owned())
}

fn split_of(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    let first = stem.split(['-', '.']).next().and_then(known_split);
    let last = stem.rsplit_once(['_', '.']).and_then(|(_, end)| known_split(end));
    let folder = || path.parent()?.file_name()?.to_str().and_then(known_split);
    first.or(last).or_else(folder)
}

fn known_split(name: &str) -> Option<String> {
    SPLITS.iter().find(|(_, names)| names.contains(&name)).map(|(split, _)| (*split).to_owned())
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), BenchmarkError> {
    let failed = |cause| BenchmarkError::File { path: folder.to_path_buf(), cause };
    let entries = fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
    paths.retain(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
    paths.sort();
    let named = |path: &&PathBuf, name: &str| path.is_dir() && path.ends_with(name);
    if let Some(one) = CONFIGURATIONS.iter().find_map(|name| paths.iter().find(|path| named(path, name))) {
        paths = vec![one.clone()];
    }
    for path in paths {
        if path.is_dir() && depth > 0 {
            collect(&path, depth - 1, found)?;
        } else if path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| ENDINGS.contains(&ending)) {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    fn names(files: &[&str], splits: &[&str]) -> Vec<String> {
        let folder = folder(files);
        let name = |path: &PathBuf| path.strip_prefix(folder.path()).unwrap().to_string_lossy().into_owned();
        of_split(folder.path(), splits).unwrap().1.iter().map(name).collect()
    }

    #[test]
    fn splits_are_found_in_the_layouts_that_people_have() {
        let hub = [
            "data/test-00000-of-00002.parquet",
            "data/test-00001-of-00002.parquet",
            "data/train-00000-of-00001.parquet",
        ];
        assert_eq!(names(&hub, &["test"]), hub[..2]);
        assert_eq!(names(&["test.jsonl", "README.md", ".git/test.json"], &["test"]), ["test.jsonl"]);
        assert_eq!(
            names(&["test/b_test.csv", "test/a_test.csv", "val/a_val.csv"], &["test"]),
            ["test/a_test.csv", "test/b_test.csv"]
        );
        assert_eq!(
            names(&["commongen.dev.jsonl", "commongen.train.jsonl"], &["validation", "dev"]),
            ["commongen.dev.jsonl"]
        );
        assert_eq!(names(&["main/test-0.parquet", "socratic/test-0.parquet"], &["test"]), ["main/test-0.parquet"]);
        assert_eq!(
            names(&["default/validation/0000.parquet"], &["test", "validation"]),
            ["default/validation/0000.parquet"]
        );
    }

    #[test]
    fn a_folder_without_the_split_says_so() {
        let sentence = |files: &[&str]| of_split(folder(files).path(), &["dev"]).unwrap_err().to_string();
        assert!(sentence(&[]).contains("has no split called dev: no file there ends with .parquet"));
        assert!(sentence(&["test.jsonl"]).contains("of its 1 files none is named after one"));
    }

    #[test]
    fn a_file_is_about_what_it_or_its_folder_is_called() {
        let subject = |path: &str| subject_of(Path::new(path));
        assert_eq!(subject("x/test/high_school_biology_test.csv").as_deref(), Some("high_school_biology"));
        assert_eq!(subject("x/anatomy/test-00000-of-00001.parquet").as_deref(), Some("anatomy"));
        assert_eq!(subject("x/anatomy/test/0000.parquet").as_deref(), Some("anatomy"));
        assert_eq!(subject("x/all/test-00000-of-00001.parquet"), None);
        assert_eq!(subject("x/questions.jsonl"), None);
    }
}
