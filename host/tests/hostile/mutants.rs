//! Components with some bytes changed at random: most are refused, some load, a few play. None harms the host.

use ludus_host::stream::Stream;

use crate::guest::*;

/// How many are tried. A longer search: raise it.
const MUTANTS: u32 = 3_000;

#[test]
fn no_component_with_changed_bytes_harms_the_host() {
    let whole = Guest::good().bytes_of_component();
    let library = library();
    let mut random = Stream::derive(1, &["mutants".into()]);
    let (mut loaded, mut played) = (0, 0);
    for _ in 0..MUTANTS {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let position = random.below(bytes.len() as u32) as usize;
            bytes[position] = match random.below(3) {
                0 => random.below(256) as u8,
                1 => bytes[position] ^ 1 << random.below(8),
                _ => bytes[random.below(whole.len() as u32) as usize],
            };
        }
        let Ok(component) = library.from_bytes(bytes) else { continue };
        loaded += 1;
        let Ok((mut instance, _)) = begin(&component) else { continue };
        let seats = instance.asked().to_vec();
        let _ = instance.view(None);
        for seat in seats {
            let _ = instance.legal_moves(seat);
            let _ = instance.house_move(seat, "leftist", stream(2));
        }
        played += u32::from(instance.step(&seat_0_moves(), stream(3)).is_ok());
    }
    assert!(loaded > 100 && played > 10, "{loaded} loaded and {played} played: the search reaches nothing");
    play_well(&library);
}
