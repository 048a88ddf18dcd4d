//! What is not let in, and that it is refused before anything is compiled.

use ludus_host::component::ComponentError;
use ludus_host::gate::GateError;
use ludus_host::library::Library;
use ludus_host::limits::Limits;

use crate::guest::*;

fn refusal(library: &Library, bytes: Vec<u8>) -> GateError {
    match library.from_bytes(bytes) {
        Err(ComponentError::Gate(error)) => error,
        other => panic!("the gate let it pass: {other:?}"),
    }
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[test]
fn a_forbidden_import_is_refused_by_its_name() {
    let library = library();
    let error = refusal(&library, component("(component (import \"acme:net/socket@1.0.0\" (instance)))"));
    assert!(error.to_string().contains("`acme:net/socket@1.0.0`"), "{error}");
    assert!(matches!(error, GateError::Import { .. }));
    play_well(&library);
}

#[test]
fn another_version_of_our_own_interface_is_not_ours() {
    let text = "(component (import \"ludus:game/random@0.1.1\" (instance)))";
    assert!(matches!(refusal(&library(), component(text)), GateError::Import { .. }));
}

/// A component with one type in which so many of a kind (0x41 component, 0x42 instance) are nested, each the only thing in the one
/// around it. Text cannot be read so deep.
fn nested_types(kind: u8, levels: usize) -> Vec<u8> {
    let (one, a_type, nothing) = (1, 1, 0);
    let mut section = vec![one];
    (0..levels).for_each(|_| section.extend([kind, one, a_type]));
    section.extend([kind, nothing]);
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    // The section of types, and its length in two digits of seven bits.
    bytes.extend([7, (section.len() % 128) as u8 | 0x80, (section.len() / 128) as u8]);
    bytes.extend(section);
    bytes
}

#[test]
fn what_is_nested_too_deep_is_refused_before_anybody_goes_down_into_it() {
    let library = library();
    for kind in [0x41, 0x42] {
        assert!(matches!(refusal(&library, nested_types(kind, 4_000)), GateError::Nested), "{kind:#x}");
        assert!(matches!(refusal(&library, nested_types(kind, 50)), GateError::NoGame), "{kind:#x}");
    }
    let nested =
        |levels: usize| component(&format!("(component {}{})", "(component ".repeat(levels), ")".repeat(levels)));
    assert!(matches!(refusal(&library, nested(30)), GateError::Nested));
    assert!(matches!(refusal(&library, nested(3)), GateError::NoGame));
    play_well(&library);
}

#[test]
fn wasi_is_refused_with_a_sentence_of_its_own() {
    let text = "(component (import \"wasi:sockets/tcp@0.2.0\" (instance)))";
    let error = refusal(&library(), component(text));
    assert!(matches!(error, GateError::Wasi { .. }));
    assert!(error.to_string().contains("`wasi:sockets/tcp@0.2.0`"), "{error}");
}

#[test]
fn an_import_is_refused_before_the_code_is_looked_at() {
    // The function's body is not valid: a compiler would complain of it first.
    let text = "(component (import \"acme:net/socket@1.0.0\" (instance)) (core module (func (result i32))))";
    assert!(matches!(refusal(&library(), component(text)), GateError::Import { .. }));
}

#[test]
fn an_import_of_a_nested_component_is_its_own_affair() {
    let text = "(component (component (import \"acme:net/socket@1.0.0\" (instance))))";
    assert_eq!(refusal(&library(), component(text)), GateError::NoGame);
}

#[test]
fn bytes_that_are_no_webassembly_are_refused() {
    let library = library();
    for bytes in [vec![], b"hello".to_vec(), b"\0asm".to_vec(), vec![0xff; 4_096]] {
        assert!(matches!(refusal(&library, bytes), GateError::Malformed { .. }));
    }
    play_well(&library);
}

#[test]
fn a_component_cut_off_anywhere_is_refused_or_whole() {
    let library = library();
    let whole = Guest::good().bytes_of_component();
    let taken: Vec<usize> = (0..whole.len()).filter(|&end| library.from_bytes(whole[..end].to_vec()).is_ok()).collect();
    // Only the names for debuggers at its end, sections of their own, can be cut off cleanly.
    assert!(taken.len() <= 2, "cut off at {taken:?} bytes");
    assert!(taken.iter().all(|&end| begin(&library.from_bytes(whole[..end].to_vec()).unwrap()).is_ok()));
}

#[test]
fn a_core_module_is_told_how_to_become_a_component() {
    let error = refusal(&library(), component("(module)"));
    assert_eq!(error, GateError::CoreModule);
    assert!(error.to_string().contains("ludus build"));
}

#[test]
fn a_component_that_exports_no_game_is_refused() {
    assert_eq!(refusal(&library(), component("(component)")), GateError::NoGame);
}

#[test]
fn a_component_with_the_right_names_and_the_wrong_types_does_not_link() {
    let text = "(component (instance $game) (export \"ludus:game/game@0.1.0\" (instance $game)))";
    let error = library().from_bytes(component(text)).unwrap_err();
    assert!(matches!(error, ComponentError::Link(_)), "{error}");
}

#[test]
fn a_component_that_is_too_large_is_refused_unread() {
    let library = open(Limits { component_bytes_max: 100, ..Limits::STANDARD });
    assert!(matches!(refusal(&library, vec![0; 101]), GateError::TooLarge { bytes: 101, bytes_max: 100 }));
}

#[test]
fn code_that_is_not_valid_does_not_compile() {
    let mut bytes = Guest::good().bytes_of_component();
    // Break the body of a function: look for `i32.const DATA` at its begin and make it an unknown instruction.
    let position = bytes.windows(3).rposition(|window| window == [0x00, 0x41, 0x80]).expect("a function's body");
    bytes[position + 1] = 0xff;
    let error = library().from_bytes(bytes).unwrap_err();
    assert!(matches!(error, ComponentError::Compile(_) | ComponentError::Gate(GateError::Malformed { .. })), "{error}");
}

#[test]
fn a_manifest_that_is_not_in_order_keeps_its_game_out() {
    let about = About { name: "Not Kebab", steps_max: 3, schema: "{}".into() };
    let error = Guest::good().with(|guest| guest.describe(&about)).load(&library()).unwrap_err();
    assert!(matches!(&error, ComponentError::Manifest(reason) if reason.contains("Not Kebab")), "{error}");
}

#[test]
fn threads_and_64_bit_memories_are_refused() {
    for memory in ["(memory (export \"memory\") 2 2 shared)", "(memory (export \"memory\") i64 2)"] {
        let text = format!(
            "(component (core module {memory}) (instance $game) (export \"ludus:game/game@0.1.0\" (instance $game)))"
        );
        let error = library().from_bytes(component(&text)).unwrap_err();
        assert!(matches!(error, ComponentError::Compile(_) | ComponentError::Gate(_)), "{error}");
    }
}

#[test]
fn a_module_with_more_memories_or_tables_than_every_host_has_room_for_is_refused() {
    let memories = "(component (core module (memory 1) (memory 1)))";
    assert_eq!(refusal(&library(), component(memories)), GateError::Module { what: "memories", count: 2, most: 1 });
    let tables = format!("(component (core module {}))", "(table 1 funcref)".repeat(5));
    let error = refusal(&library(), component(&tables));
    assert!(error.to_string().contains("has 5 tables, and 4 is the most"), "{error}");
}
