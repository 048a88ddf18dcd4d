//! How fast are generation and training? `just bench-trainer` prints the tables; docs/performance.md keeps them.
//!
//! A contender is a process of its own that does one piece of work each time it is told to. Contenders with the same work take
//! turns, round after round, so that whatever else the machine does hits all of them alike.
//!
//! ```text
//! speed [--rounds N] [--device D] [--precision P] [--only WORK] [--peer WORK NAME COMMAND]…     the tables
//! speed contender WORK                                                            one of our rows
//! ```
//!
//! A contender reads lines from its input. For each it does its work once and answers with a line of four numbers: seconds,
//! tokens that were sampled, tokens that the model has read (prompts, and each reply once), and the process's peak of memory
//! in bytes so far.

mod contenders;
mod table;
mod work;

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    ludus_trainer::environment::settle();
    // `cargo bench` adds this flag of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let options = table::Options::parse(&arguments)?;
    match &options.contender {
        Some(work) => contenders::serve(work, &options),
        None => table::print(&options),
    }
}
