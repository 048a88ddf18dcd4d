//! Writing a file so that readers see all of it or nothing.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells apart the temporary files of one process.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// Writes `bytes` to `path` through a temporary file in the same folder, which is made where it is missing. The bytes are
/// on the disk before the name points at them.
///
/// # Errors
/// What the file system says. No temporary file is left behind then.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    fs::create_dir_all(folder)?;

    let (mut file, temporary) = create_temporary(folder, name)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let renamed = written.and_then(|()| fs::rename(&temporary, path));
    if renamed.is_err() {
        // The first error is the one that matters.
        let _ = fs::remove_file(&temporary);
    }
    renamed
}

/// Whether files can be made in a folder. None is left behind.
///
/// # Errors
/// What the file system says.
pub fn try_folder(folder: &Path) -> io::Result<()> {
    let (_, temporary) = create_temporary(folder, OsStr::new(".try"))?;
    fs::remove_file(temporary)
}

/// A new file in a folder. One with its name may be there: several containers that share a folder number their processes alike.
fn create_temporary(folder: &Path, name: &OsStr) -> io::Result<(File, PathBuf)> {
    loop {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let mut temporary_name = name.to_os_string();
        temporary_name.push(format!(".{}-{serial}.tmp", std::process::id()));
        let temporary = folder.join(temporary_name);
        match File::create_new(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map(|file| (file, temporary)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_replaces_the_old_one_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("file");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_temporary_file_of_somebody_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let next = SERIAL.load(Ordering::Relaxed);
        let theirs: Vec<PathBuf> = (next..next + 100)
            .map(|serial| folder.path().join(format!("file.{}-{serial}.tmp", std::process::id())))
            .collect();
        theirs.iter().for_each(|path| fs::write(path, b"theirs").unwrap());
        write(&folder.path().join("file"), b"ours").unwrap();
        assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"ours");
        assert!(theirs.iter().all(|path| fs::read(path).unwrap() == b"theirs"));
        try_folder(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 101);
    }

    #[test]
    fn a_file_that_cannot_take_its_place_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let occupied = folder.path().join("occupied");
        fs::create_dir_all(occupied.join("by a folder")).unwrap();
        assert!(write(&occupied, b"bytes").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
