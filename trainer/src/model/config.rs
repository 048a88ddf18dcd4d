//! What a model is, as numbers: the part of a Hugging Face `config.json` that decides the
//! network's shape.
//!
//! Three families share one network: Llama, Qwen2 (biases on the query, key and value
//! projections) and Qwen3 (a norm on each head's queries and keys). A config that asks for
//! anything this network does not compute (sliding windows, other activations, other scalings of
//! rotary positions) is refused: a model that loads and is quietly wrong is worse than none.

mod hugging_face;

use std::fs;
use std::path::Path;

pub(crate) use hugging_face::{Ids, ids_to_json};

use ludus_host::regular_file;

use super::ModelError;
use super::rope::RopeScaling;

/// A family of networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    Llama,
    Qwen2,
    Qwen3,
}

/// A network's shape. Sizes are counts of numbers, as `i64` because libtorch wants them so.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    pub architecture: Architecture,
    pub vocab_size: i64,
    pub hidden_size: i64,
    pub intermediate_size: i64,
    pub layers: i64,
    /// Query heads.
    pub heads: i64,
    /// Key and value heads; divides `heads`.
    pub kv_heads: i64,
    pub head_dim: i64,
    pub rms_norm_eps: f64,
    pub rope_theta: f64,
    pub rope_scaling: Option<RopeScaling>,
    /// The output projection is the embedding itself.
    pub tied_embeddings: bool,
    /// The longest sequence that the model was made for, in tokens.
    pub max_positions: i64,
    /// The query, key and value projections have biases (Qwen2).
    pub attention_bias: bool,
    /// Queries and keys are normed for each head (Qwen3).
    pub qk_norm: bool,
    pub bos_id: Option<i64>,
    /// Tokens that end a text; may be empty.
    pub eos_ids: Vec<i64>,
    pub pad_id: Option<i64>,
}

impl ModelConfig {
    /// Reads `config.json` in a model's folder.
    ///
    /// # Errors
    /// A missing file, a missing or senseless number, or a network of another kind.
    pub fn read(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let text = regular_file::read_text(&path, u64::MAX).map_err(|cause| ModelError::file("read", &path, cause))?;
        Self::from_json(&text).map_err(|problem| ModelError::malformed(&path, problem))
    }

    /// Writes `config.json` into a model's folder.
    pub fn write(&self, dir: &Path) -> Result<(), ModelError> {
        let path = dir.join("config.json");
        fs::write(&path, format!("{:#}\n", self.to_json())).map_err(|cause| ModelError::file("write", &path, cause))
    }

    /// Every tensor of the network: its Hugging Face name and its shape, in the network's order.
    pub fn tensors(&self) -> Vec<(String, Vec<i64>)> {
        let (hidden, inner) = (self.hidden_size, self.intermediate_size);
        let (queries, keys) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let mut tensors = vec![("model.embed_tokens.weight".to_owned(), vec![self.vocab_size, hidden])];
        for layer in 0..self.layers {
            let mut add = |name: &str, shape: &[i64]| {
                tensors.push((format!("model.layers.{layer}.{name}"), shape.to_vec()));
            };
            add("input_layernorm.weight", &[hidden]);
            for (name, size) in [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)] {
                add(&format!("self_attn.{name}.weight"), &[size, hidden]);
                if self.attention_bias {
                    add(&format!("self_attn.{name}.bias"), &[size]);
                }
            }
            if self.qk_norm {
                add("self_attn.q_norm.weight", &[self.head_dim]);
                add("self_attn.k_norm.weight", &[self.head_dim]);
            }
            add("self_attn.o_proj.weight", &[hidden, queries]);
            add("post_attention_layernorm.weight", &[hidden]);
            add("mlp.gate_proj.weight", &[inner, hidden]);
            add("mlp.up_proj.weight", &[inner, hidden]);
            add("mlp.down_proj.weight", &[hidden, inner]);
        }
        tensors.push(("model.norm.weight".to_owned(), vec![hidden]));
        if !self.tied_embeddings {
            tensors.push(("lm_head.weight".to_owned(), vec![self.vocab_size, hidden]));
        }
        tensors
    }

    /// How many numbers the network learns.
    pub fn parameters(&self) -> i64 {
        self.tensors().iter().map(|(_, shape)| shape.iter().product::<i64>()).sum()
    }

    /// Sizes that no network has, and that would only show up as a panic far from here.
    /// The importer calls this too: a GGUF file's numbers are as foreign as a config's.
    pub(super) fn check(&self) -> Result<(), String> {
        // Keeps every product of two sizes, and their sum over all layers, far from overflow.
        const SIZE_MAX: i64 = 1 << 24;
        const LAYERS_MAX: i64 = 1 << 12;
        for (name, size) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_attention_heads", self.heads),
            ("num_key_value_heads", self.kv_heads),
            ("head_dim", self.head_dim),
            ("heads times head_dim", self.heads.saturating_mul(self.head_dim)),
            ("max_position_embeddings", self.max_positions),
        ] {
            if !(1..=SIZE_MAX).contains(&size) {
                return Err(format!("{name} is {size}, which is not between 1 and {SIZE_MAX}"));
            }
        }
        if !(1..=LAYERS_MAX).contains(&self.layers) {
            return Err(format!("num_hidden_layers is {}, which is not between 1 and {LAYERS_MAX}", self.layers));
        }
        if self.heads % self.kv_heads != 0 {
            return Err(format!("{} query heads cannot share {} key-value heads evenly", self.heads, self.kv_heads));
        }
        if self.head_dim % 2 != 0 {
            return Err(format!("head_dim is {}, but rotary positions need an even number", self.head_dim));
        }
        for (name, value) in [("rms_norm_eps", self.rms_norm_eps), ("rope_theta", self.rope_theta)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(format!("{name} is {value}, but must be a number above 0"));
            }
        }
        self.rope_scaling.map_or(Ok(()), RopeScaling::check)?;
        let special = self.bos_id.iter().chain(&self.eos_ids).chain(&self.pad_id);
        match special.copied().find(|id| !(0..self.vocab_size).contains(id)) {
            Some(id) => Err(format!("token {id} is outside the vocabulary of {}", self.vocab_size)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn small() -> Value {
        json!({
            "model_type": "llama", "vocab_size": 10, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "max_position_embeddings": 32,
            "eos_token_id": [2, 3], "tie_word_embeddings": true, "rope_parameters": {"rope_type": "default", "rope_theta": 500.0},
        })
    }

    fn with(key: &str, value: Value) -> Result<ModelConfig, String> {
        let mut config = small();
        config[key] = value;
        ModelConfig::from_json(&config.to_string())
    }

    #[test]
    fn a_config_survives_being_written_and_read() {
        for family in ["llama", "qwen2", "qwen3"] {
            let config = with("model_type", json!(family)).unwrap();
            assert_eq!(ModelConfig::from_json(&config.to_json().to_string()), Ok(config));
        }
    }

    #[test]
    fn rotary_settings_are_found_where_transformers_4_and_5_write_them() {
        assert_eq!(with("rope_theta", json!(7.0)).unwrap().rope_theta, 500.0);
        let llama3 = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192});
        let scaling =
            RopeScaling::Llama3 { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_positions: 8192 };
        let mut old = small();
        old["rope_parameters"] = Value::Null;
        old["rope_theta"] = json!(7.0);
        for (rope, expected) in [
            (llama3, Some(scaling)),
            (
                json!({"type": "linear", "rope_type": "linear", "factor": 2.0}),
                Some(RopeScaling::Linear { factor: 2.0 }),
            ),
            (json!({"rope_type": "default"}), None),
        ] {
            old["rope_scaling"] = rope.clone();
            let (new, old) = (with("rope_parameters", rope), ModelConfig::from_json(&old.to_string()));
            for (config, theta) in [(new.unwrap(), 10_000.0), (old.unwrap(), 7.0)] {
                assert_eq!((config.rope_scaling, config.rope_theta), (expected, theta));
                assert_eq!(ModelConfig::from_json(&config.to_json().to_string()), Ok(config));
            }
        }
    }

    #[test]
    fn the_tensors_of_a_network_follow_from_its_config() {
        let config = with("hidden_size", json!(8)).unwrap();
        // Embedding 80, and for each layer 16 norm + 64 q + 32 k + 32 v + 64 o + 3 * 96, and 8 for the last norm.
        assert_eq!(config.parameters(), 80 + 2 * (16 + 64 + 32 + 32 + 64 + 288) + 8);
        assert!(!config.tensors().iter().any(|(name, _)| name == "lm_head.weight"));
        let qwen = with("model_type", json!("qwen2")).unwrap();
        assert_eq!(qwen.parameters() - config.parameters(), 2 * (8 + 4 + 4));
    }

    #[test]
    fn a_network_that_would_be_computed_wrongly_is_refused() {
        for (key, value, expected) in [
            ("model_type", json!("mamba"), "mamba"),
            ("rope_parameters", json!({"rope_type": "llama3", "factor": 8.0}), "low_freq_factor is not there"),
            ("rope_parameters", json!({"rope_type": "linear", "factor": 0.5}), "at least 1"),
            ("rope_parameters", json!({"type": "yarn"}), "yarn"),
            ("rope_parameters", json!({"rope_type": "dynamic", "type": "linear", "factor": 2.0}), "dynamic"),
            ("rope_parameters", json!({"partial_rotary_factor": 0.5}), "partial_rotary_factor"),
            ("hidden_act", json!("gelu"), "gelu"),
            ("attention_bias", json!(true), "attention_bias"),
            ("partial_rotary_factor", json!(0.5), "partial_rotary_factor"),
            ("num_key_value_heads", json!(3), "evenly"),
            ("num_attention_heads", json!(0), "num_attention_heads"),
            ("head_dim", json!(3), "even number"),
            ("vocab_size", json!(0), "vocab_size"),
            ("num_hidden_layers", json!(1_000_000), "num_hidden_layers"),
            ("rms_norm_eps", json!(0.0), "rms_norm_eps"),
            ("eos_token_id", json!(10), "outside the vocabulary"),
            ("hidden_size", json!("many"), "invalid type"),
        ] {
            let problem = with(key, value.clone()).unwrap_err();
            assert!(problem.contains(expected), "{key} = {value}: {problem}");
        }
    }
}
