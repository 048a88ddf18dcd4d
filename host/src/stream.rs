//! Random numbers that are a function of a seed and a purpose.
//!
//! Every draw in the host, for a game, an opponent or the learner's seat, comes from a `Stream` derived from the
//! episode's seed and a path that says what it is for:
//!
//! ```text
//! key    = blake3::derive_key("ludus 2026 stream v1", seed as 8 bytes || parts)
//! part   = 0 || number as 8 bytes        (a number)
//!        | 1 || length as 8 bytes || UTF-8 (a word)          all little-endian
//! stream = ChaCha12(key)
//! ```
//!
//! Two paths therefore never share draws, and asking for one stream more changes no other. ChaCha12 and the derivation
//! are fixed: changing either changes every recorded episode. There is no clock and no operating-system randomness here.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// The context string of the key derivation. A new version of the derivation gets a new one.
const CONTEXT: &str = "ludus 2026 stream v1";

/// An endless, reproducible sequence of draws.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha12Rng);

/// One part of the path that names a stream's purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    Word(&'a str),
    Number(u64),
}

impl<'a> From<&'a str> for Part<'a> {
    fn from(word: &'a str) -> Part<'a> {
        Part::Word(word)
    }
}

impl From<u64> for Part<'_> {
    fn from(number: u64) -> Self {
        Part::Number(number)
    }
}

impl From<u32> for Part<'_> {
    fn from(number: u32) -> Self {
        Part::Number(u64::from(number))
    }
}

impl From<usize> for Part<'_> {
    fn from(number: usize) -> Self {
        Part::Number(number as u64)
    }
}

impl Stream {
    /// The stream for one purpose of one episode: `Stream::derive(seed, &["stage".into(), 0u32.into(), "game".into()])`.
    pub fn derive(seed: u64, path: &[Part<'_>]) -> Stream {
        let mut material = Vec::with_capacity(128);
        material.extend(seed.to_le_bytes());
        for part in path {
            match part {
                Part::Number(number) => {
                    material.push(0);
                    material.extend(number.to_le_bytes());
                }
                Part::Word(word) => {
                    // The length keeps ("ab", "c") apart from ("a", "bc").
                    material.push(1);
                    material.extend((word.len() as u64).to_le_bytes());
                    material.extend(word.as_bytes());
                }
            }
        }
        Stream(ChaCha12Rng::from_seed(blake3::derive_key(CONTEXT, &material)))
    }

    /// A uniform draw from `0..bound`, without bias (Lemire, "Fast Random Integer Generation in an Interval", 2019).
    ///
    /// # Panics
    /// Where `bound` is 0: there is nothing to draw from. A game that asks for it is stopped before it gets here.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "a draw from an empty range");
        let mut product = u64::from(self.0.next_u32()) * u64::from(bound);
        if (product as u32) < bound {
            // Reject the draws that would make some numbers more likely: the lowest 2^32 mod bound of the low half.
            let rejected_below = bound.wrapping_neg() % bound;
            while (product as u32) < rejected_below {
                product = u64::from(self.0.next_u32()) * u64::from(bound);
            }
        }
        (product >> 32) as u32
    }

    /// Another stream for the same purpose, that shares no draw with this one.
    pub fn sibling(&self) -> Stream {
        let mut sibling = self.0.clone();
        sibling.set_stream(1);
        Stream(sibling)
    }

    /// 64 uniform bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A uniform draw from `[0, 1)`, one of 2^53 equally spaced numbers.
    pub fn unit_f64(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(seed: u64, path: &[Part<'_>]) -> Vec<u32> {
        let mut stream = Stream::derive(seed, path);
        (0..8).map(|_| stream.below(1_000_000)).collect()
    }

    #[test]
    fn the_same_seed_and_path_give_the_same_draws() {
        let path = ["stage".into(), 3u32.into()];
        assert_eq!(draws(7, &path), draws(7, &path));
    }

    #[test]
    fn any_change_of_seed_or_path_gives_other_draws() {
        let base = draws(7, &["ab".into(), "c".into()]);
        assert_ne!(base, draws(8, &["ab".into(), "c".into()]));
        assert_ne!(base, draws(7, &["a".into(), "bc".into()]));
        assert_ne!(base, draws(7, &["abc".into()]));
        assert_ne!(draws(7, &[1u32.into()]), draws(7, &["1".into()]));
    }

    #[test]
    fn a_draw_stays_below_its_bound_and_reaches_every_number() {
        for bound in 1..=9u32 {
            let mut stream = Stream::derive(1, &[bound.into()]);
            let mut seen = vec![0u32; bound as usize];
            for _ in 0..2_000 {
                seen[stream.below(bound) as usize] += 1;
            }
            assert!(seen.iter().all(|&times| times > 2_000 / bound / 2), "bound {bound}: {seen:?}");
        }
    }

    #[test]
    fn a_unit_draw_is_at_least_0_and_less_than_1() {
        let mut stream = Stream::derive(2, &[]);
        let mean =
            (0..4_000).map(|_| stream.unit_f64()).inspect(|x| assert!((0.0..1.0).contains(x))).sum::<f64>() / 4e3;
        assert!((mean - 0.5).abs() < 0.05, "mean {mean}");
    }

    // These numbers are part of the format: a change here breaks the replay of every stored episode.
    #[test]
    fn the_first_draws_of_a_known_stream_never_change() {
        let golden = [503682, 958913, 799881, 623069, 914047, 378802, 937823, 957108];
        assert_eq!(draws(42, &["stage".into(), 0u32.into(), "game".into()]), golden);
    }
}
