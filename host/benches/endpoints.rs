//! Do episodes wait for each other where endpoints play? `cargo bench --workspace --bench endpoints` prints it.
//!
//! 128 episodes of Spy with five seats, all but the learner's endpoints, against a server on this machine that takes 100 ms for
//! each reply. In an episode some replies depend on others: players describe one after the other, and then vote together. The
//! longest such chain, times 100 ms, is what no driver of episodes can go below.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ludus_host::drive;
use ludus_host::endpoint::{EndpointConfig, EndpointConfigs};
use ludus_host::library::{Library, LibraryOptions};
use ludus_host::limits::Limits;
use ludus_host::player::Player;
use ludus_host::record::{Line, Record, read_lines};
use ludus_host::task::{StageSpec, Task, TaskSpec};

#[path = "../tests/episodes/server.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod server;

use server::{Act, Server};

const EPISODES: u64 = 128;
const REPLY: Duration = Duration::from_millis(100);

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start(|asked| {
        #[expect(clippy::disallowed_methods, reason = "the server is to be slow")]
        std::thread::sleep(REPLY);
        Act::Say(spy_player(&asked.prompt()))
    });
    let library = Library::open(LibraryOptions {
        games_dirs: Library::standard_dirs(&[]),
        cache_dir: Library::standard_cache_dir(),
        limits: Limits::STANDARD,
    })?;
    let stage = StageSpec { seats: Some(5), players: vec!["endpoint:slow".to_string()], ..StageSpec::new("spy") };
    let spec = TaskSpec { stages: vec![stage], ..TaskSpec::default() };
    let task = Task::resolve_for(&spec, &library, Player::Random)?;
    let config = format!("url = \"{}\"\nmodel = \"m\"\nconcurrent = 1024", server.url);
    let config: EndpointConfig = toml::from_str(&config)?;
    let calls = drive::open_calls(&task, &EndpointConfigs::from([("slow".to_string(), config)]))?;

    let mut chains = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "the time it takes is what is measured")]
    let began = Instant::now();
    drive::play(&Arc::clone(&task), calls, EPISODES as usize, 0..EPISODES, |_, finished| {
        chains.extend(finished.map(|finished| chain(&finished.record)));
        true
    })?;
    let measured_s = began.elapsed().as_secs_f64();

    let seconds = |replies: usize| replies as f64 * REPLY.as_secs_f64();
    let (longest, all) = (chains.iter().copied().max().ok_or("nothing was played")?, chains.iter().sum());
    println!("{} episodes, {} replies of {} ms", chains.len(), server.asked().len(), REPLY.as_millis());
    println!("measured                                   {measured_s:7.3} s");
    println!("the longest chain of replies, {longest:2} x 100 ms  {:7.3} s", seconds(longest));
    println!("one episode after the other                {:7.3} s", seconds(all));
    println!("measured / longest chain                   {:7.3}", measured_s / seconds(longest));
    Ok(())
}

/// How many replies of endpoints in this episode had to wait for each other: the rounds in which at least one was asked.
fn chain(record: &Record) -> usize {
    let mut players = Vec::new();
    let (mut rounds, mut is_counted) = (0, false);
    for line in read_lines(record.bytes()).expect("a record of our own") {
        match line {
            Line::Stage { players: seated, .. } => players = seated,
            Line::Ask { seat, .. } => {
                let is_endpoint = players[seat as usize].starts_with("endpoint:");
                rounds += usize::from(is_endpoint && !is_counted);
                is_counted |= is_endpoint;
            }
            // Whoever is asked after a reply is asked in another round.
            _ => is_counted = false,
        }
    }
    rounds
}

/// Says something that gives no word away, and votes for the first player who may be voted for.
fn spy_player(prompt: &str) -> String {
    match prompt.rsplit_once("Reply with one player's number: ") {
        Some((_, choices)) => choices.chars().find(char::is_ascii_digit).unwrap_or('1').to_string(),
        None => "I would rather not say.".to_string(),
    }
}
