//! Event files that TensorBoard reads, written by hand: scalars need little of either format.
//!
//! A file is a row of TFRecords, each
//!
//! ```text
//! length u64 | masked crc of length u32 | bytes | masked crc of bytes u32            all little-endian
//! masked(crc) = rotate_right(crc, 15) + 0xa282ead8                                   crc is CRC-32C (Castagnoli)
//! ```
//!
//! whose bytes are a protobuf `Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary
//! = 5; }` with `Summary { repeated Value value = 1; }` and `Value { string tag = 1; float simple_value = 2; }`.
//!
//! When a run is resumed, the events after the resumed step are cut off. A record that a killed run left half-written is
//! cut off with them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// TensorBoard shows every file whose name holds `tfevents`.
pub const FILE_NAME: &str = "events.out.tfevents.ludus";

/// An event file that is being written.
pub struct EventFile {
    file: File,
}

impl EventFile {
    /// Goes on with the file at `path` from after step `kept`, or starts it.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn open(path: &Path, kept: u64, wall_time: f64) -> io::Result<EventFile> {
        let old = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let length = kept_length(&old, kept);
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_len(length as u64)?;
        let mut events = EventFile { file };
        if length == 0 {
            // TensorBoard wants the version of the format in the first event.
            let mut event = event(wall_time, 0);
            bytes_field(&mut event, 3, b"brain.Event:2");
            events.file.write_all(&framed(&event))?;
        }
        Ok(events)
    }

    /// Appends scalars of one step. Values that are not finite are left out, since TensorBoard cannot draw them.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn scalars(&mut self, wall_time: f64, step: u64, scalars: &[(String, f64)]) -> io::Result<()> {
        let mut summary = Vec::new();
        for (tag, value) in scalars.iter().filter(|(_, value)| value.is_finite()) {
            let mut entry = Vec::new();
            bytes_field(&mut entry, 1, tag.as_bytes());
            // Field 2, four bytes.
            entry.push(2 << 3 | 5);
            entry.extend((*value as f32).to_le_bytes());
            bytes_field(&mut summary, 1, &entry);
        }
        let mut event = event(wall_time, step);
        bytes_field(&mut event, 5, &summary);
        self.file.write_all(&framed(&event))?;
        self.file.flush()
    }
}

/// An event with its time and step; both are always written first, so that they stand in fixed places.
fn event(wall_time: f64, step: u64) -> Vec<u8> {
    // Field 1, eight bytes.
    let mut bytes = vec![1 << 3 | 1];
    bytes.extend(wall_time.to_le_bytes());
    // Field 2, a varint.
    bytes.push(2 << 3);
    varint(&mut bytes, step);
    bytes
}

/// The step of an event that [`event`] began.
fn step_of(event: &[u8]) -> Option<u64> {
    let mut step = 0_u64;
    for (index, byte) in event.get(10..)?.iter().take(10).enumerate() {
        step |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(step);
        }
    }
    None
}

/// A field of bytes with their length: strings and messages alike.
fn bytes_field(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    message.push(field << 3 | 2);
    varint(message, bytes.len() as u64);
    message.extend(bytes);
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    let mut record = length.to_vec();
    record.extend(masked(crc32c(&length)).to_le_bytes());
    record.extend(bytes);
    record.extend(masked(crc32c(bytes)).to_le_bytes());
    record
}

/// How much of a file of whole records is from steps up to `step`.
fn kept_length(file: &[u8], step: u64) -> usize {
    let mut kept = 0;
    while let Some((event, end)) = record_at(file, kept) {
        if step_of(event).is_none_or(|found| found > step) {
            break;
        }
        kept = end;
    }
    kept
}

/// The bytes of the record that begins at `start` and the place after it, where it is whole.
fn record_at(file: &[u8], start: usize) -> Option<(&[u8], usize)> {
    let number = |place: usize| -> Option<u32> {
        let bytes = file.get(place..place.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    let length = file.get(start..start.checked_add(8)?)?;
    let first = start + 12;
    let end = first.checked_add(usize::try_from(u64::from_le_bytes(length.try_into().ok()?)).ok()?)?;
    let bytes = file.get(first..end)?;
    let is_whole = number(start + 8)? == masked(crc32c(length)) && number(end)? == masked(crc32c(bytes));
    is_whole.then_some((bytes, end + 4))
}

fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C: polynomial 0x1edc6f41, reflected.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = crc32c_table();
    let step = |crc: u32, byte: &u8| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    !bytes.iter().fold(!0, step)
}

const fn crc32c_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, appendix B.4, and the check value of the CRC catalogue.
    #[test]
    fn crc32c_has_the_published_values() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&ascending), 0x46dd_794e);
    }

    #[test]
    fn the_first_record_is_the_versions_event() {
        let mut bytes = event(0.0, 0);
        bytes_field(&mut bytes, 3, b"brain.Event:2");
        let record = framed(&bytes);
        assert_eq!(record[..8], 26_u64.to_le_bytes());
        assert_eq!(record.len(), 8 + 4 + 26 + 4);
        assert_eq!(record_at(&record, 0).map(|(bytes, end)| (bytes.len(), end)), Some((26, record.len())));
    }

    #[test]
    fn a_resumed_file_holds_no_event_after_the_resumed_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let scalar = |value: f64| [("return".to_owned(), value)];
        let mut events = EventFile::open(&path, 0, 1.0).unwrap();
        for step in 1..=300 {
            events.scalars(2.0, step, &scalar(step as f64)).unwrap();
        }
        let whole = fs::read(&path).unwrap();
        // A killed run's half record must not stay either.
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let mut events = EventFile::open(&path, 200, 1.0).unwrap();
        for step in 201..=300 {
            events.scalars(2.0, step, &scalar(step as f64)).unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), whole);
        // Step 0 keeps what was evaluated before the first step, here only the version.
        EventFile::open(&path, 0, 1.0).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole[..42]);
    }

    #[test]
    fn a_damaged_record_ends_what_is_kept() {
        let mut file = framed(&event(0.0, 1));
        let first = file.len();
        file.extend(framed(&event(0.0, 2)));
        file[first + 12] ^= 1;
        assert_eq!(kept_length(&file, 10), first);
    }

    #[test]
    fn values_that_are_not_finite_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let mut events = EventFile::open(&path, 0, 0.0).unwrap();
        let before = fs::metadata(&path).unwrap().len();
        events.scalars(0.0, 1, &[("kl".to_owned(), f64::NAN)]).unwrap();
        // Header and checksums (16), time (9), step (2) and an empty summary (2).
        assert_eq!(fs::metadata(&path).unwrap().len() - before, 29);
    }
}
