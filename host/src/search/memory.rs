//! All that a searcher knows: what its seat was told and has said.

/// The memory of one seat in one stage.
#[derive(Default)]
pub(crate) struct Memory {
    /// The game's words before each of its decisions, in order; repeated questions of the same one left out.
    pub told: Vec<String>,
    /// The moves that it made, one for each but the last of these.
    pub said: Vec<String>,
    /// What it has worked out of the moves that others made before decision `n + 1` and since decision `n`: those that
    /// alone fit what it was told then, in the order in which they were asked for; `None` where several do. The first entry
    /// is for the moves before its first decision.
    pub worked_out: Vec<Option<Vec<String>>>,
    /// Whether no world was found once. What was too unlikely then does not become likelier, so none is looked for again.
    pub gave_up: bool,
}

impl Memory {
    /// The game asks for a decision.
    pub fn is_told(&mut self, prompt: &str) {
        self.told.push(prompt.to_string());
    }

    /// The game has taken its move.
    pub fn has_said(&mut self, text: &str) {
        self.said.push(text.to_string());
    }
}
