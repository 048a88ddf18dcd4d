//! The form in which Hugging Face writes a config: `config.json`, read and written.
//!
//! A key that changes what is computed, and that the network does not know, is an error. All other
//! keys are passed over.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::rope::RopeScaling;
use super::{Architecture, ModelConfig};

impl ModelConfig {
    /// Parses the text of a `config.json`. The error is a sentence without the file's name.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let kind: Kind = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let architecture = Architecture::parse(&kind.model_type)?;
        let raw: Raw = serde_json::from_str(text).map_err(|error| error.to_string())?;
        raw.refuse_unknown_features(architecture)?;
        let config = raw.into_config(architecture)?;
        config.check()?;
        Ok(config)
    }

    /// The config in Hugging Face's form, which transformers and `from_json` read.
    pub fn to_json(&self) -> Value {
        let mut config = json!({
            "architectures": [self.architecture.class_name()],
            "model_type": self.architecture.model_type(),
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "rms_norm_eps": self.rms_norm_eps,
            "rope_theta": self.rope_theta,
            "tie_word_embeddings": self.tied_embeddings,
            "max_position_embeddings": self.max_positions,
            "bos_token_id": self.bos_id,
            "eos_token_id": ids_to_json(&self.eos_ids),
            "pad_token_id": self.pad_id,
        });
        // Qwen2 has its biases always and no key for them; transformers would keep a stray one.
        if self.architecture != Architecture::Qwen2 {
            config["attention_bias"] = json!(self.attention_bias);
        }
        // Under this name transformers 4 and 5 and vLLM find it.
        if let Some(scaling) = self.rope_scaling {
            config["rope_scaling"] = scaling_to_json(scaling);
        }
        config
    }
}

impl Architecture {
    /// The family of a `model_type`, which llama.cpp calls by the same names.
    pub(in super::super) fn parse(model_type: &str) -> Result<Self, String> {
        match model_type {
            "llama" => Ok(Self::Llama),
            "qwen2" => Ok(Self::Qwen2),
            "qwen3" => Ok(Self::Qwen3),
            other => Err(format!("model_type is `{other}`, but Ludus knows llama, qwen2 and qwen3")),
        }
    }

    pub(in super::super) fn model_type(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }

    fn class_name(self) -> &'static str {
        match self {
            Self::Llama => "LlamaForCausalLM",
            Self::Qwen2 => "Qwen2ForCausalLM",
            Self::Qwen3 => "Qwen3ForCausalLM",
        }
    }
}

/// Read first and alone, so that a config of a foreign family is refused by name rather than
/// for a key that it lacks.
#[derive(Deserialize)]
struct Kind {
    model_type: String,
}

/// `config.json` as written; keys that do not change the network are passed over.
#[derive(Deserialize)]
struct Raw {
    vocab_size: i64,
    hidden_size: i64,
    intermediate_size: i64,
    num_hidden_layers: i64,
    num_attention_heads: i64,
    num_key_value_heads: Option<i64>,
    head_dim: Option<i64>,
    hidden_act: Option<String>,
    rms_norm_eps: f64,
    rope_theta: Option<f64>,
    rope_scaling: Option<Rope>,
    /// transformers 5 writes the rotary settings here.
    rope_parameters: Option<Rope>,
    partial_rotary_factor: Option<f64>,
    tie_word_embeddings: Option<bool>,
    max_position_embeddings: i64,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    use_sliding_window: Option<bool>,
    bos_token_id: Option<i64>,
    eos_token_id: Option<Ids>,
    pad_token_id: Option<i64>,
}

#[derive(Default, Deserialize)]
struct Rope {
    rope_theta: Option<f64>,
    rope_type: Option<String>,
    /// An older name, sometimes beside the newer one.
    r#type: Option<String>,
    partial_rotary_factor: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<i64>,
}

/// One token id or several: both forms are in use.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Ids {
    One(i64),
    Several(Vec<i64>),
}

impl From<Ids> for Vec<i64> {
    fn from(ids: Ids) -> Self {
        match ids {
            Ids::One(id) => vec![id],
            Ids::Several(ids) => ids,
        }
    }
}

/// The inverse of [`Ids`]: none is null, one stands alone.
pub(crate) fn ids_to_json(ids: &[i64]) -> Value {
    match ids {
        [] => Value::Null,
        [id] => json!(id),
        several => json!(several),
    }
}

impl Raw {
    fn refuse_unknown_features(&self, architecture: Architecture) -> Result<(), String> {
        if let Some(activation) = self.hidden_act.as_deref().filter(|&name| name != "silu") {
            return Err(format!("hidden_act is `{activation}`, but Ludus knows silu"));
        }
        let within = |rope: &Option<Rope>| rope.as_ref().and_then(|rope| rope.partial_rotary_factor);
        let rotated = [self.partial_rotary_factor, within(&self.rope_parameters), within(&self.rope_scaling)];
        if rotated.into_iter().flatten().any(|part| part != 1.0) {
            return Err(
                "it rotates a part of each head only (partial_rotary_factor), which Ludus does not compute".to_owned()
            );
        }
        for (name, flag) in [
            ("attention_bias", self.attention_bias.filter(|_| architecture != Architecture::Qwen2)),
            ("mlp_bias", self.mlp_bias),
            ("use_sliding_window", self.use_sliding_window),
        ] {
            if flag == Some(true) {
                return Err(format!("it sets {name}, which Ludus does not compute"));
            }
        }
        Ok(())
    }

    fn into_config(self, architecture: Architecture) -> Result<ModelConfig, String> {
        if self.num_attention_heads < 1 {
            return Err(format!("num_attention_heads is {}, but must be at least 1", self.num_attention_heads));
        }
        // In the order of transformers, also where both are there.
        let rope = self.rope_scaling.or(self.rope_parameters).unwrap_or_default();
        Ok(ModelConfig {
            architecture,
            vocab_size: self.vocab_size,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            kv_heads: self.num_key_value_heads.unwrap_or(self.num_attention_heads),
            head_dim: self.head_dim.unwrap_or(self.hidden_size / self.num_attention_heads),
            rms_norm_eps: self.rms_norm_eps,
            // What transformers assumes for these families when nothing is written.
            rope_theta: rope.rope_theta.or(self.rope_theta).unwrap_or(10_000.0),
            rope_scaling: rope.scaling()?,
            tied_embeddings: self.tie_word_embeddings.unwrap_or(false),
            max_positions: self.max_position_embeddings,
            attention_bias: architecture == Architecture::Qwen2,
            qk_norm: architecture == Architecture::Qwen3,
            bos_id: self.bos_token_id,
            eos_ids: self.eos_token_id.map(Vec::from).unwrap_or_default(),
            pad_id: self.pad_token_id,
        })
    }
}

impl Rope {
    fn scaling(&self) -> Result<Option<RopeScaling>, String> {
        let kind = self.rope_type.as_deref().or(self.r#type.as_deref()).unwrap_or("default");
        let missing = |name: &str| format!("its rotary positions are scaled (`{kind}`), but {name} is not there");
        let number = |name: &str, value: Option<f64>| value.ok_or_else(|| missing(name));
        match kind {
            "default" => Ok(None),
            "linear" => Ok(Some(RopeScaling::Linear { factor: number("factor", self.factor)? })),
            "llama3" => Ok(Some(RopeScaling::Llama3 {
                factor: number("factor", self.factor)?,
                low_freq_factor: number("low_freq_factor", self.low_freq_factor)?,
                high_freq_factor: number("high_freq_factor", self.high_freq_factor)?,
                original_positions: self
                    .original_max_position_embeddings
                    .ok_or_else(|| missing("original_max_position_embeddings"))?,
            })),
            other => Err(format!("it scales rotary positions by `{other}`, but Ludus knows linear and llama3")),
        }
    }
}

fn scaling_to_json(scaling: RopeScaling) -> Value {
    match scaling {
        RopeScaling::Linear { factor } => json!({"rope_type": "linear", "factor": factor}),
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_positions } => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low_freq_factor,
            "high_freq_factor": high_freq_factor,
            "original_max_position_embeddings": original_positions,
        }),
    }
}
