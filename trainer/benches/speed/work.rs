//! What the contenders do. The peers' script, scripts/bench_trainer_peers.py, has the same numbers.

/// Different prompts, one reply each.
pub const PROMPTS: usize = 16;
pub const PROMPT_TOKENS: usize = 200;
pub const REPLY_TOKENS: usize = 64;

/// A group that was dealt the same game: one opening, then turns in which replies differ.
pub const GROUP: usize = 16;
pub const TURNS: usize = 6;
pub const TURN_TOKENS: usize = 40;
pub const MOVE_TOKENS: usize = 8;

/// A step of GRPO: prompts, completions of each, and their tokens.
pub const STEP_PROMPTS: usize = 4;
pub const STEP_COMPLETIONS: usize = 8;
pub const STEP_PROMPT_TOKENS: usize = 131;
/// Tokens that go through the network at once: those of one prompt and its completions, as TRL's batch of so many rows has.
pub const STEP_PACK_TOKENS: usize = STEP_PROMPT_TOKENS + STEP_COMPLETIONS * REPLY_TOKENS;

/// An update alone, as large as the default recipe's packs may be.
pub const PACK_TOKENS: usize = 3_072;

/// An update that fills its packs with texts as long as a conversation may be: what memory is planned for.
pub const LONG_TEXTS: usize = 3;
pub const LONG_TOKENS: usize = 1_024;
/// The rank of adapters.
pub const RANK: u32 = 16;

/// Tokens of a text that means nothing: what they are makes no difference to the time.
pub fn tokens(text: usize, length: usize) -> Vec<i64> {
    (0..length).map(|place| (1_000 + (text * 7_919 + place * 104_729) % 40_000) as i64).collect()
}
