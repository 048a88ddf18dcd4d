//! The encodings that keep 256 numbers together: eight sub-blocks of 32 or sixteen of 16 share one scale, and each has a
//! small one of its own that multiplies it.
//!
//! | encoding | super-block | number |
//! |---|---|---|
//! | Q4_K | scale f16, minimum f16, 12 bytes, 128 bytes | scale s nibble - minimum m |
//! | Q5_K | scale f16, minimum f16, 12 bytes, 32 bytes, 128 bytes | scale s (nibble + 16 bit) - minimum m |
//! | Q6_K | 128 bytes, 64 bytes, 16 signed bytes s, scale f16 | scale s (nibble + 16 pair - 32) |
//!
//! The twelve bytes hold a six-bit scale s and a six-bit minimum m for each sub-block of 32. Nibbles of two sub-blocks lie in
//! the same 32 bytes: the first one's in the low halves, the second one's in the high halves.

use super::half_at;

/// Numbers in a super-block.
pub const VALUES: usize = 256;

/// The scale and the minimum of sub-block `at`, 0 to 7, from the twelve bytes that hold all of them.
///
/// The first four stand in the low six bits of a byte of their own. Of the others, four bits stand in the last four bytes, and
/// the upper two are what the first eight have left.
fn scale_and_minimum(packed: &[u8], at: usize) -> (f32, f32) {
    let (scale, minimum) = if at < 4 {
        (packed[at] & 63, packed[at + 4] & 63)
    } else {
        let low = packed[at + 4];
        ((low & 15) | (packed[at - 4] >> 6) << 4, (low >> 4) | (packed[at] >> 6) << 4)
    };
    (f32::from(scale), f32::from(minimum))
}

/// Appends the numbers of a block of Q4_K.
pub fn q4_k(block: &[u8], values: &mut Vec<f32>) {
    let (packed, nibbles) = (&block[4..16], &block[16..]);
    with_minimum(block, packed, values, |sub_block, at| nibble(nibbles, sub_block, at));
}

/// Appends the numbers of a block of Q5_K.
pub fn q5_k(block: &[u8], values: &mut Vec<f32>) {
    let (packed, fifths, nibbles) = (&block[4..16], &block[16..48], &block[48..]);
    with_minimum(block, packed, values, |sub_block, at| {
        nibble(nibbles, sub_block, at) | ((fifths[at] >> sub_block) & 1) << 4
    });
}

/// Appends the numbers of a block of Q6_K. Each half of the block has four runs of 32 numbers, and a run two scales.
pub fn q6_k(block: &[u8], values: &mut Vec<f32>) {
    let (nibbles, pairs, scales, scale) = (&block[..128], &block[128..192], &block[192..208], half_at(block, 208));
    for half in 0..2 {
        for run in 0..4 {
            for at in 0..32 {
                let low = nibbles[half * 64 + run % 2 * 32 + at] >> (run / 2 * 4) & 15;
                let high = pairs[half * 32 + at] >> (2 * run) & 3;
                let own = f32::from(scales[half * 8 + run * 2 + at / 16].cast_signed());
                values.push(scale * own * (f32::from(low | high << 4) - 32.0));
            }
        }
    }
}

/// Number `at` of a sub-block of 32, from nibbles of two sub-blocks in 32 bytes.
fn nibble(nibbles: &[u8], sub_block: usize, at: usize) -> u8 {
    nibbles[sub_block / 2 * 32 + at] >> (sub_block % 2 * 4) & 15
}

/// Appends the numbers of eight sub-blocks that have a scale and a minimum each.
fn with_minimum(block: &[u8], packed: &[u8], values: &mut Vec<f32>, number: impl Fn(usize, usize) -> u8) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    for sub_block in 0..8 {
        let (own_scale, own_minimum) = scale_and_minimum(packed, sub_block);
        let (factor, offset) = (scale * own_scale, minimum * own_minimum);
        values.extend((0..32).map(|at| factor * f32::from(number(sub_block, at)) - offset));
    }
}
