//! Games in other languages than Rust, built by their own tools. `just test-languages` runs these; a missing tool is an
//! error.

mod auction;
mod connect_four;
mod go;
mod harness;
mod hostile;
mod kuhn_poker;
mod liars_dice;
mod libraries;
mod mastermind;
mod negotiation;
mod nim;
mod promises;
mod templates;
