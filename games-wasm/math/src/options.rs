//! What a recipe may choose, and what it comes to: where the episode's problem is drawn from.

use ludus_game::Random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::{Kind, LEVELS, Problem};

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The easiest and the hardest level of generated problems, 1 to 5. A level is drawn first, then one of its kinds.
    pub levels: [u8; 2],
    /// The kinds of generated problems; all where it is empty.
    pub kinds: Vec<Kind>,
    /// Problems with their answers, in place of generated ones; one is drawn.
    pub items: Vec<Problem>,
}

impl Default for Options {
    fn default() -> Self {
        Self { levels: [*LEVELS.start(), *LEVELS.end()], kinds: Vec::new(), items: Vec::new() }
    }
}

/// Where a problem comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Generated { kind: Kind, level: u8 },
    Item,
}

impl Options {
    /// Draws the episode's problem.
    ///
    /// # Errors
    /// A sentence that names the option that leaves nothing to draw from.
    pub fn draw(mut self, random: &mut Random) -> Result<(Problem, Origin), String> {
        if !self.items.is_empty() {
            let item = self.items.swap_remove(random.below(self.items.len() as u32) as usize);
            let whole = !item.text.trim().is_empty() && !item.answer.trim().is_empty();
            return if whole {
                Ok((item, Origin::Item))
            } else {
                Err("`items` holds an empty problem or answer; fill it in or leave it out.".to_owned())
            };
        }
        let [easiest, hardest] = self.levels;
        if !LEVELS.contains(&easiest) || !LEVELS.contains(&hardest) || easiest > hardest {
            return Err(format!("`levels` is the easiest and the hardest of 1 to 5, not [{easiest}, {hardest}]."));
        }
        let kinds = if self.kinds.is_empty() { &Kind::ALL[..] } else { &self.kinds };
        let of_level =
            |level: u8| kinds.iter().copied().filter(|kind| kind.levels().contains(&level)).collect::<Vec<_>>();
        let levels: Vec<u8> = (easiest..=hardest).filter(|&level| !of_level(level).is_empty()).collect();
        if levels.is_empty() {
            return Err(format!("None of `kinds` has problems of the levels {easiest} to {hardest}; take others."));
        }
        let level = *random.pick(&levels);
        let kind = *random.pick(&of_level(level));
        Ok((kind.problem(level, random), Origin::Generated { kind, level }))
    }
}
