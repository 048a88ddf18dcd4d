//! From a raw reply to the move in it.
//!
//! What a model says is kept as it was said: the raw reply goes into the record and is what is trained on. Only the
//! extracted move goes to the game. Two formats:
//!
//! ```text
//! bare   the first line that is not blank, trimmed
//! tags   an optional <think>…</think>, then exactly one <answer>…</answer>, and nothing else
//! ```
//!
//! A reply from which no move can be taken is *malformed*; a move that the game does not take is *illegal*. They are
//! counted apart. Nothing here knows what a legal move is.

use serde::{Deserialize, Serialize};

/// How a learner's reply holds its move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplyFormat {
    /// The move alone, on the first line. Right for very small models.
    #[default]
    Bare,
    /// Thinking in tags, then the move in tags.
    Tags,
}

/// The longest move that is handed to a game, in bytes of UTF-8. No game of ours needs a fraction of it.
pub const MOVE_BYTES_MAX: usize = 16 << 10;

impl ReplyFormat {
    /// The move in `reply`.
    ///
    /// # Errors
    /// A sentence for the player where there is none.
    pub fn extract(self, reply: &str) -> Result<String, &'static str> {
        let chosen = match self {
            ReplyFormat::Bare => first_line(reply),
            ReplyFormat::Tags => tagged_answer(reply)?,
        };
        if chosen.is_empty() {
            return Err(match self {
                ReplyFormat::Bare => "Your reply was empty. Reply with your move.",
                ReplyFormat::Tags => "Your answer was empty. Put your move between <answer> and </answer>.",
            });
        }
        if chosen.len() > MOVE_BYTES_MAX {
            return Err("Your move was far too long. Reply with a short one.");
        }
        Ok(chosen.to_string())
    }

    /// A reply that holds this move and nothing else.
    pub fn reply(self, chosen: &str) -> String {
        match self {
            ReplyFormat::Bare => chosen.to_string(),
            ReplyFormat::Tags => format!("<answer>{chosen}</answer>"),
        }
    }
}

fn first_line(reply: &str) -> &str {
    reply.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("")
}

fn tagged_answer(reply: &str) -> Result<&str, &'static str> {
    let mut rest = reply.trim();
    if let Some(thinking) = rest.strip_prefix("<think>") {
        let Some((_, after)) = thinking.split_once("</think>") else {
            return Err("Your thinking did not end with </think>, so no answer was read.");
        };
        rest = after.trim();
    }
    let answer = rest
        .strip_prefix("<answer>")
        .and_then(|text| text.strip_suffix("</answer>"))
        .ok_or("Put your move between <answer> and </answer>, with nothing after it.")?;
    if answer.contains("<answer>") || answer.contains("</answer>") {
        return Err("Give exactly one <answer>.");
    }
    Ok(answer.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_reply_is_its_first_line_that_is_not_blank() {
        for (reply, chosen) in [("5", "5"), ("  b2 \n and then c3", "b2"), ("\n\n cooperate", "cooperate")] {
            assert_eq!(ReplyFormat::Bare.extract(reply).as_deref(), Ok(chosen));
        }
    }

    #[test]
    fn a_tagged_reply_is_the_text_of_its_one_answer() {
        for reply in
            ["<answer>5</answer>", " <think>hm\n</think>\n<answer> 5 </answer>\n", "<think></think><answer>5</answer>"]
        {
            assert_eq!(ReplyFormat::Tags.extract(reply).as_deref(), Ok("5"), "{reply}");
        }
    }

    #[test]
    fn the_move_of_a_reply_that_was_made_of_one_is_that_move() {
        for format in [ReplyFormat::Bare, ReplyFormat::Tags] {
            assert_eq!(format.extract(&format.reply("b2 c3")).as_deref(), Ok("b2 c3"));
        }
    }

    #[test]
    fn a_tagged_reply_without_exactly_one_answer_is_malformed() {
        let malformed = [
            "5",
            "<answer>5",
            "<answer></answer>",
            "<think>5 <answer>5</answer>",
            "<answer>5</answer><answer>6</answer>",
            "<answer>5</answer> is my move",
            "I say <answer>5</answer>",
        ];
        for reply in malformed {
            assert!(ReplyFormat::Tags.extract(reply).is_err(), "{reply}");
        }
    }

    #[test]
    fn an_empty_or_endless_reply_is_malformed() {
        assert!(ReplyFormat::Bare.extract(" \n\t ").is_err());
        assert!(ReplyFormat::Bare.extract(&"x".repeat(MOVE_BYTES_MAX + 1)).is_err());
    }
}
