//! What an episode writes down as it goes: its record, and for readers a transcript with the texts.
//!
//! The transcript costs a call of `view` for each step and holds every prompt, so only `ludus show` asks for it. It is
//! never hashed.

use crate::hash::Hash;
use crate::record::{Line, Record};

/// One entry of a transcript.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    Line(Line),
    /// The text behind the line `ask` before it.
    Prompt {
        seat: u32,
        text: String,
    },
    /// The position as an onlooker sees it.
    View(String),
}

/// A transcript leaves out further views once it holds so many bytes of them: whoever reads it is a person.
const VIEWS_BYTES_MAX: usize = 16 << 20;

/// What is to be kept of an episode besides its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Nothing,
    Prompts,
    PromptsAndViews,
}

pub(crate) struct Journal {
    record: Record,
    keep: Keep,
    prompts_bytes: usize,
    views_bytes: usize,
    views_fuel: u64,
    transcript: Vec<Entry>,
}

impl Journal {
    pub fn new(keep: Keep) -> Journal {
        Journal { record: Record::new(), keep, prompts_bytes: 0, views_bytes: 0, views_fuel: 0, transcript: Vec::new() }
    }

    pub fn line(&mut self, line: Line) {
        self.record.push(&line);
        if self.keep != Keep::Nothing {
            self.transcript.push(Entry::Line(line));
        }
    }

    /// A seat is asked: the record keeps the prompt's hash, the transcript its text.
    pub fn ask(&mut self, seat: u32, prompt: &str) {
        self.prompts_bytes += prompt.len();
        self.line(Line::Ask { seat, prompt: Hash::of(prompt.as_bytes()) });
        if self.keep != Keep::Nothing {
            self.transcript.push(Entry::Prompt { seat, text: prompt.to_string() });
        }
    }

    /// How large the episode is by now: its record and the prompts, which a transcript or a model's context holds.
    pub fn bytes(&self) -> usize {
        self.record.bytes().len() + self.prompts_bytes
    }

    /// Whether somebody wants to read views. Those that were asked for may have used so much fuel.
    pub fn wants_views(&self, fuel_max: u64) -> bool {
        let is_room = self.views_bytes <= VIEWS_BYTES_MAX && self.views_fuel <= fuel_max;
        self.keep == Keep::PromptsAndViews && is_room
    }

    /// A view, and what it used.
    pub fn view(&mut self, view: String, fuel: u64) {
        self.views_bytes += view.len();
        self.views_fuel = self.views_fuel.saturating_add(fuel);
        self.transcript.push(Entry::View(view));
    }

    pub fn into_parts(self) -> (Record, Vec<Entry>) {
        (self.record, self.transcript)
    }
}
