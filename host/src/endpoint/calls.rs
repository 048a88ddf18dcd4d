//! Many conversations asked at once.
//!
//! ```text
//! let mut calls = Calls::open(&configs)?;
//! calls.ask(7, "rival", conversation.messages());         // returns at once
//! while let Some(answer) = calls.next(true)? { … }        // in the order in which they come
//! ```
//!
//! One thread of its own does all the waiting, for however many calls are open; each endpoint has a bound of them. `another`
//! gives a second thread its own answers from the same endpoints. The keys, bounds and failures in a row are those of the
//! endpoint, whoever asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use super::Stopped;
use super::client::Endpoint;
use super::config::{EndpointConfigs, EndpointError};
use super::conversation::Message;
use crate::stream::Stream;

/// What came of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// As it was asked with.
    pub id: u64,
    pub reply: Reply,
}

/// What a model said, or why there is nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Said(String),
    /// The conversation does not fit into the model's context.
    TooLong(String),
    /// All tries failed; the reason of the last one.
    Failed(String),
}

/// What was counted for one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub replies: u64,
    /// Calls that came to nothing after all their tries.
    pub failed: u64,
    /// Tries after the first of a call.
    pub repeated: u64,
    /// Why the last one of those failed.
    pub last_failure: Option<String>,
}

/// Calls that are open, and their answers.
pub struct Calls {
    pool: Arc<Pool>,
    sender: Sender<(u64, Result<Reply, Stopped>)>,
    answers: Receiver<(u64, Result<Reply, Stopped>)>,
    open: usize,
}

/// What all who ask share.
struct Pool {
    endpoints: BTreeMap<String, Arc<Endpoint>>,
    /// None only where there are no endpoints, or while it is dropped.
    runtime: Option<Runtime>,
    /// Why nobody is asked any more.
    stop: watch::Sender<Option<Stopped>>,
    number: AtomicU64,
}

impl Calls {
    /// Checks the configurations and reads the keys. Nobody is asked yet.
    ///
    /// # Errors
    /// Where a value is out of range, or the variable of a key is not set.
    pub fn open(configs: &EndpointConfigs) -> Result<Calls, EndpointError> {
        // rustls wants to be told which cryptography to use; where it was told before, that is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut endpoints = BTreeMap::new();
        for (name, config) in configs {
            endpoints.insert(name.clone(), Arc::new(Endpoint::open(name, config)?));
        }
        let runtime = || Builder::new_multi_thread().worker_threads(1).thread_name("endpoints").enable_all().build();
        let runtime = if endpoints.is_empty() {
            None
        } else {
            Some(runtime().map_err(|error| EndpointError::Machine(error.to_string()))?)
        };
        let stop = watch::Sender::new(None);
        Ok(Calls::on(Arc::new(Pool { endpoints, runtime, stop, number: AtomicU64::new(0) })))
    }

    fn on(pool: Arc<Pool>) -> Calls {
        let (sender, answers) = channel();
        Calls { pool, sender, answers, open: 0 }
    }

    /// The same endpoints for another thread, which gets the answers to what it asks itself.
    pub fn another(&self) -> Calls {
        Calls::on(Arc::clone(&self.pool))
    }

    /// Asks an endpoint to go on with a conversation. Returns at once; `next` will give the answer under this id.
    ///
    /// # Panics
    /// Where there is no endpoint of that name.
    pub fn ask(&mut self, id: u64, endpoint: &str, messages: &[Message]) {
        let endpoint =
            Arc::clone(self.pool.endpoints.get(endpoint).expect("only endpoints that were opened are asked"));
        let number = self.pool.number.fetch_add(1, Ordering::Relaxed);
        // Luck for waits, other than that of other processes that ask the same server.
        let luck = Stream::derive(u64::from(std::process::id()), &["call".into(), number.into()]);
        let (messages, sender) = (messages.to_vec(), self.sender.clone());
        let (stop, mut stopped) = (self.pool.stop.clone(), self.pool.stop.subscribe());
        let call = async move {
            let outcome = tokio::select! {
                biased;
                reason = stopped.wait_for(Option::is_some) => match reason {
                    Ok(reason) => Err(reason.clone().expect("it was waited for")),
                    Err(_) => return,
                },
                outcome = endpoint.call(&messages, luck) => outcome,
            };
            if let Err(reason) = &outcome {
                stop.send_if_modified(|first| first.is_none() && first.replace(reason.clone()).is_none());
            }
            // Nobody may listen any more.
            let _ = sender.send((id, outcome));
        };
        self.open += 1;
        self.pool.runtime.as_ref().expect("where there are endpoints, it is there").spawn(call);
    }

    /// The next answer, in the order in which they come. `None` where none is open or, without `wait`, none has come yet.
    ///
    /// # Errors
    /// Where an endpoint refuses for good or is gone: from then on all calls end so.
    pub fn next(&mut self, wait: bool) -> Result<Option<Answer>, Stopped> {
        if self.open == 0 {
            return Ok(None);
        }
        // This side has a sender of its own, so they never hang up.
        let answer = if wait { self.answers.recv().ok() } else { self.answers.try_recv().ok() };
        let Some((id, outcome)) = answer else { return Ok(None) };
        self.open -= 1;
        outcome.map(|reply| Some(Answer { id, reply }))
    }

    /// How many calls have no answer yet.
    pub fn open_calls(&self) -> usize {
        self.open
    }

    /// What was counted for each endpoint, by all who ask.
    pub fn tallies(&self) -> BTreeMap<String, Tally> {
        self.pool.endpoints.iter().map(|(name, endpoint)| (name.clone(), endpoint.tally())).collect()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Calls that are still open may wait for minutes, and nobody wants their answers.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
