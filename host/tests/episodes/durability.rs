//! Processes that are killed, that write at the same time, that find the disk full: what a store has taken it keeps.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ludus_host::hash::Hash;
use ludus_host::replay::{Verdict, replay};
use ludus_host::store::Store;
use ludus_host::stream::Stream;

use crate::games::{self, Components};

/// A fast host fills a store quickly, and every look at one reads all of it: so there are several.
const STORES: u64 = 10;
const KILLS_A_STORE: u64 = 10;

/// A run that goes on until somebody ends it.
fn endless_run(store: &Path, seed: u64) -> Child {
    run_on(store, seed).spawn().expect("ludus runs")
}

fn run_on(store: &Path, seed: u64) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ludus"));
    command.arg("--store").arg(store).arg("--games").arg(games::built_dir());
    command.args(["run", "tictactoe", "--episodes", "100000000", "--seed", &seed.to_string()]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// What another process may rely on: the episodes that a reader sees.
pub fn acknowledged(store: &Path) -> BTreeSet<Hash> {
    let Ok(store) = Store::open_read_only(store) else { return BTreeSet::new() };
    store.each_hash(None).expect("a list").into_iter().collect::<Result<_, _>>().expect("hashes")
}

#[test]
fn a_run_killed_at_any_moment_loses_nothing_that_was_acknowledged() {
    let mut moments = Stream::derive(7, &["kills".into()]);
    for _ in 0..STORES {
        kill_runs_of_one_store(&mut moments);
    }
}

#[expect(clippy::disallowed_methods, reason = "at which moment a run is killed decides nothing")]
fn kill_runs_of_one_store(moments: &mut Stream) {
    let dir = tempfile::tempdir().expect("a folder");
    let mut kept = BTreeSet::new();
    for kill in 0..KILLS_A_STORE {
        let mut run = endless_run(dir.path(), kill * 1_000_000_000);
        // Some die while they begin, the others in the middle of their work.
        if kill % 4 != 0 {
            while acknowledged(dir.path()).len() == kept.len() {
                assert!(run.try_wait().expect("its state").is_none(), "the run ended by itself");
            }
        }
        std::thread::sleep(Duration::from_millis(u64::from(moments.below(25))));
        let before = acknowledged(dir.path());
        run.kill().expect("it is killed");
        run.wait().expect("it is gone");

        let store = Store::open(dir.path()).expect("the store opens");
        store.check_structure().expect("it is whole");
        kept = acknowledged(dir.path());
        assert!(before.is_subset(&kept), "kill {kill} lost {} episodes", before.difference(&kept).count());
    }
    let store = Store::open_read_only(dir.path()).expect("the store opens");
    for (index, hash) in kept.iter().enumerate() {
        let record = store.record(hash).expect("a record with its own hash");
        if index % 100 == 0 {
            assert_eq!(replay(&record, &Components::built()).expect("a replay"), Verdict::Identical);
        }
    }
}

#[test]
fn a_run_that_is_asked_to_end_keeps_what_it_played_and_prints_nothing_behind_its_json() {
    for signal in ["-INT", "-TERM"] {
        let dir = tempfile::tempdir().expect("a folder");
        let mut command = run_on(dir.path(), 0);
        let mut run = command.arg("--json").stdout(Stdio::piped()).spawn().expect("ludus runs");
        while acknowledged(dir.path()).is_empty() {
            assert!(run.try_wait().expect("its state").is_none(), "the run ended by itself");
        }
        let mut kill = Command::new("kill");
        assert!(kill.args([signal, &run.id().to_string()]).status().expect("kill runs").success());
        let ended = run.wait_with_output().expect("it ends");
        assert_eq!(ended.status.code(), Some(130), "{signal}");
        let printed: serde_json::Value = serde_json::from_slice(&ended.stdout).expect("JSON and nothing else");
        assert_eq!(printed["episodes"], acknowledged(dir.path()).len(), "{signal}");
    }
}

#[test]
fn two_processes_may_write_one_store() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = |seed: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ludus"));
        command.arg("--store").arg(dir.path()).arg("--games").arg(games::built_dir());
        command.args(["run", "tictactoe", "--episodes", "2000", "--seed", seed]).stdout(Stdio::null());
        command.spawn().expect("ludus runs")
    };
    let mut runs = [run("0"), run("5000")];
    for run in &mut runs {
        assert!(run.wait().expect("it ends").success());
    }
    assert_eq!(acknowledged(dir.path()).len(), 4_000);
}

#[test]
fn a_full_disk_is_named_and_takes_nothing_away() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = |limit: &str, episodes: &str, seed: &str| {
        // A bound on the size of files stands in for a disk that is full: writes fail where it is reached.
        let script = format!("trap '' XFSZ; {limit} exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_ludus"), "--store"]).arg(dir.path());
        command.arg("--games").arg(games::built_dir());
        command.args(["run", "tictactoe", "--episodes", episodes, "--seed", seed]);
        command.output().expect("ludus runs")
    };
    assert!(run("", "500", "0").status.success());
    let before = acknowledged(dir.path());
    assert_eq!(before.len(), 500);

    let refused = run("ulimit -f 4000;", "20000", "1000");
    let message = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{message}");
    assert!(message.contains("disk"), "{message}");
    assert!(before.is_subset(&acknowledged(dir.path())));

    assert!(run("", "500", "1000").status.success(), "with room again it goes on");
    Store::open(dir.path()).expect("the store opens").check_structure().expect("it is whole");
}
