//! The whole way from a GGUF file to a model folder, with a file of a few kilobytes made here.

use std::fs;
use std::path::Path;

use ludus_trainer::chat::Chat;
use ludus_trainer::model::config::ModelConfig;
use ludus_trainer::model::gguf::Gguf;
use ludus_trainer::model::import::{import_gguf, resolve};
use ludus_trainer::model::rope::RopeScaling;
use ludus_trainer::model::weights;
use tch::Device;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

const HIDDEN: u64 = 32;
const INNER: u64 = 64;
const SPECIAL: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

const F32: u32 = 0;
const Q2_K: u32 = 10;

/// A file to be written: entries as key and encoded value, tensors as name, dimensions (fastest
/// first) and encoding. Each tensor holds 0, 1, 2, …
#[derive(Clone)]
struct Sample {
    entries: Vec<(&'static str, Vec<u8>)>,
    tensors: Vec<(&'static str, Vec<u64>, u32)>,
}

fn text(value: &str) -> Vec<u8> {
    [&(value.len() as u64).to_le_bytes(), value.as_bytes()].concat()
}

fn text_entry(value: &str) -> Vec<u8> {
    [8u32.to_le_bytes().to_vec(), text(value)].concat()
}

fn integer_entry(value: u32) -> Vec<u8> {
    [4u32.to_le_bytes(), value.to_le_bytes()].concat()
}

fn number_entry(value: f32) -> Vec<u8> {
    [6u32.to_le_bytes(), value.to_le_bytes()].concat()
}

fn list_entry(kind: u32, items: &[Vec<u8>]) -> Vec<u8> {
    let head = [9u32.to_le_bytes(), kind.to_le_bytes()].concat();
    [head, (items.len() as u64).to_le_bytes().to_vec(), items.concat()].concat()
}

fn sample() -> Sample {
    let mut tokens: Vec<String> = SPECIAL.iter().map(|&token| token.to_owned()).collect();
    let mut alphabet: Vec<char> = ByteLevel::alphabet().into_iter().collect();
    alphabet.sort_unstable();
    tokens.extend(alphabet.into_iter().map(String::from));
    // The second would merge digits, if the rule for cutting texts did not keep them apart.
    tokens.extend(["ab".to_owned(), "12".to_owned()]);
    let kinds: Vec<Vec<u8>> =
        (0..tokens.len()).map(|id| if id < 3 { 3i32 } else { 1 }.to_le_bytes().to_vec()).collect();
    let vocabulary = tokens.len() as u64;
    let tokens: Vec<Vec<u8>> = tokens.iter().map(|token| text(token)).collect();
    Sample {
        entries: vec![
            ("general.architecture", text_entry("llama")),
            ("llama.embedding_length", integer_entry(32)),
            ("llama.feed_forward_length", integer_entry(64)),
            ("llama.block_count", integer_entry(1)),
            ("llama.context_length", integer_entry(128)),
            ("llama.attention.head_count", integer_entry(2)),
            ("llama.attention.head_count_kv", integer_entry(1)),
            ("llama.attention.layer_norm_rms_epsilon", number_entry(1e-5)),
            ("llama.rope.freq_base", number_entry(100_000.0)),
            ("tokenizer.ggml.model", text_entry("gpt2")),
            ("tokenizer.ggml.pre", text_entry("smollm")),
            ("tokenizer.ggml.tokens", list_entry(8, &tokens)),
            ("tokenizer.ggml.token_type", list_entry(5, &kinds)),
            ("tokenizer.ggml.merges", list_entry(8, &[text("a b"), text("1 2")])),
            ("tokenizer.ggml.bos_token_id", integer_entry(1)),
            ("tokenizer.ggml.eos_token_id", integer_entry(2)),
        ],
        tensors: vec![
            ("token_embd.weight", vec![HIDDEN, vocabulary], F32),
            ("output_norm.weight", vec![HIDDEN], F32),
            ("blk.0.attn_norm.weight", vec![HIDDEN], F32),
            ("blk.0.ffn_norm.weight", vec![HIDDEN], F32),
            ("blk.0.attn_q.weight", vec![HIDDEN, HIDDEN], F32),
            ("blk.0.attn_k.weight", vec![HIDDEN, HIDDEN / 2], F32),
            ("blk.0.attn_v.weight", vec![HIDDEN, HIDDEN / 2], F32),
            ("blk.0.attn_output.weight", vec![HIDDEN, HIDDEN], F32),
            ("blk.0.ffn_gate.weight", vec![HIDDEN, INNER], F32),
            ("blk.0.ffn_up.weight", vec![HIDDEN, INNER], F32),
            ("blk.0.ffn_down.weight", vec![INNER, HIDDEN], F32),
        ],
    }
}

impl Sample {
    fn set(mut self, key: &str, value: Vec<u8>) -> Self {
        self.entries.iter_mut().filter(|entry| entry.0 == key).for_each(|entry| entry.1 = value.clone());
        self
    }

    fn write(&self, path: &Path) {
        let mut file = b"GGUF".to_vec();
        file.extend(3u32.to_le_bytes());
        file.extend((self.tensors.len() as u64).to_le_bytes());
        file.extend((self.entries.len() as u64).to_le_bytes());
        for (key, value) in &self.entries {
            file.extend([text(key), value.clone()].concat());
        }
        let mut data: Vec<u8> = Vec::new();
        for (name, dimensions, encoding) in &self.tensors {
            file.extend(text(name));
            file.extend((dimensions.len() as u32).to_le_bytes());
            file.extend(dimensions.iter().flat_map(|size| size.to_le_bytes()));
            file.extend(encoding.to_le_bytes());
            file.extend((data.len() as u64).to_le_bytes());
            let count = dimensions.iter().product::<u64>();
            data.extend((0..count).flat_map(|number| (number as f32).to_le_bytes()));
        }
        file.resize(file.len().next_multiple_of(32), 0);
        file.extend(data);
        fs::write(path, file).unwrap();
    }
}

fn problem(sample: &Sample) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("model.gguf");
    sample.write(&file);
    let error = import_gguf(&file, &dir.path().join("out")).unwrap_err().to_string();
    assert!(!dir.path().join("out").exists(), "a failed import leaves no folder: {error}");
    error
}

#[test]
fn a_gguf_file_becomes_a_folder_with_config_weights_and_chat() {
    let dir = tempfile::tempdir().unwrap();
    let (file, out) = (dir.path().join("model.gguf"), dir.path().join("out"));
    sample().write(&file);
    import_gguf(&file, &out).unwrap();

    let config = ModelConfig::read(&out).unwrap();
    assert_eq!((config.heads, config.kv_heads, config.head_dim, config.vocab_size), (2, 1, 16, 261));
    assert_eq!((config.rms_norm_eps, config.rope_theta), (1e-5, 100_000.0), "as decimals, not as widened floats");
    assert!(config.tied_embeddings);

    let weights = weights::load(&out, &config, Device::Cpu).unwrap();
    let first_column = |name: &str, rows: usize| -> Vec<f64> {
        let (_, tensor) = weights.iter().find(|(found, _)| found.ends_with(name)).unwrap();
        let column: Vec<f64> = tensor.select(1, 0).try_into().unwrap();
        column[..rows].iter().map(|number| number / HIDDEN as f64).collect()
    };
    // Query and key rows go from pairs to halves in each head; values stay.
    assert_eq!(first_column("q_proj.weight", 10), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 1.0, 3.0]);
    assert_eq!(first_column("k_proj.weight", 4), [0.0, 2.0, 4.0, 6.0]);
    assert_eq!(first_column("v_proj.weight", 4), [0.0, 1.0, 2.0, 3.0]);

    let chat = Chat::open(&out).unwrap();
    assert_eq!(chat.encode("ab").unwrap().len(), 1);
    assert_eq!(chat.encode("12").unwrap().len(), 2, "digits are never merged");
    assert_eq!(chat.end_ids(), [2]);
    let opening = chat.opening(None, &[], "ab", "").unwrap();
    assert_eq!(chat.decode_all(&opening), "<|im_start|>user\nab<|im_end|>\n<|im_start|>assistant\n");
}

#[test]
fn a_second_import_leaves_a_whole_folder_alone_and_mends_a_changed_one() {
    let dir = tempfile::tempdir().unwrap();
    let (file, out) = (dir.path().join("model.gguf"), dir.path().join("out"));
    sample().write(&file);
    import_gguf(&file, &out).unwrap();
    let weights = fs::read(out.join("model.safetensors")).unwrap();

    fs::write(out.join("a-note"), "mine").unwrap();
    import_gguf(&file, &out).unwrap();
    assert!(out.join("a-note").exists(), "the folder was not made again");

    fs::write(out.join("model.safetensors"), &weights[1..]).unwrap();
    let named = resolve(&out.to_string_lossy(), dir.path()).unwrap_err().to_string();
    assert!(named.contains("model.safetensors was changed"), "{named}");
    import_gguf(&file, &out).unwrap();
    assert!(fs::read(out.join("model.safetensors")).unwrap() == weights, "the same file gives the same bytes");
}

#[test]
fn a_gguf_file_is_resolved_to_an_import_in_the_cache_under_its_hash() {
    let dir = tempfile::tempdir().unwrap();
    let (file, cache) = (dir.path().join("model.gguf"), dir.path().join("cache"));
    sample().write(&file);
    let first = resolve(&file.to_string_lossy(), &cache).unwrap();
    assert!(first.starts_with(&cache) && first.join("model.safetensors").is_file());
    assert_eq!(resolve(&file.to_string_lossy(), &cache).unwrap(), first);

    sample().set("llama.rope.freq_base", number_entry(10_000.0)).write(&file);
    assert_ne!(resolve(&file.to_string_lossy(), &cache).unwrap(), first, "another file is another model");
}

#[test]
fn a_model_that_would_be_imported_wrongly_is_refused() {
    let without = |name: &str| {
        let mut sample = sample();
        sample.tensors.retain(|tensor| tensor.0 != name);
        sample
    };
    let mut extra = sample();
    extra.tensors.push(("blk.0.attn_q.bias", vec![HIDDEN], F32));
    let mut scaled = sample();
    scaled.tensors.push(("rope_freqs.weight", vec![8], F32));
    let mut stretched = sample();
    stretched.entries.push(("llama.rope.scaling.type", text_entry("yarn")));
    let mut quantized = sample();
    quantized.tensors[0].2 = Q2_K;
    for (sample, expected) in [
        (sample().set("general.architecture", text_entry("gemma")), "`gemma` model"),
        (sample().set("general.architecture", integer_entry(1)), "`general.architecture` should be a text"),
        (sample().set("tokenizer.ggml.pre", text_entry("deepseek")), "`deepseek`"),
        (sample().set("tokenizer.ggml.model", text_entry("llama")), "byte-level BPE"),
        (sample().set("tokenizer.ggml.merges", list_entry(8, &[text("ab")])), "no two parts"),
        (sample().set("tokenizer.ggml.merges", list_entry(8, &[text("a none")])), "does not fit together"),
        (sample().set("tokenizer.ggml.eos_token_id", integer_entry(9999)), "outside the vocabulary"),
        (sample().set("llama.attention.head_count", integer_entry(0)), "num_attention_heads is 0"),
        (sample().set("llama.feed_forward_length", integer_entry(65)), "has shape [64, 32]"),
        (without("blk.0.ffn_up.weight"), "no tensor for `model.layers.0.mlp.up_proj.weight`"),
        (extra, "`blk.0.attn_q.bias`"),
        (scaled, "is not what Llama 3's scaling gives"),
        (stretched, "by `yarn`"),
        (quantized, "encoding 10"),
    ] {
        let problem = problem(&sample);
        assert!(problem.contains(expected), "{expected}: {problem}");
    }
}

#[test]
fn a_linear_scaling_of_positions_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let (file, out) = (dir.path().join("model.gguf"), dir.path().join("out"));
    let mut scaled = sample();
    scaled.entries.push(("llama.rope.scaling.type", text_entry("linear")));
    scaled.entries.push(("llama.rope.scaling.factor", number_entry(4.0)));
    scaled.write(&file);
    import_gguf(&file, &out).unwrap();
    assert_eq!(ModelConfig::read(&out).unwrap().rope_scaling, Some(RopeScaling::Linear { factor: 4.0 }));
}

#[test]
fn blocks_of_every_encoding_are_the_numbers_that_llama_cpps_own_package_reads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/families/encodings.gguf");
    let file = Gguf::open(&path).unwrap();
    let bits = |name: String| -> Vec<u32> { file.read(&file.tensors()[&name]).into_iter().map(f32::to_bits).collect() };
    for encoding in ["F16", "Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"] {
        let (found, expected) = (bits(format!("{encoding}.blocks")), bits(format!("{encoding}.numbers")));
        assert_eq!(found.len(), 1024);
        assert!(found == expected, "{encoding}");
    }
}
