//! Models behind servers that speak the OpenAI chat completions API: vLLM, SGLang, llama.cpp, and hosted ones.
//!
//! ```text
//! config        what a person writes of an endpoint, and its bounds
//! key           the secret in an environment variable, which nothing else may show
//! conversation  what one seat was told and has said
//! calls         many conversations asked at once, and finished replies in the order in which they come
//! client        one call: tries, time limit, waiting, what counts as failed
//! answer        what the server's status and body mean
//! patience      how long to wait before a call is made again
//! ```
//!
//! This is the only part of the host that knows a network or is asynchronous. An episode never sees it: whoever drives
//! episodes ([`crate::drive`]) hands it prompts and takes replies. Nothing that happens here decides a game. A call that
//! failed after all its tries is an empty reply of its seat, for which the stage's fallback player moves in the end; a server
//! that refuses for good, or that is gone, stops the whole run ([`Stopped`]).

mod answer;
mod calls;
mod client;
mod config;
mod conversation;
mod key;
mod patience;

pub use calls::{Answer, Calls, Reply, Tally};
pub use config::{EndpointConfig, EndpointConfigs, EndpointError};
pub use conversation::{Conversation, Message, Role};

/// A run cannot go on, because a server refuses for good or is gone. What was played stays as good as ever.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    #[error("the endpoint `{name}` refuses to answer: {message}")]
    Refused { name: String, message: String },
    #[error("the endpoint `{name}` failed {failures} calls in a row, and all their tries; the last one: {reason}")]
    Gone { name: String, failures: u32, reason: String },
}
