//! Games whose functions are random but valid WebAssembly, made by wasm-smith. Their manifest is good, so that they are
//! loaded and played: what they compute, do to their memory and hand back is noise. Some functions of each are good ones, so
//! that play gets further than the first answer.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use ludus_host::component::Component;
use ludus_host::componentize::componentize;
use ludus_host::engine::Allocation;
use ludus_host::fault::{Fault, FaultKind};
use ludus_host::stream::Stream;
use ludus_host::turn::{Move, Turn};
use random_wasmparser::{ExternalKind, FunctionBody, Parser, Payload};
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{CodeSection, Function, InstructionSink, MemArg, MemArgTarget};

use crate::guest::*;

/// How many are tried by default; the variable `LUDUS_RANDOM_GAMES` asks for more.
const GAMES: u64 = 250;

#[test]
fn no_game_of_random_code_harms_the_host_and_each_plays_alike_on_two_hosts() {
    let games = std::env::var("LUDUS_RANDOM_GAMES").map_or(GAMES, |games| games.parse().expect("a number of games"));
    let hosts = [library(), open_with(TIGHT, Allocation::OnDemand)];
    let (mut loaded, mut ends) = (0, BTreeMap::new());
    for seed in 0..games {
        let bytes = random_game(seed);
        let [one, other] = [0, 1].map(|host: usize| hosts[host].from_bytes(bytes.clone()));
        match (one, other) {
            (Ok(one), Ok(other)) => {
                let [one, other] = [one, other].map(|component| play(&component, seed));
                assert_eq!(one, other, "game {seed} plays differently on another host");
                loaded += 1;
                *ends.entry(one.1).or_insert(0_u64) += 1;
            }
            (one, other) => {
                let [one, other] = [one, other].map(|loaded| loaded.map_err(|error| error.to_string()).err());
                assert_eq!(one, other, "game {seed}");
                *ends.entry(format!("refused: {}", one.unwrap_or_default())).or_insert(0) += 1;
            }
        }
    }
    println!("{loaded} of {games} loaded; they ended so: {ends:?}");
    assert!(loaded * 2 > games, "most are loaded, or the search reaches nothing: {loaded}");
    assert!(ends.len() > 5, "the search reaches different ends: {ends:?}");
    hosts.iter().for_each(play_well);
}

/// All that the game said, and how it ended: in words, for no instance of it may differ.
fn play(component: &Arc<Component>, seed: u64) -> (Vec<String>, String) {
    let mut said = Vec::new();
    let end = play_on(component, seed, &mut said);
    (said, end.map_or_else(|fault| format!("{:?}", fault.kind), |()| "Played".to_string()))
}

fn play_on(component: &Arc<Component>, seed: u64, said: &mut Vec<String>) -> Result<(), Fault> {
    let (mut instance, mut turn) = begin(component)?;
    let mut random = Stream::derive(seed, &["moves".into()]);
    for step in 0..4 {
        said.push(format!("{turn:?}"));
        let Turn::Decide(requests) = &turn else { return Ok(()) };
        let mut moves = Vec::new();
        for seat in requests.iter().map(|request| request.seat) {
            let legal = instance.legal_moves(seat)?;
            let house = instance.house_move(seat, "leftist", stream(step))?;
            said.push(format!("{legal:?} {house:?} {:?}", instance.view(Some(seat))?));
            let text = match legal {
                Some(legal) => legal[random.below(legal.len() as u32) as usize].clone(),
                None => house,
            };
            moves.push(Move { seat, text });
        }
        let progress = instance.step(&moves, stream(step))?;
        said.push(format!("{:?}", progress.rejections));
        turn = progress.turn;
    }
    Err(Fault::new(FaultKind::TooManySteps, ludus_host::fault::Call::Step, String::new()))
}

/// A component of random functions, some of them replaced by those of the good game.
fn random_game(seed: u64) -> Vec<u8> {
    let mut random = Stream::derive(seed, &["random game".into()]);
    let good = Guest::good();
    let raw: Vec<u8> = (0..2_048).flat_map(|_| random.next_u64().to_le_bytes()).collect();
    let shape = wat::parse_str(shape()).expect("the text of the shape");
    let config = wasm_smith::Config {
        exports: Some(shape),
        max_imports: 0,
        // The shape has the one memory that there may be.
        max_memories: 0,
        max_funcs: 30,
        max_instructions: 400,
        max_memory32_bytes: 4 << 20,
        max_table_elements: 500,
        allow_start_export: random.below(4) == 0,
        // What the gate refuses is another test's business.
        exceptions_enabled: false,
        gc_enabled: false,
        reference_types_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        threads_enabled: false,
        compact_imports_enabled: false,
        wide_arithmetic_enabled: false,
        ..wasm_smith::Config::default()
    };
    let mut unstructured = arbitrary::Unstructured::new(&raw);
    let module = wasm_smith::Module::new(config, &mut unstructured).expect("a module of enough bytes");
    let kept = |name: &str, random: &mut Stream| match name {
        "describe" | "cabi_realloc" => true,
        // Where it begins well, the others are reached.
        "start" => random.below(4) != 0,
        _ => random.below(2) == 0,
    };
    let module = module.to_bytes();
    let mut splice = Splice { good: &good, bodies: BTreeMap::new(), next: 0 };
    for (name, index) in defined_exports(&module) {
        let name = name.rsplit('#').next().unwrap_or_default().to_string();
        if kept(&name, &mut random) {
            splice.bodies.entry(index).or_insert(name);
        }
    }
    let mut spliced = wasm_encoder::Module::new();
    splice.parse_core_module(&mut spliced, Parser::new(0), &module).expect("a valid module");
    componentize(&spliced.finish()).expect("a component")
}

/// A module with the exports of a game, whose functions are never called. Its memory has room for the good game's constants.
fn shape() -> String {
    let functions = FUNCTIONS.iter().map(|(name, parameters)| {
        format!("(func (export \"ludus:game/game@0.1.0#{name}\") {parameters} (result i32) unreachable)")
    });
    let functions: String = functions.collect();
    let realloc = "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) unreachable)";
    format!("(module (memory (export \"memory\") 2) {realloc} {functions})")
}

/// The exported functions, by name and number among the functions that the module defines (it imports none).
fn defined_exports(module: &[u8]) -> Vec<(String, u32)> {
    let mut exports = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let Payload::ExportSection(section) = payload.expect("a valid module") else { continue };
        for export in section {
            let export = export.expect("a valid module");
            exports.push((export.name.to_string(), export.index, export.kind));
        }
    }
    let functions = exports.into_iter().filter(|(_, _, kind)| *kind == ExternalKind::Func);
    functions.map(|(name, index, _)| (name, index)).collect()
}

/// Copies a module and replaces functions by those of the good game.
struct Splice<'a> {
    good: &'a Guest,
    /// By function number.
    bodies: BTreeMap<u32, String>,
    /// The number of the next function.
    next: u32,
}

impl Reencode for Splice<'_> {
    type Error = Infallible;

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: FunctionBody<'_>,
    ) -> Result<(), reencode::Error<Infallible>> {
        let name = self.bodies.get(&self.next);
        self.next += 1;
        match name {
            Some(name) => code.function(&self.good_function(name)),
            None => return reencode::utils::parse_function_body(self, code, body),
        };
        Ok(())
    }
}

impl Splice<'_> {
    /// Lays down all answers of the good game anew, since others write anywhere, and returns the address of one.
    fn good_function(&self, name: &str) -> Function {
        let mut function = Function::new([]);
        let mut code: InstructionSink<'_> = function.instructions();
        match answer(self.good, name) {
            Some(address) => {
                for (offset, bytes) in (u64::from(DATA_START)..).step_by(8).zip(self.good.data.chunks(8)) {
                    let mut word = [0; 8];
                    word[..bytes.len()].copy_from_slice(bytes);
                    code.i32_const(0).i64_const(i64::from_le_bytes(word));
                    code.i64_store(MemArg { offset, align: 0, target: MemArgTarget::Memory(0), ordering: None });
                }
                code.i32_const(address as i32)
            }
            // `cabi_realloc`: always the same place, so that what it hands over is written over by the next.
            None => code.i32_const(64 << 10),
        };
        code.end();
        function
    }
}

/// The address that a function of the good game returns; none for `cabi_realloc`.
fn answer(good: &Guest, name: &str) -> Option<u32> {
    let index = FUNCTIONS.iter().position(|(function, _)| *function == name)?;
    good.bodies[index].strip_prefix("(i32.const ")?.strip_suffix(')')?.parse().ok()
}
