//! What a guest prints: the end of it is kept, for the people who read of its fault.

use std::collections::VecDeque;

/// So much of a stream is kept.
const BYTES_KEPT: usize = 4 << 10;

/// The end of one output stream.
#[derive(Debug, Default)]
pub struct Output {
    kept: VecDeque<u8>,
    cut: bool,
}

impl Output {
    pub fn write(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(BYTES_KEPT)..];
        self.kept.extend(bytes);
        let over = self.kept.len().saturating_sub(BYTES_KEPT);
        self.cut |= over > 0;
        self.kept.drain(..over);
    }

    /// As text; none where nothing was printed.
    pub fn shown(&self) -> Option<String> {
        let (first, second) = self.kept.as_slices();
        let text = String::from_utf8_lossy(&[first, second].concat()).trim_end().to_string();
        let mark = if self.cut { "…" } else { "" };
        (!text.is_empty()).then(|| format!("{mark}{text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_what_was_printed_is_kept() {
        let mut output = Output::default();
        assert_eq!(output.shown(), None);
        output.write(b"begin ");
        output.write("x".repeat(2 * BYTES_KEPT).as_bytes());
        output.write(b"end\n");
        let shown = output.shown().unwrap();
        assert!(shown.starts_with("…x") && shown.ends_with("xend") && shown.len() < BYTES_KEPT + 8, "{}", shown.len());
    }
}
