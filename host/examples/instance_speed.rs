//! How long does an episode take? A measuring tool, no test: numbers differ between machines and minutes.
//!
//! `cargo run --release -p ludus-host --example instance_speed -- FILE.wasm [EPISODES]` plays random legal moves in a fresh
//! instance for each episode, on one thread, for several ways to allocate. It prints microseconds of processor time as
//! Linux counts them, since the machine may have other work.

use std::error::Error;
use std::sync::Arc;

use ludus_host::component::Component;
use ludus_host::engine::Allocation;
use ludus_host::instance::Instance;
use ludus_host::library::{Library, LibraryOptions};
use ludus_host::limits::Limits;
use ludus_host::stream::Stream;
use ludus_host::turn::{Move, Setup, Turn};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("give the .wasm file of a game")?;
    let episodes: u64 = arguments.next().map_or(Ok(20_000), |text| text.parse())?;

    let pooling = |kib: usize| Allocation::Pooling { instances_max: 1_000, keep_resident_bytes: kib << 10 };
    for allocation in [Allocation::OnDemand, pooling(0), pooling(64), pooling(128), pooling(256), pooling(512)] {
        let options = LibraryOptions { games_dirs: vec![], cache_dir: None, limits: Limits::STANDARD };
        let component = Library::open_with(options, allocation)?.game(&file)?;
        play(&component, episodes / 10)?;

        let (begun, ()) = processor_time(|| start_only(&component, episodes))?;
        let (played, steps) = processor_time(|| play(&component, episodes))?;
        let per_episode = |nanoseconds: u64| nanoseconds as f64 / 1e3 / episodes as f64;
        println!(
            "{allocation:?}: {:.1} us an episode of {:.1} steps, {:.1} us of it to begin and end",
            per_episode(played),
            steps as f64 / episodes as f64,
            per_episode(begun),
        );
    }
    Ok(())
}

fn setup(component: &Component) -> Setup {
    Setup { seats: component.manifest.seats_min, options: "{}".to_string() }
}

fn start_only(component: &Arc<Component>, episodes: u64) -> Result<(), Box<dyn Error>> {
    let setup = setup(component);
    for episode in 0..episodes {
        Instance::start(component, &setup, Stream::derive(episode, &[]))?;
    }
    Ok(())
}

/// Plays episodes to their end; how many steps they took.
fn play(component: &Arc<Component>, episodes: u64) -> Result<u64, Box<dyn Error>> {
    let setup = setup(component);
    let mut steps = 0;
    for episode in 0..episodes {
        let mut random = Stream::derive(episode, &[]);
        let (mut instance, mut turn) = Instance::start(component, &setup, random.clone())?;
        while let Turn::Decide(requests) = turn {
            let mut moves = Vec::with_capacity(requests.len());
            for request in requests {
                let legal = instance.legal_moves(request.seat)?.ok_or("the game lists no legal moves")?;
                let text = legal[random.below(legal.len() as u32) as usize].clone();
                moves.push(Move { seat: request.seat, text });
            }
            turn = instance.step(&moves, random.clone())?.turn;
            steps += 1;
        }
    }
    Ok(steps)
}

/// Runs `work`; the nanoseconds that this thread spent on a processor meanwhile.
fn processor_time<T>(work: impl FnOnce() -> Result<T, Box<dyn Error>>) -> Result<(u64, T), Box<dyn Error>> {
    let now = || -> Result<u64, Box<dyn Error>> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
        Ok(text.split(' ').next().ok_or("an empty schedstat")?.parse()?)
    };
    let before = now()?;
    let result = work()?;
    Ok((now()? - before, result))
}
