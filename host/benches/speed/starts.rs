//! How long a game takes to be ready, once it was compiled on this machine, and what its episodes cost.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use ludus_host::episode::Episode;
use ludus_host::player::Player;
use ludus_host::task::{Task, TaskSpec};

use crate::contenders::library;
use crate::table::median;

/// Prints one row a game of the games folder.
pub fn print() -> Result<(), Box<dyn Error>> {
    let games = library()?.list();
    println!("\n| game | ready after, ms | episodes/s, one thread |");
    println!("|---|---|---|");
    for (path, component) in games {
        let name = component?.manifest.name.clone();
        let file = path.display().to_string();
        let mut milliseconds = Vec::new();
        for _ in 0..9 {
            let ready = || {
                library()?.game(&file)?;
                Ok(())
            };
            milliseconds.push(1e3 * seconds(ready)?);
        }
        let library = library()?;
        let task = Task::resolve_for(&TaskSpec::single(&file), &library, Player::Random)?;
        let mut played = 0;
        let mut took = 0.0;
        while took < 1.0 {
            took += seconds(|| {
                Episode::new(Arc::clone(&task), played, 0).finish()?;
                Ok(())
            })?;
            played += 1;
        }
        println!("| {name} | {:.1} | {:.0} |", median(milliseconds), played as f64 / took);
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn seconds(work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed().as_secs_f64())
}
