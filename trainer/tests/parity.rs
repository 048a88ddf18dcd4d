//! The default model against Hugging Face transformers: what it answered is in a fixture, which
//! tests/scripts/transformers_parity.py makes.
//!
//! The model is a part of the set-up, so its absence fails these tests and is not a reason to pass.

use std::path::PathBuf;

use ludus_tests::device;
use ludus_trainer::chat::Chat;
use ludus_trainer::model::import::{DEFAULT_MODEL, resolve, standard_cache};
use ludus_trainer::model::llama::Llama;
use serde::Deserialize;
use tch::{Device, Kind, Tensor};

const FIXTURE: &str = include_str!("../../tests/fixtures/smollm2_logits.json");

/// Logits are some tens; two float32 programs that add in different orders agree to 3e-5 here.
const LOGITS_TOLERANCE: f64 = 2e-4;

#[derive(Deserialize)]
struct Fixture {
    texts: Vec<Text>,
    conversations: Vec<Conversation>,
    logits: Vec<Logits>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<i64>,
}

#[derive(Deserialize)]
struct Conversation {
    messages: Vec<Message>,
    ids: Vec<i64>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: String,
}

/// What follows after the last of `ids`.
#[derive(Deserialize)]
struct Logits {
    ids: Vec<i64>,
    most_likely: i64,
    log_sum_exp: f64,
    tokens: Vec<i64>,
    values: Vec<f64>,
}

fn fixture() -> Fixture {
    serde_json::from_str(FIXTURE).unwrap()
}

fn model() -> PathBuf {
    standard_cache().and_then(|cache| resolve(DEFAULT_MODEL, &cache)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_logits_are_those_of_transformers() {
    let llama = Llama::load(&model(), device(), Kind::Float).unwrap();
    let fixture = fixture();
    assert!(!fixture.logits.is_empty());
    for expected in &fixture.logits {
        let logits =
            tch::no_grad(|| llama.logits_of(&expected.ids)).get(-1).to_device(Device::Cpu).to_kind(Kind::Double);
        assert_eq!(logits.argmax(0, false).int64_value(&[]), expected.most_likely);
        let log_sum_exp = logits.logsumexp(0, false).double_value(&[]);
        assert!(
            (log_sum_exp - expected.log_sum_exp).abs() < LOGITS_TOLERANCE,
            "{log_sum_exp} {}",
            expected.log_sum_exp
        );

        let found: Vec<f64> = logits.index_select(0, &Tensor::from_slice(&expected.tokens)).try_into().unwrap();
        assert_eq!(found.len(), expected.values.len());
        for ((token, found), expected) in expected.tokens.iter().zip(found).zip(&expected.values) {
            assert!(
                (found - expected).abs() < LOGITS_TOLERANCE,
                "token {token}: {found}, transformers says {expected}"
            );
        }
    }
}

#[test]
fn texts_are_cut_into_the_tokens_of_transformers() {
    let chat = Chat::open(&model()).unwrap();
    for Text { text, ids } in fixture().texts {
        assert_eq!(chat.encode(&text).unwrap(), ids, "{text:?}");
    }
}

#[test]
fn conversations_are_written_as_transformers_writes_them() {
    let chat = Chat::open(&model()).unwrap();
    for Conversation { messages, ids } in fixture().conversations {
        let (system, turns) = match messages.split_first() {
            Some((first, turns)) if first.role == "system" => (Some(first.content.as_str()), turns),
            _ => (None, messages.as_slice()),
        };
        let (last, examples) = turns.split_last().unwrap();
        let examples: Vec<(String, String)> =
            examples.chunks_exact(2).map(|pair| (pair[0].content.clone(), pair[1].content.clone())).collect();
        assert_eq!(chat.opening(system, &examples, &last.content, "").unwrap(), ids, "{}", last.content);
    }
}
