//! The small virtual WASI that the toolchains of C, Go, JavaScript and Python insist on.
//!
//! Their standard libraries import WASI preview 2 whether a game uses it or not. Here it is a world in which nothing is:
//!
//! ```text
//! wasi:io          streams and pollables: standard input is at its end, standard output and error are kept (`output`)
//! wasi:clocks      stand still until somebody sleeps; a sleep returns at once and moves them (`clock`)
//! wasi:random      draws from the stream of the present call, like `ludus:game/random`
//! wasi:cli         no arguments, no environment, no terminal; `exit` stops the game
//! wasi:filesystem  no folders
//! ```
//!
//! All else (sockets, HTTP, threads) is refused by the gate, by name, before a component is compiled. What remains of the
//! interfaces above cannot be reached without a folder or a socket, and traps.
//!
//! Everything here is a function of the calls that the guest makes. What the host does for them costs fuel, and what it
//! keeps for them is bounded.

mod clock;
mod handles;
mod output;

use wasmtime::component::{Component, ComponentType, Linker, LinkerInstance, Lower, Resource, ResourceType};
use wasmtime::{StoreContextMut, Trap};

use crate::state::{State, Stopped};
use clock::Clock;
use handles::{Handles, Pollable, TooMany};
use output::Output;

/// What may be imported, without its version.
const INTERFACES: [&str; 20] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// The most bytes that one call reads or draws.
const CHUNK_BYTES_MAX: u64 = 64 << 10;

/// What each call of the host costs in fuel, besides one unit a byte: about what the host computes for it.
const CALL_FUEL: u64 = 100;

/// The number of a standard stream behind a guest's handle.
const STDIN: u32 = 0;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// What the virtual WASI keeps for one instance.
#[derive(Debug, Default)]
pub(crate) struct Wasi {
    clock: Clock,
    handles: Handles,
    stdout: Output,
    stderr: Output,
}

impl Wasi {
    /// What the guest has printed, for people: the end of each of the two streams, where there is any.
    pub fn printed(&self) -> String {
        let streams = [("stdout", &self.stdout), ("stderr", &self.stderr)];
        let shown = streams.into_iter().filter_map(|(name, output)| Some(format!("{name}: {}", output.shown()?)));
        shown.collect::<Vec<String>>().join("\n")
    }

    /// The time, which a query must not move: a replay makes none.
    pub fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    pub fn set_now_ns(&mut self, now_ns: u64) {
        self.clock = Clock::at(now_ns);
    }
}

/// Whether a game may import this: one of the interfaces above, in any version of preview 2.
pub(crate) fn is_offered(import: &str) -> bool {
    import.split_once('@').is_some_and(|(name, version)| version.starts_with("0.2.") && INTERFACES.contains(&name))
}

/// Defines what `compiled` imports of WASI, under the very names that it uses.
///
/// # Errors
/// Where the component's types are not WASI's.
pub(crate) fn link(linker: &mut Linker<State>, imports: &[String], compiled: &Component) -> wasmtime::Result<()> {
    if imports.is_empty() {
        return Ok(());
    }
    for import in imports {
        let name = import.split('@').next().unwrap_or_default();
        let mut interface = linker.instance(import)?;
        define(&mut interface, name)?;
    }
    linker.define_unknown_imports_as_traps(compiled)
}

// What stands behind guests' handles. Only pollables have anything to remember.
enum Error {}
enum InputStream {}
enum OutputStream {}
enum TerminalInput {}
enum TerminalOutput {}
enum Descriptor {}

#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[expect(dead_code, reason = "nothing can fail here, but the type has this case")]
    LastOperationFailed(Resource<Error>),
    #[component(name = "closed")]
    Closed,
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

type Store<'a> = StoreContextMut<'a, State>;
type Interface<'a> = LinkerInstance<'a, State>;

fn define(interface: &mut Interface<'_>, name: &str) -> wasmtime::Result<()> {
    resources(interface)?;
    match name {
        "wasi:io/poll" => poll(interface),
        "wasi:io/streams" => streams(interface),
        "wasi:clocks/monotonic-clock" => monotonic_clock(interface),
        "wasi:clocks/wall-clock" => wall_clock(interface),
        "wasi:random/random" => random(interface, "get-random-bytes", "get-random-u64"),
        "wasi:random/insecure" => random(interface, "get-insecure-random-bytes", "get-insecure-random-u64"),
        "wasi:random/insecure-seed" => interface.func_wrap("insecure-seed", |mut store: Store<'_>, (): ()| {
            charge(&mut store, 16)?;
            Ok(((draw(&mut store)?, draw(&mut store)?),))
        }),
        "wasi:cli/environment" => environment(interface),
        "wasi:cli/exit" => exit(interface),
        "wasi:cli/stdin" => standard_stream::<InputStream>(interface, "get-stdin", STDIN),
        "wasi:cli/stdout" => standard_stream::<OutputStream>(interface, "get-stdout", STDOUT),
        "wasi:cli/stderr" => standard_stream::<OutputStream>(interface, "get-stderr", STDERR),
        "wasi:cli/terminal-stdin" => no_terminal::<TerminalInput>(interface, "get-terminal-stdin"),
        "wasi:cli/terminal-stdout" => no_terminal::<TerminalOutput>(interface, "get-terminal-stdout"),
        "wasi:cli/terminal-stderr" => no_terminal::<TerminalOutput>(interface, "get-terminal-stderr"),
        "wasi:filesystem/preopens" => interface.func_wrap("get-directories", |mut store: Store<'_>, (): ()| {
            charge(&mut store, 0)?;
            Ok((Vec::<(Resource<Descriptor>, String)>::new(),))
        }),
        _ => Ok(()),
    }
}

/// An interface names the kinds of handles that it uses, also where another one defines them. All are offered in each.
fn resources(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.resource("error", ResourceType::host::<Error>(), |_, _| Ok(()))?;
    interface.resource("descriptor", ResourceType::host::<Descriptor>(), |_, _| Ok(()))?;
    interface.resource("terminal-input", ResourceType::host::<TerminalInput>(), |_, _| Ok(()))?;
    interface.resource("terminal-output", ResourceType::host::<TerminalOutput>(), |_, _| Ok(()))?;
    for (name, resource) in
        [("input-stream", ResourceType::host::<InputStream>()), ("output-stream", ResourceType::host::<OutputStream>())]
    {
        interface.resource(name, resource, |mut store, _| {
            store.data_mut().wasi.handles.close_stream();
            Ok(())
        })?;
    }
    interface.resource("pollable", ResourceType::host::<Pollable>(), |mut store, number| {
        store.data_mut().wasi.handles.drop_pollable(number);
        Ok(())
    })
}

fn poll(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap("[method]pollable.ready", |mut store: Store<'_>, (pollable,): (Resource<Pollable>,)| {
        charge(&mut store, 0)?;
        let wasi = &store.data().wasi;
        Ok((wasi.handles.pollable(&pollable).is_ready(&wasi.clock),))
    })?;
    interface.func_wrap("[method]pollable.block", |mut store: Store<'_>, (pollable,): (Resource<Pollable>,)| {
        charge(&mut store, 0)?;
        wait(&mut store, &[pollable]);
        Ok(())
    })?;
    interface.func_wrap("poll", |mut store: Store<'_>, (pollables,): (Vec<Resource<Pollable>>,)| {
        charge(&mut store, pollables.len() as u64)?;
        if pollables.is_empty() {
            return Err(wasmtime::Error::new(Stopped::BadWasiCall("polled nothing")));
        }
        wait(&mut store, &pollables);
        let wasi = &store.data().wasi;
        let ready = |(index, pollable): (u32, &Resource<Pollable>)| {
            wasi.handles.pollable(pollable).is_ready(&wasi.clock).then_some(index)
        };
        Ok(((0..).zip(&pollables).filter_map(ready).collect::<Vec<u32>>(),))
    })
}

/// Moves the clock to where the first of them is ready: nobody really waits.
fn wait(store: &mut Store<'_>, pollables: &[Resource<Pollable>]) {
    let wasi = &mut store.data_mut().wasi;
    if let Some(first) = pollables.iter().map(|pollable| wasi.handles.pollable(pollable).ready_at_ns()).min() {
        wasi.clock.sleep_until(first);
    }
}

fn streams(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    for name in ["[method]input-stream.read", "[method]input-stream.blocking-read"] {
        interface.func_wrap(name, |mut store: Store<'_>, (_, _): (Resource<InputStream>, u64)| {
            charge(&mut store, 0)?;
            Ok((Err::<Vec<u8>, StreamError>(StreamError::Closed),))
        })?;
    }
    for name in ["[method]input-stream.skip", "[method]input-stream.blocking-skip"] {
        interface.func_wrap(name, |mut store: Store<'_>, (_, _): (Resource<InputStream>, u64)| {
            charge(&mut store, 0)?;
            Ok((Err::<u64, StreamError>(StreamError::Closed),))
        })?;
    }
    interface.func_wrap("[method]input-stream.subscribe", |mut store: Store<'_>, (_,): (Resource<InputStream>,)| {
        Ok((subscribe(&mut store, Pollable::Ready)?,))
    })?;
    interface
        .func_wrap("[method]output-stream.subscribe", |mut store: Store<'_>, (_,): (Resource<OutputStream>,)| {
            Ok((subscribe(&mut store, Pollable::Ready)?,))
        })?;
    interface.func_wrap(
        "[method]output-stream.check-write",
        |mut store: Store<'_>, (_,): (Resource<OutputStream>,)| {
            charge(&mut store, 0)?;
            Ok((Ok::<u64, StreamError>(CHUNK_BYTES_MAX),))
        },
    )?;
    for name in ["[method]output-stream.flush", "[method]output-stream.blocking-flush"] {
        interface.func_wrap(name, |mut store: Store<'_>, (_,): (Resource<OutputStream>,)| {
            charge(&mut store, 0)?;
            Ok((Ok::<(), StreamError>(()),))
        })?;
    }
    for name in ["[method]output-stream.write", "[method]output-stream.blocking-write-and-flush"] {
        interface.func_wrap(name, |mut store: Store<'_>, (stream, bytes): (Resource<OutputStream>, Vec<u8>)| {
            charge(&mut store, bytes.len() as u64)?;
            let wasi = &mut store.data_mut().wasi;
            if stream.rep() == STDOUT {
                wasi.stdout.write(&bytes)
            } else {
                wasi.stderr.write(&bytes)
            }
            Ok((Ok::<(), StreamError>(()),))
        })?;
    }
    Ok(())
}

fn monotonic_clock(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap("now", |mut store: Store<'_>, (): ()| {
        charge(&mut store, 0)?;
        Ok((store.data().wasi.clock.now_ns(),))
    })?;
    interface.func_wrap("resolution", |mut store: Store<'_>, (): ()| {
        charge(&mut store, 0)?;
        Ok((1u64,))
    })?;
    interface.func_wrap("subscribe-instant", |mut store: Store<'_>, (at_ns,): (u64,)| {
        Ok((subscribe(&mut store, Pollable::At { ns: at_ns })?,))
    })?;
    interface.func_wrap("subscribe-duration", |mut store: Store<'_>, (duration_ns,): (u64,)| {
        let ns = store.data().wasi.clock.now_ns().saturating_add(duration_ns);
        Ok((subscribe(&mut store, Pollable::At { ns })?,))
    })
}

fn wall_clock(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap("now", |mut store: Store<'_>, (): ()| {
        charge(&mut store, 0)?;
        let (seconds, nanoseconds) = store.data().wasi.clock.date();
        Ok((Datetime { seconds, nanoseconds },))
    })?;
    interface.func_wrap("resolution", |mut store: Store<'_>, (): ()| {
        charge(&mut store, 0)?;
        Ok((Datetime { seconds: 0, nanoseconds: 1 },))
    })
}

fn random(interface: &mut Interface<'_>, bytes: &str, number: &str) -> wasmtime::Result<()> {
    interface.func_wrap(bytes, |mut store: Store<'_>, (wanted,): (u64,)| {
        if wanted > CHUNK_BYTES_MAX {
            return Err(wasmtime::Error::new(Stopped::BadWasiCall("asked for too many random bytes at once")));
        }
        charge(&mut store, wanted)?;
        let mut drawn = Vec::with_capacity(wanted as usize + 8);
        while (drawn.len() as u64) < wanted {
            drawn.extend_from_slice(&draw(&mut store)?.to_le_bytes());
        }
        drawn.truncate(wanted as usize);
        Ok((drawn,))
    })?;
    interface.func_wrap(number, |mut store: Store<'_>, (): ()| {
        charge(&mut store, 8)?;
        Ok((draw(&mut store)?,))
    })
}

fn environment(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap("get-environment", |mut store: Store<'_>, (): ()| {
        charge(&mut store, 0)?;
        Ok((Vec::<(String, String)>::new(),))
    })?;
    interface.func_wrap("get-arguments", |mut store: Store<'_>, (): ()| {
        charge(&mut store, 0)?;
        Ok((Vec::<String>::new(),))
    })?;
    interface.func_wrap("initial-cwd", |mut store: Store<'_>, (): ()| {
        charge(&mut store, 0)?;
        Ok((None::<String>,))
    })
}

fn exit(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap("exit", |_: Store<'_>, (_,): (Result<(), ()>,)| -> wasmtime::Result<()> {
        Err(wasmtime::Error::new(Stopped::Exited))
    })
}

fn standard_stream<T: 'static>(interface: &mut Interface<'_>, name: &str, number: u32) -> wasmtime::Result<()> {
    interface.func_wrap(name, move |mut store: Store<'_>, (): ()| {
        charge(&mut store, 0)?;
        store.data_mut().wasi.handles.open_stream().map_err(too_many)?;
        Ok((Resource::<T>::new_own(number),))
    })
}

fn no_terminal<T: 'static>(interface: &mut Interface<'_>, name: &str) -> wasmtime::Result<()> {
    interface.func_wrap(name, |mut store: Store<'_>, (): ()| {
        charge(&mut store, 0)?;
        Ok((None::<Resource<T>>,))
    })
}

fn subscribe(store: &mut Store<'_>, pollable: Pollable) -> wasmtime::Result<Resource<Pollable>> {
    charge(store, 0)?;
    store.data_mut().wasi.handles.wait_for(pollable).map_err(too_many)
}

fn too_many(_: TooMany) -> wasmtime::Error {
    wasmtime::Error::new(Stopped::BadWasiCall("holds too many handles"))
}

fn draw(store: &mut Store<'_>) -> wasmtime::Result<u64> {
    let state = store.data_mut();
    let random = state.random.as_mut().or(state.setup_random.as_mut());
    random.map(|random| random.next_u64()).ok_or_else(|| wasmtime::Error::new(Stopped::DrewRandomness))
}

/// Lets the guest pay for what the host does in its place; else a loop around a cheap call would run for hours.
fn charge(store: &mut Store<'_>, bytes: u64) -> wasmtime::Result<()> {
    let left = store.get_fuel()?.checked_sub(CALL_FUEL + bytes).ok_or(Trap::OutOfFuel)?;
    store.set_fuel(left)
}
