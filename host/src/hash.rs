//! The name of everything: a blake3 digest.
//!
//! A component is named by the hash of its bytes, never of its source; an episode by the hash of its record. A hash is
//! written as 64 lower-case hexadecimal digits and ordered as its bytes are. This file knows nothing of what is hashed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// From this size on all cores hash together. The digest is the same.
const LARGE: usize = 1 << 20;

/// A blake3 digest of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

/// What was given as a hash is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a hash; write 64 hexadecimal digits")]
pub struct HashError {
    given: String,
}

impl Hash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Hash {
        if bytes.len() < LARGE {
            return Hash(*blake3::hash(bytes).as_bytes());
        }
        Hash(*blake3::Hasher::new().update_rayon(bytes).finalize().as_bytes())
    }

    /// Takes a digest that was computed elsewhere, as by an incremental hasher.
    pub const fn from_bytes(bytes: [u8; 32]) -> Hash {
        Hash(bytes)
    }

    /// The 32 bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hexadecimal digits, upper or lower case.
    ///
    /// # Errors
    /// Where the text is anything else.
    pub fn parse(text: &str) -> Result<Hash, HashError> {
        // blake3 reads the digits, and refuses any other length.
        blake3::Hash::from_hex(text)
            .map(|hash| Hash(*hash.as_bytes()))
            .map_err(|_| HashError { given: text.chars().take(80).collect() })
    }

    /// The first 12 digits: enough for a person to tell two apart, not an identity.
    pub fn short(&self) -> String {
        let mut digits = self.to_string();
        digits.truncate(12);
        digits
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Hash({})", self.short())
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Hash, HashError> {
        Hash::parse(text)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
        let text = String::deserialize(deserializer)?;
        Hash::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_what_it_wrote() {
        let hash = Hash::of(b"ludus");
        assert_eq!(Hash::parse(&hash.to_string()), Ok(hash));
        assert_eq!(hash.to_string().len(), 64);
        assert!(hash.to_string().starts_with(&hash.short()));
        assert_eq!(serde_json::to_string(&hash).ok(), Some(format!("\"{hash}\"")));
    }

    #[test]
    fn a_large_text_has_the_hash_that_one_core_gives_it() {
        let large: Vec<u8> = (0..=LARGE).map(|at| (at * at) as u8).collect();
        let mut hasher = blake3::Hasher::new();
        for chunk in large.chunks(1_000) {
            hasher.update(chunk);
        }
        assert_eq!(Hash::of(&large).as_bytes(), hasher.finalize().as_bytes());
    }

    #[test]
    fn text_that_is_no_hash_is_refused() {
        for text in ["", "abc", &"g".repeat(64), &"a".repeat(65), &"é".repeat(32)] {
            assert!(Hash::parse(text).is_err(), "{text:?} was taken");
        }
    }
}
