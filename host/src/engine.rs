//! The only place that configures wasmtime.
//!
//! The settings make a call a pure function of the component's bytes and the call's inputs: NaNs have one bit pattern,
//! nothing runs in parallel, nothing may differ between processors (no relaxed SIMD), and a call that goes on too long is
//! stopped by fuel. Fuel and the size of the native stack are bounds: no result may depend on what was left of them. A clock
//! stops only what fuel does not count, and then there is no result (`watchdog`).

use std::hash::{Hash as _, Hasher};

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, WasmBacktraceDetails,
    WasmFeatures,
};

use crate::bindings::PlayerGame;
use crate::gate::MODULE_TABLES_MAX;
use crate::hash::Hash;
use crate::limits::Limits;
use crate::state::State;
use crate::watchdog::{self, Watchdog};

/// What WebAssembly may not do here: run in parallel, differ between processors, or use what no game needs.
const REFUSED_FEATURES: WasmFeatures = WasmFeatures::THREADS
    .union(WasmFeatures::SHARED_EVERYTHING_THREADS)
    .union(WasmFeatures::RELAXED_SIMD)
    .union(WasmFeatures::GC)
    .union(WasmFeatures::FUNCTION_REFERENCES)
    .union(WasmFeatures::EXCEPTIONS)
    .union(WasmFeatures::LEGACY_EXCEPTIONS)
    .union(WasmFeatures::STACK_SWITCHING)
    .union(WasmFeatures::MEMORY64)
    .union(WasmFeatures::CUSTOM_PAGE_SIZES)
    .union(WasmFeatures::CM_ASYNC);

/// What a game can name: four GiB. A memory that has so many addresses to itself, most of them never mapped, needs no check
/// at each access.
const ALL_ADDRESSES: u64 = 4 << 30;

/// How instances get their memory. It changes how fast a game begins, never how it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocation {
    /// Memory is mapped for each instance and unmapped after it. No bound on how many live at once.
    OnDemand,
    /// Memory comes from a pool of addresses, mapped once, and keeps its first `keep_resident_bytes` of pages when it goes
    /// back. `instances_max` may live at once.
    Pooling { instances_max: u32, keep_resident_bytes: usize },
}

impl Allocation {
    /// Clearing pages by hand is cheaper than giving them back and faulting them in again, and this is what a game in Go or
    /// JavaScript writes to in an episode: with an eighth of it, an instance in Go takes twice as long to begin (`cargo bench
    /// --workspace --bench parts`). A game in Rust writes to less.
    pub const STANDARD: Allocation = Allocation::Pooling { instances_max: 4_096, keep_resident_bytes: 1 << 20 };
}

/// A configured wasmtime with the one import that games have.
pub(crate) struct GameEngine {
    engine: Engine,
    linker: Linker<State>,
    fingerprint: Hash,
    limits: Limits,
    _watchdog: Watchdog,
}

impl GameEngine {
    /// # Errors
    /// Where this machine cannot run WebAssembly with these settings.
    pub fn new(limits: Limits, allocation: Allocation) -> wasmtime::Result<GameEngine> {
        let engine = Engine::new(&config(&limits, allocation))?;
        let mut linker = Linker::new(&engine);
        PlayerGame::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;

        let mut hasher = Blake3Hasher(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let fingerprint = Hash::from_bytes(*hasher.0.finalize().as_bytes());
        let watchdog = Watchdog::start(&engine)?;
        Ok(GameEngine { engine, linker, fingerprint, limits, _watchdog: watchdog })
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    pub fn linker(&self) -> &Linker<State> {
        &self.linker
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Changes with wasmtime's version, its settings and the processor's features: compiled code fits one fingerprint.
    pub fn fingerprint(&self) -> Hash {
        self.fingerprint
    }

    /// A store for one instance, with the budget for setting it up.
    ///
    /// # Errors
    /// Never with this engine's settings, which have fuel on.
    pub fn store(&self) -> wasmtime::Result<Store<State>> {
        let mut store = Store::new(&self.engine, State::new(self.limits));
        store.limiter(|state| state);
        store.set_hostcall_fuel(self.limits.boundary_bytes_max);
        watchdog::arm(&mut store, self.limits.call_s_max);
        self.allow(&mut store, self.limits.fuel_to_instantiate)?;
        Ok(store)
    }

    /// Gives a store what the call that begins now may use.
    ///
    /// # Errors
    /// As `store`.
    pub fn allow(&self, store: &mut Store<State>, fuel: u64) -> wasmtime::Result<()> {
        watchdog::begin(store, self.limits.call_s_max);
        store.set_fuel(fuel)
    }
}

fn config(limits: &Limits, allocation: Allocation) -> Config {
    let mut config = Config::new();
    config
        .wasm_features(REFUSED_FEATURES, false)
        .concurrency_support(false)
        .cranelift_nan_canonicalization(true)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(limits.wasm_stack_bytes_max)
        // Left alone, an environment variable would decide this.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    match allocation {
        Allocation::OnDemand => {
            // A reservation that covers the largest memory lets it grow in place, and fits where addresses are rationed.
            config
                .memory_reservation(limits.memory_bytes_max)
                .memory_reservation_for_growth(0)
                .memory_guard_size(64 << 10);
        }
        Allocation::Pooling { instances_max, keep_resident_bytes } => {
            let pool = pool(limits, instances_max, keep_resident_bytes);
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
            config.memory_reservation(ALL_ADDRESSES);
        }
    }
    config
}

/// Addresses are plenty and are all that a pool takes up front. A component has some core instances and tables besides its
/// own, for adapters between modules.
fn pool(limits: &Limits, instances_max: u32, keep_resident_bytes: usize) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances_max)
        .total_core_instances(instances_max.saturating_mul(4))
        // Hardly any component has a second one, and each takes four GiB of addresses.
        .total_memories(instances_max)
        .total_tables(instances_max.saturating_mul(4))
        .max_tables_per_module(MODULE_TABLES_MAX)
        .max_memory_size(limits.memory_bytes_max as usize)
        .table_elements(limits.table_elements_max as usize)
        .linear_memory_keep_resident(keep_resident_bytes)
        .table_keep_resident(keep_resident_bytes)
        // Linux tells which pages an instance wrote to, so only those have to be cleared. Older kernels clear all that is kept.
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Lets blake3 hash what offers itself to std's `Hash`.
struct Blake3Hasher(blake3::Hasher);

impl Hasher for Blake3Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.finalize();
        digest.as_bytes().iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
    }
}
