//! The program `ludus-train` as a process, on a small random model: killed, asked to replay, to report and to watch, and in want of something.

mod benchmarks;
mod failures;
mod kills;
mod ranks;
mod replays;
mod reports;
mod scene;
mod watching;
