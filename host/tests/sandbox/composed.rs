//! A game that is made of two components. What passes between them is wasmtime's work, and costs no fuel.

use std::path::Path;

use ludus_host::componentize::WIT;
use ludus_host::fault::{Call, FaultKind};
use ludus_host::limits::Limits;
use wasm_encoder::{
    Alias, Component, ComponentAliasSection, ComponentExportKind, ComponentExportSection, ComponentImportSection,
    ComponentInstanceSection, ComponentSectionId, ComponentTypeRef, ComponentTypeSection, InstanceType,
    PrimitiveValType, RawSection,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::guest::*;

const RANDOM: &str = "ludus:game/random@0.1.0";
const GAME: &str = "ludus:game/game@0.1.0";
const LISTENER: &str = "ludus:game/listener@0.1.0";

/// What the world of a game that talks to a listener has more than others.
const TALKING: &str =
    "interface listener { tell: func(text: string); } world talking-game { import listener; include player-game; }";

/// It hears everything at the same place, and does nothing about it.
const LISTENING: &str = r#"(component
    (core module $core
        (memory (export "memory") 32)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
        (func (export "tell") (param i32 i32)))
    (core instance $core (instantiate $core))
    (func (export "tell") (param "text" string)
        (canon lift (core func $core "tell")
            (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))"#;

/// The game, and a listener beside it.
fn composed(guest: &Guest) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str(Path::new("world.wit"), &format!("{WIT}\n{TALKING}")).expect("the contract");
    let world = resolve.select_world(&[package], Some("talking-game")).expect("a world");
    let mut core = wat::parse_str(guest.core_text()).expect("the text of the module");
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8, false).expect("embedded");
    let game = ComponentEncoder::default().module(&core).and_then(|encoder| encoder.validate(true).encode());
    let game = game.expect("a component");
    let listening = wat::parse_str(LISTENING).expect("the text of the listener");

    let mut random = InstanceType::new();
    random.ty().function().params([("bound", PrimitiveValType::U32)]).result(Some(PrimitiveValType::U32.into()));
    random.export("below", ComponentTypeRef::Func(0));
    let mut types = ComponentTypeSection::new();
    types.instance(&random);
    let mut imports = ComponentImportSection::new();
    imports.import(RANDOM, ComponentTypeRef::Instance(0));
    let instance = ComponentExportKind::Instance;
    let mut instances = ComponentInstanceSection::new();
    instances.instantiate(0, Vec::<(&str, ComponentExportKind, u32)>::new());
    instances.instantiate(1, [(RANDOM, instance, 0), (LISTENER, instance, 1)]);
    let mut aliases = ComponentAliasSection::new();
    aliases.alias(Alias::InstanceExport { instance: 2, kind: instance, name: GAME });
    let mut exports = ComponentExportSection::new();
    exports.export(GAME, instance, 3, None);

    let mut component = Component::new();
    component.section(&types).section(&imports);
    for part in [&listening, &game] {
        component.section(&RawSection { id: ComponentSectionId::Component.into(), data: part });
    }
    component.section(&instances).section(&aliases).section(&exports);
    component.finish()
}

/// A game of two components that first tells the other one, in its view, a mebibyte so many times.
fn talking(times: u32) -> Vec<u8> {
    let mut guest = Guest::good();
    guest.imports = "(import \"ludus:game/listener@0.1.0\" \"tell\" (func $tell (param i32 i32)))";
    guest.memory = "(memory (export \"memory\") 64)";
    let code = format!(
        "(local $left i32) (local.set $left (i32.const {times}))
         (loop $again
            (call $tell (i32.const 0x100000) (i32.const 0x100000))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left)))"
    );
    composed(&guest.first("view", &code))
}

#[test]
fn a_game_of_two_components_is_played() {
    let component = open(Limits::STANDARD).from_bytes(talking(3)).expect("it loads");
    let (mut instance, _) = begin(&component).expect("it starts");
    assert_eq!(instance.view(None), Ok("two doors".into()));
    assert!(instance.step(&seat_0_moves(), stream(2)).is_ok());
}

#[test]
fn a_call_that_takes_long_without_fuel_is_given_up_and_is_nobodys_fault() {
    let library = open(Limits { call_s_max: 1, ..Limits::STANDARD });
    // With the fuel of one call it could go on for many minutes.
    let component = library.from_bytes(talking(u32::MAX)).expect("it loads");
    let (mut instance, _) = begin(&component).expect("it starts");
    let fault = instance.view(None).expect_err("it goes on");
    assert_eq!((fault.kind, fault.call), (FaultKind::HostFailed, Call::View), "{fault}");
    assert!(fault.to_string().contains("after 1 s"), "{fault}");
    assert_eq!(instance.view(None).expect_err("it was stopped").kind, FaultKind::Dead);
    play_well(&library);
}
