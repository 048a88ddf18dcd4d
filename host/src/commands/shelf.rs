//! Episodes on their way into the store: batches are collected here, and another thread writes them, so that whoever plays
//! does not wait for the disk. Where episodes are slow, what is there is stored every few seconds.

use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use ludus_host::episode::Finished;
use ludus_host::store::{Labels, Store, StoreError, StoredEpisode};
use ludus_host::task::Task;

use crate::clock::{self, Stopwatch};

/// How many episodes one transaction of the store takes.
const BATCH_EPISODES: usize = 256;

/// A batch is stored earlier where its records are this long: a few batches wait in memory.
const BATCH_BYTES: usize = 16 << 20;

/// So long an episode may wait for a batch to fill: what only lies in memory is lost where the program is ended.
const BATCH_S: f64 = 2.0;

/// Episodes on their way into the store.
pub struct Shelf {
    waiting: Vec<StoredEpisode>,
    waiting_bytes: usize,
    since_last: Stopwatch,
    labels: Labels,
    engine: String,
    /// None once it gave up.
    writer: Option<Writer>,
}

/// The thread that stores batches, in the order in which they are sent to it.
struct Writer {
    batches: SyncSender<Vec<StoredEpisode>>,
    thread: JoinHandle<Result<(), StoreError>>,
}

impl Shelf {
    /// The components come first: a record must never name one that the store lacks.
    pub fn open(folder: &Path, task: &Task, labels: Labels, engine: String) -> Result<Shelf, StoreError> {
        let store = Store::open(folder)?;
        for stage in task.stages() {
            store.put_component(stage.component.bytes())?;
        }
        let (since_last, writer) = (Stopwatch::start(), Some(Writer::start(store)));
        Ok(Shelf { waiting: Vec::new(), waiting_bytes: 0, since_last, labels, engine, writer })
    }

    pub fn put(&mut self, finished: Finished) -> Result<(), StoreError> {
        self.waiting_bytes += finished.record.bytes().len();
        self.waiting.push(StoredEpisode {
            finished,
            labels: self.labels.clone(),
            engine: self.engine.clone(),
            created_at_s: clock::now_s(),
        });
        if self.waiting.len() >= BATCH_EPISODES || self.waiting_bytes >= BATCH_BYTES { self.send() } else { Ok(()) }
    }

    /// Stores what waits, where it has waited long enough or the program is about to end.
    pub fn send_what_waits(&mut self, is_urgent: bool) -> Result<(), StoreError> {
        let is_due = is_urgent || self.since_last.elapsed_s() >= BATCH_S;
        if is_due && !self.waiting.is_empty() { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<(), StoreError> {
        self.waiting_bytes = 0;
        self.since_last = Stopwatch::start();
        let batch = std::mem::take(&mut self.waiting);
        let taken = self.writer.as_ref().is_some_and(|writer| writer.batches.send(batch).is_ok());
        // It takes no more where it failed, and how is what `finish` says.
        if taken { Ok(()) } else { self.writer.take().map_or(Ok(()), Writer::finish) }
    }

    /// Stores what is left, and waits until all is on disk.
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.send()?;
        self.writer.take().map_or(Ok(()), Writer::finish)
    }
}

impl Writer {
    fn start(mut store: Store) -> Writer {
        let (batches, incoming) = sync_channel::<Vec<StoredEpisode>>(1);
        let thread = std::thread::spawn(move || incoming.iter().try_for_each(|batch| store.append(&batch)));
        Writer { batches, thread }
    }

    /// Waits for what was sent to it.
    fn finish(self) -> Result<(), StoreError> {
        drop(self.batches);
        match self.thread.join() {
            Ok(stored) => stored,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}
