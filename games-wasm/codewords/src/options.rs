//! What a recipe may choose.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub const WORDS: (u32, u32) = (6, 25);
pub const TARGETS_MAX: u32 = 9;
pub const TRAPS_MAX: u32 = 3;
pub const CLUES_MAX: u32 = 9;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How many words there are on the board, 6 to 25.
    #[schemars(range(min = WORDS.0, max = WORDS.1))]
    pub words: u32,
    /// How many of them are to be found, 1 to 9.
    #[schemars(range(min = 1, max = TARGETS_MAX))]
    pub targets: u32,
    /// How many of them lose the game, 0 to 3. At least one word is neither target nor trap.
    #[schemars(range(min = 0, max = TRAPS_MAX))]
    pub traps: u32,
    /// How many clues are given at most, 1 to 9.
    #[schemars(range(min = 1, max = CLUES_MAX))]
    pub clues: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { words: 12, targets: 5, traps: 1, clues: 3 }
    }
}

impl Options {
    /// # Errors
    /// A sentence that names the option that is out of range.
    pub fn check(&self) -> Result<(), String> {
        for (name, value, (least, most)) in [
            ("words", self.words, WORDS),
            ("targets", self.targets, (1, TARGETS_MAX)),
            ("traps", self.traps, (0, TRAPS_MAX)),
            ("clues", self.clues, (1, CLUES_MAX)),
        ] {
            if !(least..=most).contains(&value) {
                return Err(format!("`{name}` is from {least} to {most}, not {value}."));
            }
        }
        if self.targets + self.traps >= self.words {
            return Err(format!(
                "`words` of {} must be more than the {} targets and {} traps.",
                self.words, self.targets, self.traps
            ));
        }
        Ok(())
    }
}
