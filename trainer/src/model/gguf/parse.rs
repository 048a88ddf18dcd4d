//! From a GGUF file's bytes to its metadata and the places of its tensors.
//!
//! Errors are sentences without the file's name, which `Gguf::open` puts before them.

use std::collections::BTreeMap;

use super::dequantize::Encoding;
use super::{TensorInfo, Value};

/// Lists may hold lists; no writer nests deeper than once.
const NESTING_MAX: u32 = 3;
const DIMENSIONS_MAX: u32 = 4;
const ALIGNMENT_STANDARD: u64 = 32;

pub(super) type Contents = (BTreeMap<String, Value>, BTreeMap<String, TensorInfo>);

pub(super) fn parse(bytes: &[u8]) -> Result<Contents, String> {
    let mut cursor = Cursor { bytes, position: 0 };
    if cursor.take(4) != Ok(b"GGUF".as_slice()) {
        return Err("it is not a GGUF file".to_owned());
    }
    let version = cursor.u32()?;
    if !(2..=3).contains(&version) {
        return Err(format!("its GGUF version is {version}, but Ludus knows 2 and 3"));
    }
    let tensor_count = cursor.u64()?;
    let entry_count = cursor.u64()?;

    let mut entries = BTreeMap::new();
    for _ in 0..entry_count {
        let key = cursor.text()?;
        let kind = cursor.u32()?;
        let value = cursor.value(kind, 0)?;
        entries.insert(key, value);
    }

    let mut found = Vec::new();
    for _ in 0..tensor_count {
        found.push(cursor.tensor()?);
    }

    let alignment = match entries.get("general.alignment") {
        None => ALIGNMENT_STANDARD,
        Some(Value::Unsigned(alignment)) if alignment.is_power_of_two() && *alignment <= 1 << 20 => *alignment,
        Some(_) => return Err("its entry `general.alignment` is not a small power of two".to_owned()),
    };
    let data_start = (cursor.position as u64).next_multiple_of(alignment);
    let mut tensors = BTreeMap::new();
    for (name, shape, encoding, offset) in found {
        let tensor = place(&shape, encoding, data_start, offset, bytes.len()).ok_or_else(|| {
            format!("its tensor `{name}` does not fit into the file, which seems cut short or damaged")
        })?;
        if tensors.insert(name.clone(), tensor).is_some() {
            return Err(format!("its tensor `{name}` is there twice"));
        }
    }
    Ok((entries, tensors))
}

/// The tensor's place, if it lies in the file and its rows are whole blocks.
fn place(shape: &[i64], encoding: Encoding, data_start: u64, offset: u64, file_bytes: usize) -> Option<TensorInfo> {
    let values = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(usize::try_from(size).ok()?))?;
    let row = usize::try_from(*shape.last()?).ok()?;
    if row % encoding.block_values() != 0 {
        return None;
    }
    let bytes = (values / encoding.block_values()).checked_mul(encoding.block_bytes())?;
    let start = usize::try_from(data_start.checked_add(offset)?).ok()?;
    (start.checked_add(bytes)? <= file_bytes).then(|| TensorInfo { shape: shape.to_vec(), encoding, start, bytes })
}

struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.position.checked_add(count).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or_else(|| "it ends in the middle of its metadata".to_owned())?;
        let taken = &self.bytes[self.position..end];
        self.position = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Result<String, String> {
        let length = usize::try_from(self.u64()?).unwrap_or(usize::MAX);
        let bytes = self.take(length)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| "one of its texts is not UTF-8".to_owned())
    }

    fn value(&mut self, kind: u32, depth: u32) -> Result<Value, String> {
        Ok(match kind {
            0 => Value::Unsigned(u64::from(u8::from_le_bytes(self.array()?))),
            1 => Value::Signed(i64::from(i8::from_le_bytes(self.array()?))),
            2 => Value::Unsigned(u64::from(u16::from_le_bytes(self.array()?))),
            3 => Value::Signed(i64::from(i16::from_le_bytes(self.array()?))),
            4 => Value::Unsigned(u64::from(self.u32()?)),
            5 => Value::Signed(i64::from(i32::from_le_bytes(self.array()?))),
            6 => Value::Float32(f32::from_le_bytes(self.array()?)),
            7 => Value::Bool(self.array::<1>()? != [0]),
            8 => Value::Text(self.text()?),
            9 => self.list(depth)?,
            10 => Value::Unsigned(self.u64()?),
            11 => Value::Signed(i64::from_le_bytes(self.array()?)),
            12 => Value::Float64(f64::from_le_bytes(self.array()?)),
            other => return Err(format!("one of its entries has the unknown type {other}")),
        })
    }

    fn list(&mut self, depth: u32) -> Result<Value, String> {
        if depth == NESTING_MAX {
            return Err("its lists are nested too deeply".to_owned());
        }
        let kind = self.u32()?;
        let count = self.u64()?;
        // Each item takes at least a byte of the file, so a false count runs into its end: no
        // room is set aside on the count's word.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.value(kind, depth + 1)?);
        }
        Ok(Value::List(items))
    }

    fn tensor(&mut self) -> Result<(String, Vec<i64>, Encoding, u64), String> {
        let name = self.text()?;
        let dimensions = self.u32()?;
        if !(1..=DIMENSIONS_MAX).contains(&dimensions) {
            return Err(format!("its tensor `{name}` has {dimensions} dimensions"));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            let size = i64::try_from(self.u64()?).map_err(|_| format!("its tensor `{name}` is too large"))?;
            shape.push(size);
        }
        shape.reverse();
        let code = self.u32()?;
        let encoding = Encoding::from_code(code).ok_or_else(|| {
            format!(
                "its tensor `{name}` has encoding {code}, but Ludus knows F32, F16, BF16, Q4_0, Q4_1, Q8_0, Q4_K, Q5_K and Q6_K"
            )
        })?;
        Ok((name, shape, encoding, self.u64()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
    }

    /// One entry, one tensor `t` of two rows of two float32.
    fn sample() -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(3u32.to_le_bytes());
        file.extend(1u64.to_le_bytes());
        file.extend(2u64.to_le_bytes());
        file.extend(text("name"));
        file.extend(8u32.to_le_bytes());
        file.extend(text("a model"));
        file.extend(text("list"));
        file.extend(9u32.to_le_bytes());
        file.extend(5u32.to_le_bytes());
        file.extend(2u64.to_le_bytes());
        file.extend((-1i32).to_le_bytes());
        file.extend(7i32.to_le_bytes());
        file.extend(text("t"));
        file.extend(2u32.to_le_bytes());
        file.extend(3u64.to_le_bytes());
        file.extend(2u64.to_le_bytes());
        file.extend(0u32.to_le_bytes());
        file.extend(0u64.to_le_bytes());
        file.resize(file.len().next_multiple_of(32), 0);
        file.extend([0; 24]);
        file
    }

    #[test]
    fn entries_and_tensors_are_found() {
        let (entries, tensors) = parse(&sample()).unwrap();
        assert_eq!(entries["name"], Value::Text("a model".to_owned()));
        assert_eq!(entries["list"], Value::List(vec![Value::Signed(-1), Value::Signed(7)]));
        // Three numbers a row, two rows: the file has the fastest dimension first.
        assert_eq!(tensors["t"].shape, [2, 3]);
        assert_eq!(tensors["t"].start % 32, 0);
        assert_eq!(tensors["t"].start + tensors["t"].bytes, sample().len());
    }

    #[test]
    fn a_file_cut_short_anywhere_is_an_error() {
        let file = sample();
        for length in 0..file.len() {
            assert!(parse(&file[..length]).is_err(), "the first {length} of {} bytes", file.len());
        }
    }

    #[test]
    fn no_single_changed_byte_makes_the_reader_panic() {
        let file = sample();
        for position in 0..file.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = file.clone();
                changed[position] = value;
                let _ = parse(&changed);
            }
        }
    }

    #[test]
    fn lists_nested_without_end_are_refused() {
        let mut file = b"GGUF".to_vec();
        file.extend(3u32.to_le_bytes());
        file.extend(0u64.to_le_bytes());
        file.extend(1u64.to_le_bytes());
        file.extend(text("deep"));
        file.extend(9u32.to_le_bytes());
        for _ in 0..100_000 {
            file.extend(9u32.to_le_bytes());
            file.extend(1u64.to_le_bytes());
        }
        assert!(parse(&file).unwrap_err().contains("nested"));
    }
}
