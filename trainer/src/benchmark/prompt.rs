//! From items to the tokens that a model reads.
//!
//! Plain text is the introduction, each example with its solution, and the question:
//!
//! ```text
//! introduction  (question " " solution "\n\n")*  question        and behind it " " choice
//! ```
//!
//! In a chat the introduction is the system's text, examples are turns, and the choice stands where the reply begins.

use std::path::Path;

use tokenizers::Tokenizer;

use super::error::BenchmarkError;
use super::item::Item;
use crate::chat::{self, Chat, ChatError};

/// A model's tokenizer, and how it is asked.
pub struct Prompter {
    tokenizer: Tokenizer,
    /// There where questions go through the model's chat template.
    chat: Option<Chat>,
    end_ids: Vec<i64>,
}

/// A text whose last tokens are scored.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    pub tokens: Vec<i64>,
    pub scored: usize,
}

impl Prompter {
    /// Opens the tokenizer in a model's folder; `with_chat`, its chat template too.
    ///
    /// # Errors
    /// A file is missing or damaged.
    pub fn open(folder: &Path, with_chat: bool) -> Result<Prompter, BenchmarkError> {
        let path = folder.join("tokenizer.json");
        let tokenizer = Tokenizer::from_file(&path).map_err(|error| BenchmarkError::malformed(&path, error))?;
        let chat = if with_chat { Some(Chat::open(folder)?) } else { None };
        let end_ids = match &chat {
            Some(chat) => chat.end_ids().to_vec(),
            None => chat::eos_ids(folder)?,
        };
        Ok(Prompter { tokenizer, chat, end_ids })
    }

    /// The tokens that end a reply.
    pub fn end_ids(&self) -> &[i64] {
        &self.end_ids
    }

    /// What a model reads before it replies.
    ///
    /// # Errors
    /// Where the chat template or the tokenizer fails.
    pub fn text(&self, item: &Item, examples: &[&Item]) -> Result<String, BenchmarkError> {
        let Some(chat) = &self.chat else {
            let solved: String =
                examples.iter().map(|example| format!("{} {}\n\n", example.question, example.solution)).collect();
            return Ok(format!("{}{solved}{}", item.introduction, item.question));
        };
        let turns: Vec<(String, String)> =
            examples.iter().map(|example| (example.question.clone(), example.solution.clone())).collect();
        let system = Some(item.introduction.as_str()).filter(|text| !text.is_empty());
        Ok(chat.opening_text(system, &turns, &item.question)?)
    }

    /// The tokens of a text that stands alone: a plain one with what the tokenizer puts around texts, such as Llama's begin of
    /// text; a chat has it already.
    ///
    /// # Errors
    /// Where the tokenizer fails.
    pub fn tokens(&self, text: &str) -> Result<Vec<i64>, BenchmarkError> {
        let encoding = self.tokenizer.encode_fast(text, self.chat.is_none());
        let encoding = encoding.map_err(|error| ChatError::Tokenizer(error.to_string()))?;
        Ok(encoding.get_ids().iter().map(|&id| i64::from(id)).collect())
    }

    /// A choice behind a prompt. White space at the prompt's end counts to the choice, and both are cut into tokens together:
    /// what a choice's first token is depends on what stands before it.
    ///
    /// # Errors
    /// Where the tokenizer fails.
    pub fn choice(&self, prompt: &str, choice: &str) -> Result<Scored, BenchmarkError> {
        let whole = format!("{prompt}{}{choice}", if self.chat.is_some() { "" } else { " " });
        let before = self.tokens(prompt.trim_end())?.len();
        let tokens = self.tokens(&whole)?;
        Ok(Scored { scored: tokens.len().saturating_sub(before), tokens })
    }

    /// The text of a reply, without special tokens.
    pub fn decode(&self, tokens: &[i64]) -> String {
        self.decode_with(tokens, true)
    }

    /// The text of any tokens, special tokens included.
    pub fn decode_all(&self, tokens: &[i64]) -> String {
        self.decode_with(tokens, false)
    }

    fn decode_with(&self, tokens: &[i64], skip_special: bool) -> String {
        let tokens: Vec<u32> = tokens.iter().filter_map(|&token| u32::try_from(token).ok()).collect();
        // As in `Chat`: there is nothing that could fail.
        self.tokenizer.decode(&tokens, skip_special).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::*;

    /// A tiny Llama's tokenizer that begins every text with the begin of text, as Llama's own does.
    fn prompter(with_chat: bool) -> Prompter {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/families/llama3");
        let folder = tempfile::tempdir().unwrap();
        for name in ["config.json", "generation_config.json", "tokenizer_config.json", "chat_template.jinja"] {
            fs::copy(source.join(name), folder.path().join(name)).unwrap();
        }
        let mut tokenizer: Value = serde_json::from_slice(&fs::read(source.join("tokenizer.json")).unwrap()).unwrap();
        const BEGIN: &str = "<|begin_of_text|>";
        let processor = &mut tokenizer["post_processor"];
        processor["single"].as_array_mut().unwrap().insert(0, json!({"SpecialToken": {"id": BEGIN, "type_id": 0}}));
        processor["special_tokens"] = json!({BEGIN: {"id": BEGIN, "ids": [0], "tokens": [BEGIN]}});
        fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
        Prompter::open(folder.path(), with_chat).unwrap()
    }

    fn item(question: &str, solution: &str) -> Item {
        let gold = crate::benchmark::item::Gold::Letter("A".to_owned());
        let [id, subject, introduction] = ["1", "", "Answer.\n"].map(str::to_owned);
        Item { id, subject, introduction, question: question.to_owned(), solution: solution.to_owned(), gold }
    }

    #[test]
    fn a_text_begins_once_in_plain_words_and_in_a_chat() {
        for with_chat in [false, true] {
            let prompter = prompter(with_chat);
            let text = prompter.text(&item("Q: 1?\nA:", "one"), &[&item("Q: 2?\nA:", "two")]).unwrap();
            let tokens = prompter.tokens(&text).unwrap();
            assert_eq!(tokens[0], 0);
            assert!(!tokens[1..].contains(&0), "{text}");
            assert_eq!(text == "Answer.\nQ: 2?\nA: two\n\nQ: 1?\nA:", !with_chat, "{text}");
        }
    }

    #[test]
    fn a_choice_is_what_stands_behind_the_prompt_and_the_white_space_at_its_end_counts_to_it() {
        let plain = prompter(false);
        let scored = |prompter: &Prompter, prompt: &str| {
            let choice = prompter.choice(prompt, "yes").unwrap();
            prompter.decode_all(&choice.tokens[choice.tokens.len() - choice.scored..])
        };
        assert_eq!(scored(&plain, "Is it?"), " yes");
        assert_eq!(scored(&prompter(true), "Is it?\n\n"), "\n\nyes");
    }
}
