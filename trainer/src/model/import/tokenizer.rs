//! A GGUF file's tokenizer as `tokenizer.json`, with the texts around it.
//!
//! The file has tokens, merges, token types, and only the *name* of the rule that cuts a text
//! into pieces before the merges. That rule is the trap: transformers' own GGUF import leaves
//! SmolLM2's out, and then numbers are merged into tokens that the model hardly saw in training.
//! So each rule is written out here by name, and an unknown name is refused rather than guessed.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

use super::super::ModelError;
use super::super::config::ModelConfig;
use super::super::gguf::Gguf;
use super::write_json;

/// ChatML, for files that carry no template of their own.
const CHATML: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}\
                      {% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// Token types in GGUF.
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// Writes `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`.
///
/// # Errors
/// The file's tokenizer is incomplete, or of a kind that is not known.
pub(super) fn write(gguf: &Gguf, config: &ModelConfig, dir: &Path) -> Result<(), ModelError> {
    let tokens = gguf.texts("tokenizer.ggml.tokens")?;
    let tokenizer = build(gguf, &tokens)?;
    let path = dir.join("tokenizer.json");
    let text = tokenizer.to_string(true).map_err(|error| ModelError::malformed(gguf.path(), error.to_string()))?;
    fs::write(&path, text + "\n").map_err(|cause| ModelError::file("write", &path, cause))?;

    // `config.check` has seen to it that each of these ids is in the vocabulary.
    let token = |id: Option<i64>| id.and_then(|id| tokens.get(usize::try_from(id).ok()?));
    let unknown = gguf.integer("tokenizer.ggml.unknown_token_id").ok();
    let mut special = Map::new();
    for (name, id) in [
        ("bos_token", config.bos_id),
        ("eos_token", config.eos_ids.first().copied()),
        ("pad_token", config.pad_id),
        ("unk_token", unknown),
    ] {
        if let Some(text) = token(id) {
            special.insert(name.to_owned(), json!(text));
        }
    }
    write_json(&dir.join("special_tokens_map.json"), &Value::Object(special.clone()))?;

    let mut settings = special;
    settings.extend([
        // The class that takes tokenizer.json as it is. Named classes build their own pieces around
        // the merges, and would lose the rule above again.
        ("tokenizer_class".to_owned(), json!("PreTrainedTokenizerFast")),
        ("model_max_length".to_owned(), json!(config.max_positions)),
        ("clean_up_tokenization_spaces".to_owned(), json!(false)),
        ("chat_template".to_owned(), json!(gguf.text("tokenizer.chat_template").unwrap_or(CHATML))),
    ]);
    write_json(&dir.join("tokenizer_config.json"), &Value::Object(settings))
}

fn build(gguf: &Gguf, tokens: &[&str]) -> Result<Tokenizer, ModelError> {
    let wrong = |problem: String| ModelError::malformed(gguf.path(), problem);
    let model = gguf.text("tokenizer.ggml.model")?;
    if model != "gpt2" {
        return Err(wrong(format!(
            "its tokenizer is of the kind `{model}`, but Ludus imports `gpt2` (byte-level BPE) from GGUF"
        )));
    }
    let rule = Rule::of(gguf.text("tokenizer.ggml.pre")?).map_err(wrong)?;

    let mut merges = Vec::new();
    for merge in gguf.texts("tokenizer.ggml.merges")? {
        let (left, right) =
            merge.split_once(' ').ok_or_else(|| wrong(format!("its merge `{merge}` has no two parts")))?;
        merges.push((left.to_owned(), right.to_owned()));
    }
    let vocabulary: Vocab = tokens.iter().zip(0..).map(|(token, id)| ((*token).to_owned(), id)).collect();
    if vocabulary.len() != tokens.len() {
        return Err(wrong("two of its tokens have the same text".to_owned()));
    }
    let bpe = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .ignore_merges(rule.whole_pieces)
        .build()
        .map_err(|error| wrong(format!("its tokenizer does not fit together ({error})")))?;

    let mut tokenizer = Tokenizer::new(bpe);
    tokenizer.with_pre_tokenizer(Some(rule.pieces));
    if rule.composed {
        tokenizer.with_normalizer(Some(NFC)).map_err(|error| wrong(error.to_string()))?;
    }
    tokenizer.with_decoder(Some(ByteLevel::default()));
    let types = gguf.integers("tokenizer.ggml.token_type")?;
    let added = tokens.iter().zip(&types).filter(|&(_, kind)| matches!(*kind, CONTROL | USER_DEFINED));
    let added = added.map(|(token, kind)| AddedToken::from(*token, *kind == CONTROL).normalized(false));
    tokenizer.add_tokens(added).map_err(|error| wrong(error.to_string()))?;
    Ok(tokenizer)
}

/// How a text is cut before the merges.
struct Rule {
    pieces: PreTokenizerWrapper,
    /// An accent and its letter become one character first.
    composed: bool,
    /// A piece that is a token as a whole is taken as it is, whatever the merges make of it.
    whole_pieces: bool,
}

impl Rule {
    /// The rule that llama.cpp calls by this name.
    fn of(name: &str) -> Result<Rule, String> {
        let plain = |pieces| Ok(Rule { pieces, composed: false, whole_pieces: false });
        match name {
            // Each digit alone, then words with the space before them, as bytes.
            "smollm" => {
                let parts = vec![Digits::new(true).into(), ByteLevel::new(false, true, true).into()];
                plain(Sequence::new(parts).into())
            }
            "gpt-2" => plain(ByteLevel::new(false, true, true).into()),
            "llama-bpe" => Ok(Rule { pieces: words_and(r"\p{N}{1,3}")?, composed: false, whole_pieces: true }),
            "qwen2" => Ok(Rule { pieces: words_and(r"\p{N}")?, composed: true, whole_pieces: false }),
            other => Err(format!(
                "its tokenizer cuts texts by the rule `{other}`, but Ludus knows smollm, gpt-2, llama-bpe and qwen2; use the model's \
                 safetensors"
            )),
        }
    }
}

/// Words with one character before them, digits as `digits` says, signs with the line ends after them, white space; as bytes.
fn words_and(digits: &str) -> Result<PreTokenizerWrapper, String> {
    let pattern = [
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        digits,
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ];
    let split = Split::new(SplitPattern::Regex(pattern.join("|")), SplitDelimiterBehavior::Isolated, false);
    let split = split.map_err(|error| error.to_string())?;
    Ok(Sequence::new(vec![split.into(), ByteLevel::new(false, true, false).into()]).into())
}
