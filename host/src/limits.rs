//! Every bound that a game lives under, in one place, with its unit in its name.
//!
//! All but `fuel_*`, `wasm_stack_bytes_max` and `call_s_max` are exact: a game either passes them or not, on every machine alike.
//! Fuel and stack are bounds and not clocks, since their use differs between wasmtime versions: no result depends on how much
//! of them was left. The one clock decides no game: an episode that it stops is not recorded.

/// The bounds of one game. Copied, never mutated: a library has one for all its games.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What one call may compute, in units of wasmtime fuel: about one for each instruction, and for bulk operations one
    /// for each byte.
    pub fuel_per_call: u64,
    /// The same for setting up an instance: its start functions and initial memory.
    pub fuel_to_instantiate: u64,
    /// The seconds after which a call, or setting up an instance, is given up. A whole `fuel_per_call` takes a few.
    pub call_s_max: u32,
    /// What all calls of one episode may compute together. A game that stays just below `fuel_per_call` is stopped by this
    /// one.
    pub fuel_per_episode: u64,
    /// All linear memories of an instance together.
    pub memory_bytes_max: u64,
    /// All tables of an instance together.
    pub table_elements_max: u64,
    /// Core modules, and also memories and also tables, in one component.
    pub core_instances_max: u32,
    /// The native stack that WebAssembly may use.
    pub wasm_stack_bytes_max: usize,
    /// What one call may hand from guest to host, as the host's memory counts it.
    pub boundary_bytes_max: usize,
    pub component_bytes_max: u64,
    /// One prompt, move, reason, view or summary, in bytes of UTF-8.
    pub text_bytes_max: usize,
    /// What one episode may leave behind: its record and the prompts that were shown, in bytes.
    pub episode_bytes_max: usize,
    /// The options schema of a manifest.
    pub schema_bytes_max: usize,
    pub legal_moves_max: usize,
    /// Counts in one outcome.
    pub counts_max: usize,
    pub seats_max: u32,
    /// The largest `steps-max` that a manifest may promise.
    pub steps_max: u32,
    /// Steps of one instance that reject a move. They do not count as steps that the manifest promised.
    pub rejections_max: u32,
    /// House players, and also abilities, of one game.
    pub names_max: usize,
    /// A name of a game, house player, ability or count.
    pub name_bytes_max: usize,
}

impl Limits {
    /// What games are written for. A change here changes which games are good ones.
    pub const STANDARD: Limits = Limits {
        fuel_per_call: 1_000_000_000,
        fuel_to_instantiate: 1_000_000_000,
        call_s_max: 120,
        fuel_per_episode: 100_000_000_000,
        memory_bytes_max: 128 << 20,
        table_elements_max: 100_000,
        core_instances_max: 64,
        wasm_stack_bytes_max: 512 << 10,
        boundary_bytes_max: 1 << 20,
        component_bytes_max: 64 << 20,
        text_bytes_max: 64 << 10,
        episode_bytes_max: 16 << 20,
        schema_bytes_max: 64 << 10,
        legal_moves_max: 4_096,
        counts_max: 256,
        seats_max: 64,
        steps_max: 100_000,
        rejections_max: 100_000,
        names_max: 64,
        name_bytes_max: 64,
    };
}
