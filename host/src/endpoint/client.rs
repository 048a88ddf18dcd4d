//! One endpoint: a call with its tries, its time limit, and what a failed one leads to.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Url, redirect};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::answer::{self, Try, again};
use super::config::{EndpointConfig, EndpointError, TokensKey};
use super::conversation::{Message, Role};
use super::key::Key;
use super::{Reply, Stopped, Tally, patience};
use crate::shown::clean;
use crate::stream::Stream;

/// A longer answer is not read to its end. Replies are far shorter, and servers may be broken.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// A reply has at most so many bytes for each token that was asked for, and may always have some thousands: one that is far longer
/// is of a server that counts no tokens, and a few of these would fill an episode.
const BYTES_A_TOKEN: usize = 16;
const REPLY_BYTES_MIN: usize = 4 << 10;
/// Of a server's own words, so many characters are quoted.
const QUOTED_MAX: usize = 300;

/// So many calls that failed one after the other, each with all its tries, mean that a server is gone.
const FAILURES_IN_A_ROW_MAX: u32 = 16;

pub(super) struct Endpoint {
    name: String,
    config: EndpointConfig,
    url: Url,
    key: Key,
    client: Client,
    /// One for each call that may be open.
    permits: Semaphore,
    failures_in_a_row: AtomicU32,
    tally: Mutex<Tally>,
}

/// The body of a request. What is not set is left to the server.
#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: Vec<&'a Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
}

impl Endpoint {
    pub fn open(name: &str, config: &EndpointConfig) -> Result<Endpoint, EndpointError> {
        let refused = |reason| EndpointError::Config { name: name.to_string(), reason };
        let url = config.check().map_err(refused)?;
        let key = Key::read(config.key_variable.as_deref()).map_err(refused)?;
        // A server on this machine is never asked through a proxy.
        let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let mut client = Client::builder().redirect(redirect::Policy::none()).pool_max_idle_per_host(usize::MAX);
        if is_here {
            client = client.no_proxy();
        }
        Ok(Endpoint {
            client: client.build().map_err(|error| EndpointError::Machine(why(&error)))?,
            name: name.to_string(),
            permits: Semaphore::new(config.concurrent as usize),
            config: config.clone(),
            url,
            key,
            failures_in_a_row: AtomicU32::new(0),
            tally: Mutex::default(),
        })
    }

    pub fn tally(&self) -> Tally {
        self.counted(|tally| tally.clone())
    }

    fn counted<T>(&self, count: impl FnOnce(&mut Tally) -> T) -> T {
        count(&mut self.tally.lock().expect("nothing panics while it counts"))
    }

    /// Asks until there is a reply, or all tries are used up. `luck` serves the waits between them.
    ///
    /// A call keeps its place among those that may be open while it waits: a server that is busy is asked less.
    pub async fn call(&self, messages: &[Message], mut luck: Stream) -> Result<Reply, Stopped> {
        let _permit = self.permits.acquire().await.expect("nobody closes it");
        let mut tries = 0;
        let (reason, is_too_long) = loop {
            tries += 1;
            let limit = Duration::from_secs(u64::from(self.config.timeout_s));
            let outcome = timeout(limit, self.try_once(messages)).await;
            let took_too_long = |_| again(format!("it has not answered within {} s", self.config.timeout_s), None);
            match outcome.unwrap_or_else(took_too_long) {
                Try::Said(text) => {
                    self.failures_in_a_row.store(0, Ordering::Relaxed);
                    self.counted(|tally| tally.replies += 1);
                    return Ok(Reply::Said(self.key.hide(&text)));
                }
                Try::TooLong(reason) => break (reason, true),
                Try::Refused(message) => {
                    return Err(Stopped::Refused { name: self.name.clone(), message: self.quoted(&message) });
                }
                Try::Again { reason, wait } => {
                    let wait = patience::wait(tries, wait, luck.unit_f64());
                    match wait.filter(|_| tries <= self.config.retries) {
                        Some(wait) => sleep(wait).await,
                        None => break (reason, false),
                    }
                    self.counted(|tally| tally.repeated += 1);
                }
            }
        };
        let reason = self.quoted(&reason);
        self.counted(|tally| {
            tally.failed += 1;
            tally.last_failure = Some(reason.clone());
        });
        if is_too_long {
            // The server is there, and answers.
            self.failures_in_a_row.store(0, Ordering::Relaxed);
            return Ok(Reply::TooLong(reason));
        }
        let failures = self.failures_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        if failures >= FAILURES_IN_A_ROW_MAX {
            return Err(Stopped::Gone { name: self.name.clone(), failures, reason });
        }
        Ok(Reply::Failed(reason))
    }

    /// What was said, unless it is far longer than was asked for.
    fn bounded(&self, said: Try) -> Try {
        let most = (self.config.tokens as usize).saturating_mul(BYTES_A_TOKEN).max(REPLY_BYTES_MIN);
        match said {
            Try::Said(text) if text.len() > most => {
                again(format!("its reply of {} bytes is no {} tokens", text.len(), self.config.tokens), None)
            }
            said => said,
        }
    }

    async fn try_once(&self, messages: &[Message]) -> Try {
        let system = self.config.system.clone().map(|content| Message { role: Role::System, content });
        let request = Request {
            model: &self.config.model,
            messages: system.iter().chain(messages).collect(),
            max_tokens: (self.config.tokens_key == TokensKey::MaxTokens).then_some(self.config.tokens),
            max_completion_tokens: (self.config.tokens_key == TokensKey::MaxCompletionTokens)
                .then_some(self.config.tokens),
            temperature: self.config.temperature,
            top_p: self.config.top_p,
        };
        let body = serde_json::to_vec(&request).expect("texts and finite numbers are JSON");
        let mut sent = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(Ok(header)) = self.key.header() {
            sent = sent.header(AUTHORIZATION, header);
        }
        let mut response = match sent.send().await {
            Ok(response) => response,
            Err(error) => return again(format!("it cannot be reached ({})", why(&error)), None),
        };
        let status = response.status();
        let wait = response.headers().get(RETRY_AFTER).and_then(|header| header.to_str().ok());
        let wait = wait.and_then(patience::retry_after);
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= ANSWER_BYTES_MAX => body.extend(chunk),
                Ok(Some(_)) => return again(format!("its answer has more than {ANSWER_BYTES_MAX} bytes"), None),
                Ok(None) => return self.bounded(answer::read(status, wait, &body)),
                Err(error) => return again(format!("its answer broke off ({})", why(&error)), None),
            }
        }
    }

    /// A server's words, fit for a terminal, without the key, and not too many.
    fn quoted(&self, text: &str) -> String {
        let text = clean(&self.key.hide(text)).replace('\n', " ");
        match text.char_indices().nth(QUOTED_MAX) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}

/// The innermost cause: the outer ones say only that something did not work.
fn why(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
