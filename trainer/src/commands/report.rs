//! `ludus-train report RUN…`: one HTML file with the curves, evaluations and episodes of one or several runs.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use ludus_trainer::report;
use ludus_trainer::run_log::RunLog;

use super::Places;
use super::output::{TextFile, failed, line};

/// The option that names the file.
const OPTION: &str = "--output";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Runs, by name or folder; several are laid over each other
    #[arg(required = true)]
    runs: Vec<String>,
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
    /// Show at most so many episodes, chosen evenly over the steps
    #[arg(long, value_name = "N", default_value_t = 200)]
    episodes: usize,
}

pub fn run(places: &Places, arguments: &Arguments) -> anyhow::Result<()> {
    let runs: Vec<RunLog> =
        arguments.runs.iter().map(|run| RunLog::read(&places.store, run)).collect::<Result<_, _>>()?;
    let output = Output::open(&arguments.output)?;
    let library = super::open_library(places)?;
    let bar = progress_bar();
    let mut progress = |done: usize, of: usize| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    };
    let html = report::html(&runs, &library, arguments.episodes, &mut progress);
    bar.finish_and_clear();
    output.write(html?)?;
    line(arguments.output.display())
}

/// On standard error, and only where that is a terminal.
fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:>10} {bar:32} {pos}/{len}  {eta} left");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
    ProgressBar::new(0).with_style(style).with_prefix("replaying")
}

/// Where the page goes.
enum Output<'a> {
    /// A file that is there or will be.
    Whole(WholeFile<'a>),
    /// A pipe or a device, which is to stay what it is.
    InPlace(TextFile),
}

impl Output<'_> {
    /// Sees that the page can be written, so that a bad name costs no work. A link stays, too: the page goes where it leads.
    fn open(name: &Path) -> anyhow::Result<Output<'_>> {
        let whole = match fs::canonicalize(name) {
            Ok(place) => place.is_file().then_some(place),
            // Nothing is there yet, or a link to nothing.
            Err(_) => fs::symlink_metadata(name).is_err().then(|| name.to_path_buf()),
        };
        Ok(match whole {
            Some(place) => Output::Whole(WholeFile::open(name, place)?),
            None => Output::InPlace(TextFile::open(OPTION, Some(name))?),
        })
    }

    fn write(self, html: String) -> anyhow::Result<()> {
        match self {
            Output::Whole(file) => file.write(&html),
            Output::InPlace(file) => file.write(|| Ok(html)),
        }
    }
}

/// A file that is written beside its place and put there once it is whole.
struct WholeFile<'a> {
    /// What it was called.
    name: &'a Path,
    place: PathBuf,
    partial: PathBuf,
}

impl WholeFile<'_> {
    fn open(name: &Path, place: PathBuf) -> anyhow::Result<WholeFile<'_>> {
        let mut partial = place.clone().into_os_string();
        partial.push(".partial");
        let file = WholeFile { name, place, partial: partial.into() };
        fs::File::create(&file.partial).map_err(|cause| failed(OPTION, name, &cause))?;
        Ok(file)
    }

    fn write(&self, html: &str) -> anyhow::Result<()> {
        let write = || -> io::Result<()> {
            let mut file = fs::File::create(&self.partial)?;
            file.write_all(html.as_bytes())?;
            file.sync_all()?;
            fs::rename(&self.partial, &self.place)
        };
        write().map_err(|cause| failed(OPTION, self.name, &cause))
    }
}

impl Drop for WholeFile<'_> {
    /// Nothing half-written stays. Where the file is in its place there is nothing left to remove.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.partial);
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::io::Read as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{FileTypeExt as _, symlink};

    use super::*;

    fn write(place: &Path) {
        Output::open(place).unwrap().write("the page".into()).unwrap();
    }

    #[test]
    fn a_page_goes_where_a_link_leads_and_the_link_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("page"), "an older and longer page").unwrap();
        let links = [("to-page", at("page")), ("to-nothing-yet", at("new")), ("to-device", PathBuf::from("/dev/null"))];
        for (link, target) in &links {
            symlink(target, at(link)).unwrap();
            write(&at(link));
            assert_eq!(&fs::read_link(at(link)).unwrap(), target);
        }
        for name in ["page", "new"] {
            assert_eq!(fs::read_to_string(at(name)).unwrap(), "the page");
        }
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5, "nothing else is left");
    }

    #[test]
    fn a_page_goes_into_a_pipe_and_the_pipe_stays() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let name = CString::new(pipe.as_os_str().as_bytes()).unwrap();
        // SAFETY: the name is read during the call, and ends with a zero.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        // Open for both, so that nobody waits for anybody.
        let mut held = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        write(&pipe);
        assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
        let mut page = [0; 8];
        held.read_exact(&mut page).unwrap();
        assert_eq!(&page, b"the page");
    }
}
