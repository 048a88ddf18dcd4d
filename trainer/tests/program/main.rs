//! The program `ludus-train` as a process, on a small random model: killed, asked to replay, and in want of something.

mod benchmarks;
mod failures;
mod kills;
mod ranks;
mod replays;
mod scene;
