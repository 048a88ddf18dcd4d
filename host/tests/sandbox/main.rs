//! What games may do to the host: nothing. Small hostile games, each in a few lines of WebAssembly text.

mod answers;
mod bounds;
mod composed;
mod gate;
mod guest;
mod library;
mod play;
mod randomness;
mod wasi;
