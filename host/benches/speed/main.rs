//! How fast is the host? `just bench-host` prints the table; docs/performance.md keeps one.
//!
//! Every row is a contender, a process of its own on one core that plays so many episodes as it is told and says how long
//! that took. The contenders take turns, round after round, so that whatever else the machine does hits all of them
//! alike, and a figure is the median of the rounds.
//!
//! ```text
//! speed [--rounds N] [--peer NAME=COMMAND]…     the table
//! speed contender NAME                          one row of it: reads numbers of episodes, writes steps and nanoseconds
//! ```

mod contenders;
mod starts;
mod table;

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo bench` adds this flag of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.first().map(String::as_str) {
        Some("contender") => contenders::serve(arguments.get(1).ok_or("name a contender")?),
        _ => {
            table::print(&table::Options::parse(&arguments)?)?;
            table::print_threads()?;
            starts::print()
        }
    }
}
