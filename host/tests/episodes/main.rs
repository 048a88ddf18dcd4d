//! Tasks, episodes, records, replays, the store and the program, on the real games and on a few made for the purpose.

mod command_line;
mod conformance;
mod durability;
mod endpoint_runs;
mod endpoints;
mod failures;
mod games;
mod groups;
#[path = "../sandbox/guest.rs"]
#[expect(dead_code, reason = "the sandbox tests use all of it")]
mod guest;
mod nesting;
mod replays;
mod search;
mod server;
mod store;
