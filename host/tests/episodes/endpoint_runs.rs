//! `ludus run` and `ludus play` with players behind servers.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::command_line::{is_refused, json, ludus, stderr, stdout, store, succeeds};
use crate::durability::acknowledged;
use crate::endpoints::spy_player;
use crate::server::{Act, Server};

const KEY: &str = "sk-hunter2-hunter2";
const VARIABLE: &str = "LUDUS_TEST_ENDPOINT_KEY";

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path
}

/// A task file in which an endpoint plays all seats of Spy but the learner's.
fn spy_task(folder: &Path, url: &str, more: &str) -> PathBuf {
    let text = format!(
        "[[stages]]\ngame = \"spy\"\nseats = 4\nplayers = [\"endpoint:rival\"]\n\
         [endpoints.rival]\nurl = \"{url}\"\nmodel = \"m\"\n{more}\n"
    );
    written(folder, "spies.toml", &text)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// All bytes below a folder.
fn all_bytes(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        bytes.extend(if path.is_dir() { all_bytes(&path) } else { std::fs::read(&path).expect("a file") });
    }
    bytes
}

fn holds(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}

#[test]
fn a_run_with_endpoints_is_stored_in_the_order_of_seeds_and_replays_without_any_server() {
    let dir = store();
    let server = Server::start(|asked| Act::Say(spy_player(&asked.prompt())));
    let files = tempfile::tempdir().expect("a folder");
    let task = spy_task(files.path(), &server.url, "");
    let statistics =
        json(&succeeds(dir.path(), &["run", text(&task), "-n", "30", "--seed", "3", "--at-once", "7", "--json"]));
    assert_eq!(statistics["episodes"], 30);
    assert_eq!(statistics["endpoints"]["rival"]["replies"], server.asked().len());
    assert_eq!(statistics["stages"][0]["substituted"], 0);
    drop(server);
    assert_eq!(succeeds(dir.path(), &["replay", "--all"]), "30 of 30 episodes are identical\n");
    let listed = json(&succeeds(dir.path(), &["episodes", "--limit", "0", "--json"]));
    let mut seeds: Vec<u64> =
        listed.as_array().expect("a list").iter().map(|episode| episode["seed"].as_u64().expect("a seed")).collect();
    if seeds[0] > seeds[1] {
        seeds.reverse();
    }
    assert_eq!(seeds, (3..33).collect::<Vec<u64>>());
    let hash = listed[0]["hash"].as_str().expect("a hash");
    let shown = succeeds(dir.path(), &["show", &hash[..16]]);
    assert!(shown.contains("endpoint:rival") && shown.contains("I would rather not say."), "{shown}");
}

#[test]
fn no_more_episodes_are_going_on_than_was_asked_for_with_any_number_of_jobs() {
    for (at_once, jobs) in [("1", "4"), ("3", "2")] {
        let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let peak = Arc::clone(&most);
        let server = Server::start(move |_| {
            peak.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // Others that may come do so meanwhile.
            std::thread::park_timeout(Duration::from_millis(20));
            open.fetch_sub(1, Ordering::SeqCst);
            Act::Say("A".to_string())
        });
        let dir = store();
        let files = tempfile::tempdir().expect("a folder");
        let endpoints = format!("[endpoints.rival]\nurl = \"{}\"\nmodel = \"m\"\n", server.url);
        let endpoints = written(files.path(), "endpoints.toml", &endpoints);
        let run = ["run", "matrix", "--against", "endpoint:rival", "-n", "12", "--endpoints", text(&endpoints)];
        succeeds(dir.path(), &[&run[..], &["--at-once", at_once, "--jobs", jobs]].concat());
        let most = most.load(Ordering::SeqCst);
        assert!(most <= at_once.parse().expect("a number"), "{most} at once");
    }
}

#[test]
fn no_file_and_no_output_ever_holds_the_key() {
    // It sends the key back in every way it can.
    let server = Server::start(|asked| {
        let key = asked.authorization.clone().unwrap_or_default();
        match asked.number {
            0 => Act::Answer(500, "", format!("{{\"error\":{{\"message\":\"failed with {key}\"}}}}")),
            number if number < 40 => Act::Say(format!("{} {key}", spy_player(&asked.prompt()))),
            _ => Act::Answer(401, "", format!("{{\"error\":{{\"message\":\"Incorrect API key: {key}\"}}}}")),
        }
    });
    let dir = store();
    let files = tempfile::tempdir().expect("a folder");
    let task = spy_task(files.path(), &server.url, &format!("key_variable = \"{VARIABLE}\"\nconcurrent = 1"));
    let run = ["run", text(&task), "-n", "30", "--at-once", "2", "--jobs", "1"];
    let output = ludus(dir.path(), &run).env(VARIABLE, KEY).env("RUST_LOG", "trace").output().expect("ludus runs");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(server.asked()[0].authorization, Some(format!("Bearer {KEY}")));
    let complaint = stderr(&output);
    assert!(complaint.contains("401 Unauthorized: Incorrect API key: Bearer [the key]"), "{complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    assert!(stdout(&output).contains("Stopped after") || !stdout(&output).is_empty());
    assert!(!complaint.contains(KEY) && !stdout(&output).contains(KEY));
    let bytes = all_bytes(dir.path());
    assert!(holds(&bytes, "endpoint:rival"), "what was played before is kept");
    assert!(!holds(&bytes, KEY));
}

#[test]
fn a_key_that_is_not_there_is_named_before_anything_is_played() {
    let server = Server::saying("1");
    let dir = store();
    let files = tempfile::tempdir().expect("a folder");
    let task = spy_task(files.path(), &server.url, &format!("key_variable = \"{VARIABLE}\""));
    is_refused(dir.path(), &["run", text(&task)], VARIABLE);
    assert!(server.asked().is_empty() && !dir.path().join("episodes.sqlite3").exists());
}

#[test]
fn an_endpoint_that_is_not_configured_is_named() {
    let dir = store();
    let files = tempfile::tempdir().expect("a folder");
    let other = written(files.path(), "e.toml", "[endpoints.other]\nurl = \"http://127.0.0.1:1/v1\"\nmodel = \"m\"\n");
    let endpoints = ["--endpoints", text(&other)];
    is_refused(dir.path(), &["run", "spy", "--against", "endpoint:rival"], "there is no [endpoints.rival]");
    is_refused(
        dir.path(),
        &[&["run", "spy", "--learner", "endpoint:rival"][..], &endpoints].concat(),
        "[endpoints.rival]",
    );
    is_refused(dir.path(), &["run", "spy", "--against", "model:rival"], "`model:rival`, and nobody is there to ask");
    let broken = written(files.path(), "b.toml", "[endpoints.rival]\nurl = \"http://127.0.0.1:1/v1\"\n");
    is_refused(dir.path(), &["run", "spy", "--endpoints", text(&broken)], "line 1: missing field `model`");
}

#[test]
fn what_was_played_is_on_disk_while_a_run_still_waits_for_its_server() {
    let server = Server::start(|asked| if asked.number < 3 { Act::Say("A".to_string()) } else { Act::Hang });
    let dir = store();
    let files = tempfile::tempdir().expect("a folder");
    let endpoints = format!("[endpoints.rival]\nurl = \"{}\"\nmodel = \"m\"\ntimeout_s = 600\n", server.url);
    let endpoints = written(files.path(), "endpoints.toml", &endpoints);
    let run = ["run", "matrix", "--against", "endpoint:rival", "--at-once", "1", "--jobs", "1", "--endpoints"];
    let mut command = ludus(dir.path(), &[&run[..], &[text(&endpoints)]].concat());
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("ludus runs");
    // Far more often than it takes.
    let is_there = (0..2_000).any(|_| {
        std::thread::park_timeout(Duration::from_millis(20));
        !acknowledged(dir.path()).is_empty()
    });
    run.kill().expect("it is killed");
    run.wait().expect("it is gone");
    assert!(is_there);
}

#[test]
fn a_server_that_is_gone_breaks_a_run_off_and_what_was_played_stays() {
    let server = Server::start(|asked| match asked.number {
        number if number < 40 => Act::Say(spy_player(&asked.prompt())),
        _ => Act::Close,
    });
    let dir = store();
    let files = tempfile::tempdir().expect("a folder");
    let task = spy_task(files.path(), &server.url, "retries = 0\nconcurrent = 1");
    let output = ludus(dir.path(), &["run", text(&task), "-n", "500", "--at-once", "1", "--jobs", "1"]).output();
    let output: Output = output.expect("ludus runs");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("`rival` failed 16 calls in a row"), "{}", stderr(&output));
    let listed = json(&succeeds(dir.path(), &["episodes", "--limit", "0", "--json"]));
    let played = listed.as_array().map_or(0, Vec::len);
    assert!((5..20).contains(&played), "{played} episodes");
    assert_eq!(succeeds(dir.path(), &["replay", "--all"]), format!("{played} of {played} episodes are identical\n"));
}

#[test]
fn an_endpoint_sits_in_the_learners_seat_or_at_a_table_with_a_person() {
    let server = Server::saying("A");
    let dir = store();
    let files = tempfile::tempdir().expect("a folder");
    let endpoints =
        written(files.path(), "e.toml", &format!("[endpoints.rival]\nurl = \"{}\"\nmodel = \"m\"\n", server.url));
    let options = r#"{"game":"prisoners-dilemma","shuffle_labels":false,"row_seat":"seat-0"}"#;
    let game = ["matrix", "--seat", "0", "--options", options, "--endpoints", text(&endpoints)];
    let run =
        [&["run"][..], &game, &["--learner", "endpoint:rival", "--against", "script:A", "-n", "2", "--json"]].concat();
    let statistics: Value = json(&succeeds(dir.path(), &run));
    assert_eq!(statistics["combined"]["mean"], 0.6, "A against A");

    let play = [&["play"][..], &game, &["--against", "endpoint:rival"]].concat();
    let mut child = ludus(dir.path(), &play).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("ludus runs");
    child.stdin.take().expect("a pipe").write_all(b"B\n").expect("written");
    let shown = stdout(&child.wait_with_output().expect("it ends"));
    assert!(shown.contains("seat 1: endpoint:rival") && shown.contains("Your score: 1"), "{shown}");
}
