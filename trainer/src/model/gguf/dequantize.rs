//! From a GGUF tensor's bytes to float32, exactly as llama.cpp defines it.
//!
//! The block encodings keep 32 numbers together:
//!
//! | encoding | block | number i |
//! |---|---|---|
//! | Q4_0 | scale f16, 16 bytes | (nibble i - 8) scale |
//! | Q4_1 | scale f16, minimum f16, 16 bytes | nibble i scale + minimum |
//! | Q8_0 | scale f16, 32 signed bytes | byte i scale |
//!
//! Nibble i is the low half of byte i for i < 16, else the high half of byte i - 16. The encodings of 256 numbers are in
//! `super_blocks`.

mod super_blocks;

use half::{bf16, f16};

/// How a tensor's numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

impl Encoding {
    /// The encoding for the number in the file.
    pub(super) fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            8 => Self::Q8_0,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            30 => Self::Bf16,
            _ => return None,
        })
    }

    /// How many numbers a block holds.
    pub(super) fn block_values(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q8_0 => 32,
            Self::Q4K | Self::Q5K | Self::Q6K => super_blocks::VALUES,
        }
    }

    /// How many bytes a block takes.
    pub(super) fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Q4_0 => 2 + 16,
            Self::Q4_1 => 2 + 2 + 16,
            Self::Q8_0 => 2 + 32,
            Self::Q4K => 2 + 2 + 12 + 128,
            Self::Q5K => 2 + 2 + 12 + 32 + 128,
            Self::Q6K => 128 + 64 + 16 + 2,
        }
    }
}

/// The numbers of whole blocks; a last block that is not whole is left out.
pub fn dequantize(encoding: Encoding, bytes: &[u8]) -> Vec<f32> {
    let blocks = bytes.chunks_exact(encoding.block_bytes());
    let mut values = Vec::with_capacity(blocks.len() * encoding.block_values());
    for block in blocks {
        match encoding {
            Encoding::F32 => values.push(f32::from_le_bytes([block[0], block[1], block[2], block[3]])),
            Encoding::F16 => values.push(half_at(block, 0)),
            Encoding::Bf16 => values.push(bf16::from_le_bytes([block[0], block[1]]).to_f32()),
            Encoding::Q4_0 => {
                let scale = half_at(block, 0);
                values.extend(nibbles(&block[2..]).map(|nibble| (f32::from(nibble) - 8.0) * scale));
            }
            Encoding::Q4_1 => {
                let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
                values.extend(nibbles(&block[4..]).map(|nibble| f32::from(nibble) * scale + minimum));
            }
            Encoding::Q8_0 => {
                let scale = half_at(block, 0);
                values.extend(block[2..].iter().map(|&byte| f32::from(byte.cast_signed()) * scale));
            }
            Encoding::Q4K => super_blocks::q4_k(block, &mut values),
            Encoding::Q5K => super_blocks::q5_k(block, &mut values),
            Encoding::Q6K => super_blocks::q6_k(block, &mut values),
        }
    }
    values
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// All low halves, then all high halves.
fn nibbles(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.iter().map(|byte| byte & 0x0f).chain(bytes.iter().map(|byte| byte >> 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Byte i holds i in its low half and 15 - i in its high half.
    fn ramp() -> impl Iterator<Item = u8> {
        (0..16).map(|i| i | ((15 - i) << 4))
    }

    #[test]
    fn plain_encodings_are_read_as_they_are() {
        assert_eq!(dequantize(Encoding::F32, &[1.5f32.to_le_bytes(), (-2f32).to_le_bytes()].concat()), [1.5, -2.0]);
        assert_eq!(dequantize(Encoding::F16, &f16::from_f32(0.25).to_le_bytes()), [0.25]);
        assert_eq!(dequantize(Encoding::Bf16, &bf16::from_f32(-3.0).to_le_bytes()), [-3.0]);
    }

    #[test]
    fn q4_1_is_nibble_times_scale_plus_minimum() {
        let mut block = [f16::from_f32(0.5).to_le_bytes(), f16::from_f32(-3.0).to_le_bytes()].concat();
        block.extend(ramp());
        let values = dequantize(Encoding::Q4_1, &block);
        let expected: Vec<f32> = (0..16).chain((0..16).rev()).map(|nibble| nibble as f32 * 0.5 - 3.0).collect();
        assert_eq!(values, expected);
    }

    #[test]
    fn q4_0_is_centred_on_eight() {
        let mut block = f16::from_f32(2.0).to_le_bytes().to_vec();
        block.extend(ramp());
        let values = dequantize(Encoding::Q4_0, &block);
        assert_eq!((values.len(), values[0], values[8], values[15], values[16]), (32, -16.0, 0.0, 14.0, 14.0));
    }

    #[test]
    fn q8_0_bytes_are_signed() {
        let mut block = f16::from_f32(0.5).to_le_bytes().to_vec();
        block.extend((0..32).map(|i: i8| (i - 16).cast_unsigned()));
        let values = dequantize(Encoding::Q8_0, &block);
        assert_eq!((values[0], values[16], values[31]), (-8.0, 0.0, 7.5));
    }
}
