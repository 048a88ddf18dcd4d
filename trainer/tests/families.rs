//! Tiny random models of every family against Hugging Face transformers, which saved them and whose answers lie beside them;
//! tests/scripts/family_parity.py makes both.

use std::fs;
use std::path::{Path, PathBuf};

use ludus_host::stream::Stream;
use ludus_tests::device;
use ludus_trainer::chat::Chat;
use ludus_trainer::checkpoint::save_model;
use ludus_trainer::generate::{Reply, Row, Sampling, Session};
use ludus_trainer::model::attention::Sight;
use ludus_trainer::model::config::ModelConfig;
use ludus_trainer::model::import::import_gguf;
use ludus_trainer::model::llama::Llama;
use ludus_trainer::model::{rope, weights};
use ludus_trainer::pack::Segment;
use serde::Deserialize;
use tch::{Device, Kind, Tensor};

const FAMILIES: [&str; 5] = ["smollm2", "llama3", "qwen2", "qwen2_tied", "qwen3"];

const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Expected {
    runs: Vec<Run>,
    texts: Vec<Text>,
}

/// The logits at some places of one text.
#[derive(Deserialize)]
struct Run {
    ids: Vec<i64>,
    first_position: i64,
    at: Vec<i64>,
    logits: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<i64>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/families")
}

fn folder(family: &str) -> PathBuf {
    fixtures().join(family)
}

fn llama(family: &str) -> Llama {
    Llama::load(&folder(family), device(), Kind::Float).unwrap()
}

fn expected(family: &str) -> Expected {
    serde_json::from_slice(&fs::read(folder(family).join("expected.json")).unwrap()).unwrap()
}

/// The logits of texts that lie beside each other in one pass, `[time, vocab]`.
fn logits(llama: &Llama, texts: &[&[i64]], first_position: i64) -> Tensor {
    let segments: Vec<Segment> =
        texts.iter().map(|text| Segment { sees: Vec::new(), length: text.len() as i64 }).collect();
    let positions: Vec<i64> = texts.iter().flat_map(|text| (first_position..).take(text.len())).collect();
    tch::no_grad(|| {
        let weights = llama.weights();
        let tensor = |values: &[i64]| Tensor::from_slice(values).to_device(llama.device);
        let (tokens, positions) = (tensor(&texts.concat()), tensor(&positions));
        let hidden = llama.hidden(&weights, &tokens, &positions, Sight::Segments(&segments));
        llama.logits(&weights, &hidden).to_device(Device::Cpu)
    })
}

fn difference(one: &Tensor, other: &Tensor) -> f64 {
    assert_eq!(one.size(), other.size());
    (one - other).abs().max().double_value(&[])
}

/// The greatest difference of a model's logits from those of transformers, over all runs.
fn difference_from_transformers(llama: &Llama, runs: &[Run]) -> f64 {
    let of_run = |run: &Run| {
        let found = logits(llama, &[&run.ids], run.first_position).index_select(0, &Tensor::from_slice(&run.at));
        difference(&found, &Tensor::from_slice(&run.logits.concat()).view_as(&found))
    };
    runs.iter().map(of_run).fold(0.0, f64::max)
}

#[test]
fn every_family_computes_what_transformers_computes() {
    for family in FAMILIES {
        let found = difference_from_transformers(&llama(family), &expected(family).runs);
        assert!(found < TOLERANCE, "{family}: {found}");
    }
}

#[test]
fn a_family_that_was_computed_as_another_would_be_noticed() {
    let differing = |family: &str, change: &dyn Fn(&mut Llama)| {
        let mut llama = llama(family);
        change(&mut llama);
        let llama = Llama::new(llama.config, llama.parameters, llama.device, Kind::Float);
        let found = difference_from_transformers(&llama, &expected(family).runs);
        assert!(found > 100.0 * TOLERANCE, "{family}: {found}");
    };
    differing("llama3", &|llama| llama.config.rope_scaling = None);
    differing("qwen2", &|llama| llama.config.attention_bias = false);
    differing("qwen3", &|llama| llama.config.qk_norm = false);
    differing("qwen2_tied", &|llama| llama.config.rope_theta = 10_000.0);
}

#[test]
fn frequencies_of_scaled_positions_are_those_of_transformers() {
    #[derive(Deserialize)]
    struct Rope {
        config: serde_json::Value,
        frequencies: Vec<f32>,
    }

    let text = fs::read_to_string(fixtures().join("rope.json")).unwrap();
    let ropes: Vec<Rope> = serde_json::from_str(&text).unwrap();
    assert_eq!(ropes.len(), 3);
    for Rope { config, frequencies: expected } in ropes {
        let config = ModelConfig::from_json(&config.to_string()).unwrap();
        let found = Vec::<f32>::try_from(rope::frequencies(&config)).unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found / expected - 1.0).abs() < 2.0 * f32::EPSILON,
                "{found} {expected} {:?}",
                config.rope_scaling
            );
        }
    }
}

/// Two turns of each row that is named; a row has texts and draws of its own. Returns each row's replies and its whole text.
fn two_turns(llama: &Llama, rows: &[usize]) -> Vec<(Vec<Reply>, Vec<i64>)> {
    const PREFIX: [i64; 3] = [5, 6, 7];
    let weights = tch::no_grad(|| llama.weights());
    let sampling = Sampling { temperature: 1.0, top_p: 1.0, top_k: 0, min_p: 0.0 };
    let mut session = Session::new(llama, &weights, sampling, &[]);
    session.share(&PREFIX);
    let mut found = vec![(Vec::new(), PREFIX.to_vec()); rows.len()];
    let mut joined: Vec<Row> = Vec::new();
    for turn in 0..2 {
        for (place, &row) in rows.iter().enumerate() {
            let new = (0..=(row + turn) as i64 * 9).map(|token| (token * 37 + row as i64) % llama.config.vocab_size);
            let new: Vec<i64> = new.collect();
            let text = &mut found[place].1;
            text.extend(&new);
            if turn == 0 {
                joined.push(session.join(text, Stream::derive(row as u64, &["row".into()])));
                session.ask(joined[place], &[], 3 + row);
            } else {
                session.ask(joined[place], &new, 3 + row);
            }
        }
        for ((replies, text), reply) in found.iter_mut().zip(session.complete().into_values()) {
            text.extend(&reply.tokens);
            replies.push(reply);
        }
    }
    found
}

#[test]
fn cached_generation_equals_the_whole_forward_pass_in_every_family() {
    for family in FAMILIES {
        let llama = llama(family);
        for (replies, text) in two_turns(&llama, &[0, 1, 2, 3]) {
            let whole = logits(&llama, &[&text], 0).log_softmax(-1, Kind::Float);
            let last = replies.last().unwrap();
            let first = text.len() - last.tokens.len();
            for (place, (&token, &found)) in (first..).zip(last.tokens.iter().zip(&last.log_probabilities)) {
                let expected = whole.double_value(&[place as i64 - 1, token]);
                assert!((f64::from(found) - expected).abs() < TOLERANCE, "{family}: {found} is not {expected}");
            }
        }
    }
}

#[test]
fn rows_of_different_lengths_reply_as_each_would_alone_in_every_family() {
    for family in FAMILIES {
        let llama = llama(family);
        for (row, (replies, text)) in two_turns(&llama, &[0, 1, 2, 3]).into_iter().enumerate() {
            let (alone, text_alone) = two_turns(&llama, &[row]).remove(0);
            assert_eq!(text, text_alone, "{family}");
            for (reply, alone) in replies.iter().zip(&alone) {
                for (found, expected) in reply.log_probabilities.iter().zip(&alone.log_probabilities) {
                    assert!(f64::from((found - expected).abs()) < TOLERANCE, "{family}: {found} is not {expected}");
                }
            }
        }
    }
}

#[test]
fn texts_in_one_pack_have_the_logits_that_each_has_alone_in_every_family() {
    for family in FAMILIES {
        let llama = llama(family);
        let runs = expected(family).runs;
        let texts: Vec<&[i64]> = runs[..4].iter().map(|run| run.ids.as_slice()).collect();
        let alone: Vec<Tensor> = texts.iter().map(|text| logits(&llama, &[text], 0)).collect();
        let found = difference(&logits(&llama, &texts, 0), &Tensor::cat(&alone, 0));
        assert!(found < TOLERANCE, "{family}: {found}");
    }
}

fn assert_same_parameters(found: &Path, family: &str) {
    let of = |folder: &Path| weights::load(folder, &ModelConfig::read(folder).unwrap(), Device::Cpu).unwrap();
    let (found, expected) = (of(found), of(&folder(family)));
    assert_eq!(found.len(), expected.len());
    for ((found_name, found), (name, expected)) in found.iter().zip(&expected) {
        assert!(found_name == name && found == expected, "{family}: {name}");
    }
}

#[test]
fn a_gguf_file_of_a_model_is_imported_as_the_same_model() {
    for family in ["llama3", "qwen2", "qwen3"] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        import_gguf(&folder(family).join("model.gguf"), &out).unwrap();

        let (mut found, expected_config) =
            (ModelConfig::read(&out).unwrap(), ModelConfig::read(&folder(family)).unwrap());
        assert!(expected_config.eos_ids.contains(&found.eos_ids[0]), "the file names one of the ends");
        found.eos_ids.clone_from(&expected_config.eos_ids);
        assert_eq!(found, expected_config);
        assert_same_parameters(&out, family);

        let chat = Chat::open(&out).unwrap();
        for Text { text, ids } in expected(family).texts {
            assert_eq!(chat.encode(&text).unwrap(), ids, "{family}: {text:?}");
        }
        let opening = |chat: &Chat| chat.opening(Some("Answer."), &[], "Which cell?", "").unwrap();
        assert_eq!(opening(&chat), opening(&Chat::open(&folder(family)).unwrap()));
    }
}

#[test]
fn an_exported_model_is_read_back_with_its_config_its_weights_and_its_chat_template() {
    for family in FAMILIES {
        let (dir, base) = (tempfile::tempdir().unwrap(), folder(family));
        save_model(dir.path(), &base, &llama(family), Kind::Float).unwrap();
        assert_same_parameters(dir.path(), family);
        let template = |folder: &Path| fs::read_to_string(folder.join("chat_template.jinja")).unwrap();
        assert_eq!(template(dir.path()), template(&base));

        let config = ModelConfig::read(&base).unwrap();
        assert_eq!(ModelConfig::read(dir.path()).unwrap(), config);
        config.write(dir.path()).unwrap();
        assert_eq!(ModelConfig::read(dir.path()).unwrap(), config);
    }
}
