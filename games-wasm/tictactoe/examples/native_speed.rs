//! The same rules without a sandbox: what `just bench-host` holds the sandbox against.
//!
//! For each number of episodes on a line of its input it plays so many, with prompts and legal moves at every step, and
//! answers with a line of its own: steps and nanoseconds.

#![expect(clippy::disallowed_types, reason = "it measures time, and is no game")]

use std::hint::black_box;
use std::io::{BufRead as _, Write as _};
use std::time::Instant;

use ludus_game::Game as _;
use ludus_game::testing::Session;
use tictactoe::TicTacToe;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for line in std::io::stdin().lock().lines() {
        let episodes: u64 = line?.trim().parse()?;
        let began = Instant::now();
        let steps: u64 = (0..episodes).map(|seed| u64::from(play(seed))).sum();
        println!("{steps} {}", began.elapsed().as_nanos());
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// One episode of random legal play; its steps.
fn play(seed: u64) -> u32 {
    let mut session = Session::<TicTacToe>::start(2, "{}", seed).expect("the defaults are playable");
    while session.outcome().is_none() {
        let seat = session.asked()[0];
        black_box(session.prompt(seat));
        let legal = session.game().legal_moves(seat).expect("tic-tac-toe lists its moves");
        let text = session.random().pick(&legal).clone();
        session.play(&[&text]);
    }
    session.steps()
}
