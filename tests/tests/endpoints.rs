//! A training run whose opponents are a model behind a server: here one that always says the same.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use ludus_host::component_files::StoredComponents;
use ludus_host::record::{Line, read_lines};
use ludus_host::replay::{Verdict, replay};
use ludus_host::store::Store;
use ludus_tests::{library, plan, run_to_its_end, small_model};
use ludus_trainer::replay::ReplayError;

/// Answers every call with the same text, and says where it listens.
fn server_that_says(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream, text));
        }
    });
    url
}

/// Answers the calls of one connection.
fn answer(stream: TcpStream, text: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    loop {
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if line.trim().is_empty() => break,
                Ok(_) => {
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                }
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let reply = serde_json::json!({
            "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": text } }]
        });
        let reply = reply.to_string();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length:";
        if write!(writer, "{head} {}\r\n\r\n{reply}", reply.len()).is_err() {
            return;
        }
    }
}

#[test]
fn a_model_behind_a_server_plays_in_training_and_its_failures_decide_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let url = format!("endpoints.rival.url=\"{}\"", server_that_says("5"));
    let changes = [
        "steps=1",
        &url,
        "endpoints.rival.model=\"any\"",
        "stage.1.players=[\"endpoint:rival\"]",
        "stage.1.fallback=\"house:optimal\"",
        "stage.1.attempts=1",
        "stage.1.evaluate=[\"endpoint:rival\"]",
    ];
    let plan = plan(&small_model(folder.path()), &library, &changes);
    let store_folder = folder.path().join("store");
    let outcome = run_to_its_end(&plan, &library, &store_folder);
    assert_eq!(outcome.steps_done, 1);
    assert!(outcome.after.iter().any(|one| one.name == "tictactoe against endpoint:rival"));

    let store = Store::open(&store_folder).unwrap();
    let components = StoredComponents::new(store.components(), &library);
    let (mut said, mut stood_in) = (0, 0);
    for hash in store.hashes(Some("small")).unwrap() {
        let bytes = store.record(&hash).unwrap();
        assert_eq!(replay(&bytes, &components).unwrap(), Verdict::Identical, "no server is asked again");
        for line in read_lines(&bytes).unwrap() {
            if let Line::Reply { by, text, .. } = line {
                said += usize::from(by == "endpoint" && text == "5");
                stood_in += usize::from(by == "substitute");
            }
        }
    }
    assert!(said > 8 && stood_in > 8, "{said} replies, {stood_in} moves in somebody's place");
    // Its failed replies are not the learner's.
    let metrics = fs::read_to_string(outcome.folder.join("metrics.jsonl")).unwrap();
    let step: serde_json::Value = serde_json::from_str(metrics.lines().next().unwrap()).unwrap();
    assert!(step["replies"].as_u64().unwrap() > 0);

    let again = ludus_trainer::replay::replay(&store_folder, "small", 1, &library, &mut |_, _| {});
    assert!(matches!(again, Err(ReplayError::Endpoints { .. })));
}
