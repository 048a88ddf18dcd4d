//! A server on this machine that speaks the chat API of OpenAI and always says the same.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// It serves for as long as the process lives.
pub struct Server {
    /// As an endpoint's `url` in a recipe.
    pub url: String,
    calls: Arc<AtomicU64>,
}

impl Server {
    /// Answers calls with the same text but for those that it fails at, which are counted from 0.
    ///
    /// # Panics
    /// Where there is no port to listen at.
    pub fn that_says(text: &'static str, fails: fn(u64) -> bool) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("its address"));
        let calls = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&calls);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let calls = Arc::clone(&counted);
                thread::spawn(move || answer(stream, text, &|| fails(calls.fetch_add(1, Ordering::Relaxed))));
            }
        });
        Server { url, calls }
    }

    /// How many calls have come.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

/// Answers the calls of one connection.
fn answer(stream: TcpStream, text: &str, fails: &dyn Fn() -> bool) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
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
                        length = value.trim().parse().expect("a length");
                    }
                }
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let reply = serde_json::json!({
            "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": text } }]
        });
        let reply = reply.to_string();
        let status = if fails() { "500 Internal Server Error" } else { "200 OK" };
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length:");
        if write!(writer, "{head} {}\r\n\r\n{reply}", reply.len()).is_err() {
            return;
        }
    }
}
