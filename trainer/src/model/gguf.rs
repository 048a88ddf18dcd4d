//! GGUF: the single-file format of llama.cpp. Read only, versions 2 and 3, little-endian.
//!
//! ```text
//! "GGUF", version u32, tensor count u64, entry count u64
//! entries: key string, type u32, value         string: length u64, UTF-8 bytes
//! tensors: name string, dimension count u32, dimensions u64 (fastest first), encoding u32, offset u64
//! padding to general.alignment (32), then the tensors' bytes at their offsets
//! ```
//!
//! The file may come from anywhere, so nothing in it is trusted: every length is checked against
//! what is left of the file before anything is allocated for it. What a tensor *means* is
//! `import`'s business.

pub mod dequantize;
mod parse;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::ModelError;
use dequantize::Encoding;

/// An opened file: its metadata in memory, its tensors mapped.
pub struct Gguf {
    path: PathBuf,
    entries: BTreeMap<String, Value>,
    tensors: BTreeMap<String, TensorInfo>,
    bytes: Mmap,
}

/// A metadata value. Integers of all widths are one of two kinds here.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Unsigned(u64),
    Signed(i64),
    Float32(f32),
    Float64(f64),
    Bool(bool),
    Text(String),
    List(Vec<Value>),
}

/// Where a tensor lies in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorInfo {
    /// Slowest dimension first, as in PyTorch (GGUF writes them the other way round).
    pub shape: Vec<i64>,
    pub encoding: Encoding,
    /// In bytes, from the start of the file.
    start: usize,
    bytes: usize,
}

impl Gguf {
    /// Opens a file and reads its metadata.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged, or uses an encoding that is not known.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let file = File::open(path).map_err(|cause| ModelError::file("open", path, cause))?;
        // SAFETY: the mapping is only read. Should another process cut the file short meanwhile, reading
        // ends this program with a signal: unsound memory is never handed out.
        let bytes = unsafe { Mmap::map(&file) }.map_err(|cause| ModelError::file("map", path, cause))?;
        let (entries, tensors) = parse::parse(&bytes).map_err(|problem| ModelError::malformed(path, problem))?;
        Ok(Self { path: path.to_path_buf(), entries, tensors, bytes })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A metadata value, whatever its type.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(key)
    }

    /// A text.
    pub fn text(&self, key: &str) -> Result<&str, ModelError> {
        match self.get(key) {
            Some(Value::Text(text)) => Ok(text),
            other => Err(self.wrong(key, "a text", other)),
        }
    }

    /// A whole number.
    pub fn integer(&self, key: &str) -> Result<i64, ModelError> {
        let value = self.get(key);
        value.and_then(Value::as_integer).ok_or_else(|| self.wrong(key, "a whole number", value))
    }

    /// A number. A 32-bit float becomes the shortest decimal that names it: 1e-5 written as a
    /// float32 reads as 1e-5, which is what the model's author wrote, not as 9.99999974737875e-6.
    pub fn number(&self, key: &str) -> Result<f64, ModelError> {
        let value = self.get(key);
        let number = match value {
            Some(Value::Float32(number)) => number.to_string().parse().ok(),
            Some(Value::Float64(number)) => Some(*number),
            _ => None,
        };
        number.ok_or_else(|| self.wrong(key, "a number", value))
    }

    /// A list of texts.
    pub fn texts(&self, key: &str) -> Result<Vec<&str>, ModelError> {
        let value = self.get(key);
        let texts = match value {
            Some(Value::List(items)) => items.iter().map(Value::as_text).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        texts.ok_or_else(|| self.wrong(key, "a list of texts", value))
    }

    /// A list of whole numbers.
    pub fn integers(&self, key: &str) -> Result<Vec<i64>, ModelError> {
        let value = self.get(key);
        let integers = match value {
            Some(Value::List(items)) => items.iter().map(Value::as_integer).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        integers.ok_or_else(|| self.wrong(key, "a list of whole numbers", value))
    }

    /// All tensors, by name.
    pub fn tensors(&self) -> &BTreeMap<String, TensorInfo> {
        &self.tensors
    }

    /// A tensor's numbers, dequantized, in row-major order of its shape.
    pub fn read(&self, tensor: &TensorInfo) -> Vec<f32> {
        // `parse` has checked that the range lies within the file.
        dequantize::dequantize(tensor.encoding, &self.bytes[tensor.start..tensor.start + tensor.bytes])
    }

    fn wrong(&self, key: &str, expected: &str, found: Option<&Value>) -> ModelError {
        let problem = match found {
            Some(_) => format!("its entry `{key}` should be {expected}"),
            None => format!("it has no entry `{key}`"),
        };
        ModelError::malformed(&self.path, problem)
    }
}

impl Value {
    fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Unsigned(value) => i64::try_from(*value).ok(),
            Self::Signed(value) => Some(*value),
            _ => None,
        }
    }

    fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}
