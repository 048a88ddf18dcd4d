//! What the parts of an episode cost, by criterion: `cargo bench --workspace --bench parts`. benches/speed holds whole
//! episodes against other systems.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ludus_host::component_files::StoredComponents;
use ludus_host::episode::Episode;
use ludus_host::hash::Hash;
use ludus_host::instance::Instance;
use ludus_host::library::{Library, LibraryOptions};
use ludus_host::limits::Limits;
use ludus_host::player::Player;
use ludus_host::replay::Replayer;
use ludus_host::store::Store;
use ludus_host::stream::Stream;
use ludus_host::task::{Task, TaskSpec};
use ludus_host::turn::{Move, Setup};

fn library() -> Library {
    let options = LibraryOptions {
        games_dirs: Library::standard_dirs(&[]),
        cache_dir: Library::standard_cache_dir(),
        limits: Limits::STANDARD,
    };
    Library::open(options).expect("the games and their cache")
}

/// Each call of tic-tac-toe's instance, on the empty board.
fn calls(criterion: &mut Criterion) {
    let component = library().game("tictactoe").expect("tic-tac-toe; `./just games` builds it");
    let setup = Setup { seats: 2, options: component.check_options(&serde_json::json!({})).expect("the defaults") };
    let random = Stream::derive(1, &[]);
    let start = || Instance::start(&component, &setup, random.clone()).expect("an instance").0;
    let mut group = criterion.benchmark_group("call");
    group.bench_function("start, with a fresh instance and its end", |bencher| bencher.iter(start));
    let mut instance = start();
    let seat = instance.asked()[0];
    group.bench_function("view", |bencher| bencher.iter(|| instance.view(None)));
    group.bench_function("legal-moves", |bencher| bencher.iter(|| instance.legal_moves(seat)));
    group.bench_function("house-move, random", |bencher| {
        bencher.iter(|| instance.house_move(seat, "random", random.clone()));
    });
    let moves = [Move { seat, text: "5".to_string() }];
    group.bench_function("step", |bencher| {
        let step = |mut instance: Instance| {
            let progress = instance.step(&moves, random.clone());
            // Dropped outside the measurement.
            (instance, progress)
        };
        // As many instances live at once, and a pool has room for a few thousand.
        bencher.iter_batched(start, step, BatchSize::NumIterations(1_000));
    });
}

/// A fresh instance of each game that is built, dealt and dropped: what it costs that nothing is left of the last episode.
fn starts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("start, with a fresh instance and its end");
    for (_, component) in library().list() {
        let component = component.expect("a game");
        let options = component.check_options(&serde_json::json!({})).expect("the defaults");
        let setup = Setup { seats: component.manifest.seats_min, options };
        let random = Stream::derive(1, &[]);
        let start = || Instance::start(&component, &setup, random.clone()).expect("an instance").0;
        group.bench_function(&component.manifest.name, |bencher| bencher.iter(start));
    }
}

/// What the host does around the calls.
fn host(criterion: &mut Criterion) {
    let library = library();
    let task = Task::resolve_for(&TaskSpec::single("tictactoe"), &library, Player::Random).expect("a task");
    let play = || Episode::new(Arc::clone(&task), 1, 0).finish().expect("an episode");
    let record = play().record;
    let folder = tempfile::tempdir().expect("a folder");
    Store::open(folder.path())
        .and_then(|store| store.put_component(task.stages()[0].component.bytes()))
        .expect("a store");
    let store = Store::open_read_only(folder.path()).expect("a store");
    let components = StoredComponents::new(store.components(), &library);

    let mut group = criterion.benchmark_group("host");
    group.bench_function("an episode", |bencher| bencher.iter(play));
    let mut replayer = Replayer::new(&components);
    group.bench_function("its replay", |bencher| bencher.iter(|| replayer.replay(record.bytes())));
    group.bench_function("the hash of its record", |bencher| bencher.iter(|| record.hash()));
    group.bench_function("the hash of a prompt", |bencher| bencher.iter(|| Hash::of(black_box(&[b'x'; 200]))));
    group.bench_function("a random stream", |bencher| {
        let path = ["stage".into(), 0_u32.into(), "game".into(), 3_u32.into()];
        bencher.iter(|| Stream::derive(black_box(1), &path));
    });
}

criterion_group!(benches, calls, starts, host);
criterion_main!(benches);
