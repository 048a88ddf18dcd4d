//! A server on this machine that speaks as much of the chat completions API as an endpoint needs, and misbehaves on demand.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Counted from 0, in the order in which they came.
    pub number: usize,
    pub authorization: Option<String>,
    pub body: Value,
}

/// What the server does about a request.
pub enum Act {
    Say(String),
    /// A status, a header and a body.
    Answer(u16, &'static str, String),
    /// The connection stays open, and nothing comes.
    Hang,
    /// The connection is closed, and nothing came.
    Close,
    /// A body without end.
    Endless,
}

pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Asked {
    /// The last thing that the model was told.
    pub fn prompt(&self) -> String {
        let messages = self.body["messages"].as_array().expect("messages");
        messages.last().expect("a message")["content"].as_str().expect("a text").to_string()
    }
}

impl Server {
    /// Each connection has a thread of its own, so `act` may take its time.
    pub fn start(act: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let (asked, act) = (Arc::new(Mutex::new(Vec::new())), Arc::new(act));
        let server = Server { url, asked: Arc::clone(&asked) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asked, act) = (Arc::clone(&asked), Arc::clone(&act));
                // A client that goes away in between is none of the server's business.
                std::thread::spawn(move || drop(serve(&stream, &asked, act.as_ref())));
            }
        });
        server
    }

    /// One that always says the same.
    pub fn saying(text: &str) -> Server {
        let text = text.to_string();
        Server::start(move |_| Act::Say(text.clone()))
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("nobody panicked").clone()
    }
}

fn serve(stream: &TcpStream, asked: &Mutex<Vec<Asked>>, act: &dyn Fn(&Asked) -> Act) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        assert!(line.starts_with("POST /v1/chat/completions "), "{line}");
        let (mut length, mut authorization) = (0, None);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim().split_once(": ") else { break };
            match name.to_lowercase().as_str() {
                "content-length" => length = value.parse().expect("a length"),
                "authorization" => authorization = Some(value.to_string()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let request = {
            let mut asked = asked.lock().expect("nobody panicked");
            let body = serde_json::from_slice(&body).expect("JSON");
            let number = asked.len();
            asked.push(Asked { number, authorization, body });
            asked.last().expect("it was added").clone()
        };
        let (status, header, body) = match act(&request) {
            Act::Say(text) => {
                let message = json!({ "role": "assistant", "content": text });
                (200, "", json!({ "choices": [{ "index": 0, "message": message }] }).to_string())
            }
            Act::Answer(status, header, body) => (status, header, body),
            Act::Hang => loop {
                std::thread::park();
            },
            Act::Close => return Ok(()),
            Act::Endless => return endless(stream),
        };
        let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
        let length = body.len();
        // In one piece, or the second one waits until the first has arrived.
        let answer = format!("HTTP/1.1 {status} Status\r\n{header}content-length: {length}\r\n\r\n{body}");
        (&*stream).write_all(answer.as_bytes())?;
    }
}

fn endless(mut stream: &TcpStream) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n")?;
    loop {
        stream.write_all(&[b' '; 1 << 16])?;
    }
}
