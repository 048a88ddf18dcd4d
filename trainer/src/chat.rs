//! Conversations as token ids.
//!
//! The trainer must update on exactly the tokens that were sampled, so a conversation is never
//! rendered and tokenized again as it grows. It is a sum of three kinds of pieces:
//!
//! ```text
//! opening                      sampled   next_turn                          sampled   next_turn …
//! system, examples, user,      reply     end of turn, user, generation      reply
//! generation prompt, prefix              prompt, prefix
//! ```
//!
//! What stands between two replies is read off the template itself: a dummy conversation is
//! rendered with a sentinel as its reply, and everything after the sentinel is the piece. For
//! replies that survive decoding and encoding, the sum is what the template makes of the whole.
//! A template that writes earlier turns otherwise once a conversation goes on is refused.
//!
//! Two things a model's template may do to earlier replies are not done, since they would take back
//! what was sampled: trimming them, and leaving out what was thought (Qwen3). What the template
//! begins a reply with (`<think>`) stays in front of it too. To have Qwen3 answer without thinking,
//! begin its replies with the empty thought, `<think>\n\n</think>\n\n`, as its own setting does.
//!
//! Texts that reach `opening` and `next_turn` come from games, and through games from models. A
//! special token's text in them is broken up, so nothing that a model writes can end a turn.

mod python_json;
pub mod template;

use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use ludus_host::regular_file;
use serde::Deserialize;
use tokenizers::Tokenizer;

use crate::model::config::Ids;
use template::{Message, Template};

/// Stands for a reply while a template is probed. From a private-use range: no text has it.
const SENTINEL: &str = "\u{f1d0}reply\u{f1d1}";

/// A model's tokenizer and the way it wants conversations written.
pub struct Chat {
    tokenizer: Tokenizer,
    template: Template,
    /// Special tokens' texts.
    special: Vec<String>,
    end_of_turn: Option<i64>,
    end_ids: Vec<i64>,
}

/// Why a conversation cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    #[error("{}: {problem}", path.display())]
    File { path: PathBuf, problem: String },
    #[error("the chat template fails: {0}")]
    Template(String),
    #[error("the tokenizer fails: {0}")]
    Tokenizer(String),
}

impl Chat {
    /// Opens the tokenizer and the chat template in a model's folder.
    ///
    /// # Errors
    /// A file is missing or damaged, or the template cannot write a conversation turn by turn.
    pub fn open(dir: &Path) -> Result<Self, ChatError> {
        let path = dir.join("tokenizer.json");
        let opened =
            guarded(|| Tokenizer::from_file(&path)).and_then(|opened| opened.map_err(|error| error.to_string()));
        let mut tokenizer = opened.map_err(|problem| ChatError::File { path: path.clone(), problem })?;
        // A conversation is read whole and by itself, whatever the tokenizer was saved with.
        tokenizer.with_padding(None);
        let _ = tokenizer.with_truncation(None);
        check_vocabulary(&tokenizer, dir).map_err(|problem| ChatError::File { path, problem })?;
        let mut chat = Self {
            special: special_texts(&tokenizer),
            tokenizer,
            template: Template::open(dir)?,
            end_of_turn: None,
            end_ids: Vec::new(),
        };

        let first = chat.after_reply("x")?.first().copied();
        chat.check_turns()?;
        chat.end_of_turn = first.filter(|&id| chat.is_special(id));
        chat.end_ids = eos_ids(dir)?;
        chat.end_ids
            .extend(chat.template.eos_token().and_then(|token| chat.tokenizer.token_to_id(token)).map(i64::from));
        chat.end_ids.extend(chat.end_of_turn);
        chat.end_ids.sort_unstable();
        chat.end_ids.dedup();
        Ok(chat)
    }

    /// The prompt of a conversation's first reply: system text, solved examples as earlier turns
    /// (user, assistant), the first user text, and the assistant's reply begun with `reply_prefix`.
    ///
    /// Without a system text the template puts its own, if it has one.
    pub fn opening(
        &self,
        system: Option<&str>,
        examples: &[(String, String)],
        first_user: &str,
        reply_prefix: &str,
    ) -> Result<Vec<i64>, ChatError> {
        self.encode(&(self.opening_text(system, examples, first_user)? + reply_prefix))
    }

    /// The text of an [`Chat::opening`] without what its reply begins with.
    pub fn opening_text(
        &self,
        system: Option<&str>,
        examples: &[(String, String)],
        first_user: &str,
    ) -> Result<String, ChatError> {
        let mut messages: Vec<Message> =
            system.map(|text| Message::new("system", self.defused(text))).into_iter().collect();
        for (user, assistant) in examples {
            messages.push(Message::new("user", self.defused(user)));
            messages.push(Message::new("assistant", self.defused(assistant)));
        }
        messages.push(Message::new("user", self.defused(first_user)));
        self.template.render(&messages, true)
    }

    /// What stands between a sampled reply and the next one: the end of the turn, the user's text,
    /// and the assistant's reply begun with `reply_prefix`.
    ///
    /// `ended`: the reply's last token was [`Chat::end_of_turn`], which is then not repeated. For a
    /// reply that was cut off, or that ended with another of the `end_ids`, it is `false`.
    pub fn next_turn(&self, ended: bool, user: &str, reply_prefix: &str) -> Result<Vec<i64>, ChatError> {
        let mut ids = self.after_reply_with(user, reply_prefix)?;
        if ended && self.end_of_turn.is_some() {
            // `open` has seen that the piece begins with this token.
            ids.remove(0);
        }
        Ok(ids)
    }

    /// The text of a reply, without special tokens.
    pub fn decode(&self, ids: &[i64]) -> String {
        self.decode_with(ids, true)
    }

    /// The text of any tokens, special tokens included: for people who read what a model was shown.
    pub fn decode_all(&self, ids: &[i64]) -> String {
        self.decode_with(ids, false)
    }

    /// The texts of tokens that follow each other, special tokens included, each with the number of tokens that it is of:
    /// one, or as many as share a character.
    pub fn pieces(&self, ids: &[i64]) -> Vec<(String, usize)> {
        let (mut pieces, mut before, mut start) = (Vec::new(), 0, 0);
        while start < ids.len() {
            let text = |length: usize| self.text_after(&ids[before..start + length], start - before);
            let mut piece = (text(1), 1);
            if piece.0.ends_with(char::REPLACEMENT_CHARACTER) {
                // A character has at most four bytes. What is none after four tokens is no character that was split.
                let mut longer = (2..=(ids.len() - start).min(4)).map(|length| (text(length), length));
                piece = longer.find(|(text, _)| !text.contains(char::REPLACEMENT_CHARACTER)).unwrap_or(piece);
            }
            (before, start) = (start, start + piece.1);
            pieces.push(piece);
        }
        pieces
    }

    /// The tokens of a plain text. Special tokens' texts become special tokens.
    pub fn encode(&self, text: &str) -> Result<Vec<i64>, ChatError> {
        let encoded = guarded(|| self.tokenizer.encode_fast(text, false)).map_err(ChatError::Tokenizer)?;
        let encoding = encoded.map_err(|error| ChatError::Tokenizer(error.to_string()))?;
        Ok(encoding.get_ids().iter().map(|&id| i64::from(id)).collect())
    }

    /// Whether sampling stops at this token.
    pub fn is_end(&self, id: i64) -> bool {
        self.end_ids.contains(&id)
    }

    /// The tokens that end a reply: the model's end-of-text tokens and the end of a turn, ascending.
    pub fn end_ids(&self) -> &[i64] {
        &self.end_ids
    }

    /// The token with which the template ends an assistant's turn, if it is a single one.
    pub fn end_of_turn(&self) -> Option<i64> {
        self.end_of_turn
    }

    /// The text with every special token's text broken up by a space.
    fn defused(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for token in &self.special {
            if text.contains(token) {
                let (first, rest) = token.split_at(token.chars().next().map_or(0, char::len_utf8));
                text = text.replace(token, &format!("{first} {rest}"));
            }
        }
        text
    }

    fn decode_with(&self, ids: &[i64], skip_special: bool) -> String {
        let ids: Vec<u32> = ids.iter().filter_map(|&id| u32::try_from(id).ok()).collect();
        // Ids outside the vocabulary are passed over, and byte-level decoding takes any bytes: there
        // is nothing left that could fail.
        self.tokenizer.decode(&ids, skip_special).unwrap_or_default()
    }

    /// The text of tokens, less that of the first few of them: a tokenizer may leave out a space where a text begins.
    fn text_after(&self, ids: &[i64], few: usize) -> String {
        let (whole, beginning) = (self.decode_all(ids), self.decode_all(&ids[..few]));
        whole.strip_prefix(&beginning).map_or_else(|| self.decode_all(&ids[few..]), str::to_owned)
    }

    fn after_reply(&self, user: &str) -> Result<Vec<i64>, ChatError> {
        self.after_reply_with(user, "")
    }

    fn after_reply_with(&self, user: &str, reply_prefix: &str) -> Result<Vec<i64>, ChatError> {
        self.encode(&(self.text_after_reply(user)? + reply_prefix))
    }

    fn text_after_reply(&self, user: &str) -> Result<String, ChatError> {
        let messages = [
            Message::new("user", "x".to_owned()),
            Message::new("assistant", SENTINEL.to_owned()),
            Message::new("user", self.defused(user)),
        ];
        let text = self.template.render(&messages, true)?;
        let (_, after) = text.split_once(SENTINEL).ok_or_else(|| {
            ChatError::Template("it leaves the assistant's earlier reply out of a conversation".to_owned())
        })?;
        Ok(after.to_owned())
    }

    /// Sees to it that the pieces of a conversation add up to what the template makes of the whole, with and without a system
    /// text (a template that takes none refuses it by itself, when it is asked).
    fn check_turns(&self) -> Result<(), ChatError> {
        let after = |user: &str| self.text_after_reply(user);
        for system in [None, Some("s")] {
            let render = |turns: &[(&'static str, &str)]| {
                let system = system.map(|text| ("system", text));
                let messages = system.iter().chain(turns).map(|&(role, text)| Message::new(role, text.to_owned()));
                self.template.render(&messages.collect::<Vec<_>>(), true)
            };
            let (user, reply) = (|text| ("user", text), ("assistant", SENTINEL));
            let opening = match render(&[user("x")]) {
                Err(_) if system.is_some() => continue,
                opening => opening?,
            };
            let whole = render(&[user("x"), reply, user("y"), reply, user("z")])?;
            let begun = match whole.split_once(SENTINEL) {
                Some((before, _)) => opening.strip_prefix(before),
                None => None,
            };
            // What a reply begins with stands before the last one only.
            let pieces = begun.and_then(|begun| {
                let (opening, next) = (opening.strip_suffix(begun)?, after("y").ok()?);
                Some([opening, SENTINEL, next.strip_suffix(begun)?, SENTINEL, &after("z").ok()?].concat())
            });
            if pieces != Some(whole) {
                return Err(ChatError::Template(
                    "it writes earlier turns otherwise once a conversation goes on, so that one cannot go on turn by turn".to_owned(),
                ));
            }
        }
        Ok(())
    }

    fn is_special(&self, id: i64) -> bool {
        let text = u32::try_from(id).ok().and_then(|id| self.tokenizer.id_to_token(id));
        text.is_some_and(|text| self.special.contains(&text))
    }
}

/// What a tokenizer does, whose library panics at some files that it took.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| "tokenizer.json is damaged: fetch the model again".to_owned())
}

/// Sees to it that the network has a row for every token that a text can become.
fn check_vocabulary(tokenizer: &Tokenizer, dir: &Path) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Config {
        vocab_size: u64,
    }

    // What is no model's folder has a tokenizer all the same.
    let config = regular_file::read(&dir.join("config.json"), u64::MAX).ok();
    let config: Option<Config> = config.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let vocabulary = tokenizer.get_vocab(true);
    let largest = vocabulary.iter().max_by_key(|&(text, &id)| (id, text.as_str()));
    match (config, largest) {
        (Some(Config { vocab_size }), Some((text, &id))) if u64::from(id) >= vocab_size => Err(format!(
            "it has the token `{text}` as number {id}, but the network has {vocab_size} tokens, numbered from 0: take the \
             token out, or give the network a row for it"
        )),
        _ => Ok(()),
    }
}

fn special_texts(tokenizer: &Tokenizer) -> Vec<String> {
    let mut special: Vec<String> = tokenizer
        .get_added_tokens_decoder()
        .into_iter()
        .filter(|(_, token)| token.special && !token.content.is_empty())
        .map(|(_, token)| token.content)
        .collect();
    special.sort_unstable();
    special
}

/// The end-of-text tokens that the model's configs name.
///
/// # Errors
/// A config is damaged.
pub fn eos_ids(dir: &Path) -> Result<Vec<i64>, ChatError> {
    #[derive(Deserialize)]
    struct Eos {
        eos_token_id: Option<Ids>,
    }

    let mut ids = Vec::new();
    for path in [dir.join("config.json"), dir.join("generation_config.json")].into_iter().filter(|path| path.is_file())
    {
        let parsed = regular_file::read_text(&path, u64::MAX).map_err(|error| error.to_string());
        let parsed = parsed.and_then(|text| serde_json::from_str::<Eos>(&text).map_err(|error| error.to_string()));
        let eos = parsed.map_err(|problem| ChatError::File { path, problem })?;
        ids.extend(eos.eos_token_id.map(Vec::from).unwrap_or_default());
    }
    Ok(ids)
}
