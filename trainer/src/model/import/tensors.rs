//! A GGUF file's network in Hugging Face's terms: its config, its tensors' names, and the order
//! of its query and key rows.
//!
//! For llama models llama.cpp rotates neighbouring pairs of a head's numbers, transformers rotates
//! number i with number i + d/2. So llama.cpp's converter reorders the rows of each head's query and
//! key projections, for that architecture alone, and here it is undone: row (h, half, i) of ours is
//! row (h, i, half) of the file.

use std::collections::BTreeSet;

use tch::Tensor;

use super::super::ModelError;
use super::super::config::{Architecture, ModelConfig};
use super::super::gguf::Gguf;
use super::rope::{FREQUENCIES, scaling};

/// The network's shape, from the file's metadata.
///
/// # Errors
/// An entry is missing or senseless, or the architecture is none of ours.
pub(super) fn config(gguf: &Gguf) -> Result<ModelConfig, ModelError> {
    let wrong = |problem: String| ModelError::malformed(gguf.path(), problem);
    let name = gguf.text("general.architecture")?;
    let architecture = Architecture::parse(name).map_err(|_| {
        wrong(format!(
            "it holds a `{name}` model, but Ludus imports llama, qwen2 and qwen3 models from GGUF; use the model's safetensors"
        ))
    })?;
    let key = |key: &str| format!("{name}.{key}");
    let integer = |name: &str| gguf.integer(&key(name));
    let optional = |key: &str| gguf.get(key).map(|_| gguf.integer(key)).transpose();
    let (hidden_size, heads) = (integer("embedding_length")?, integer("attention.head_count")?);
    let theta = key("rope.freq_base");
    let mut config = ModelConfig {
        architecture,
        vocab_size: gguf.texts("tokenizer.ggml.tokens")?.len() as i64,
        hidden_size,
        intermediate_size: integer("feed_forward_length")?,
        layers: integer("block_count")?,
        heads,
        kv_heads: optional(&key("attention.head_count_kv"))?.unwrap_or(heads),
        head_dim: optional(&key("attention.key_length"))?.unwrap_or(hidden_size / heads.max(1)),
        rms_norm_eps: gguf.number(&key("attention.layer_norm_rms_epsilon"))?,
        rope_theta: gguf.get(&theta).map_or(Ok(10_000.0), |_| gguf.number(&theta))?,
        rope_scaling: None,
        tied_embeddings: !gguf.tensors().contains_key("output.weight"),
        max_positions: integer("context_length")?,
        attention_bias: architecture == Architecture::Qwen2,
        qk_norm: architecture == Architecture::Qwen3,
        bos_id: optional("tokenizer.ggml.bos_token_id")?,
        eos_ids: optional("tokenizer.ggml.eos_token_id")?.into_iter().collect(),
        pad_id: optional("tokenizer.ggml.padding_token_id")?,
    };
    config.check().map_err(wrong)?;
    let rotated = optional(&key("rope.dimension_count"))?.unwrap_or(config.head_dim);
    if rotated != config.head_dim {
        return Err(wrong("it rotates a part of each head only, which Ludus does not compute".to_owned()));
    }
    config.rope_scaling = scaling(gguf, name, &config)?;
    config.check().map_err(wrong)?;
    Ok(config)
}

/// All weights under their Hugging Face names, as float32.
///
/// # Errors
/// A tensor is missing, has another shape, or is one that this network does not have.
pub(super) fn read(gguf: &Gguf, config: &ModelConfig) -> Result<Vec<(String, Tensor)>, ModelError> {
    let wanted = config.tensors();
    let known: BTreeSet<String> = wanted.iter().filter_map(|(name, _)| gguf_name(name)).collect();
    let mut found = gguf.tensors().keys();
    if let Some(foreign) = found.find(|&name| name != FREQUENCIES && !known.contains(name)) {
        let problem =
            format!("it has a tensor `{foreign}` that a {} network does not", config.architecture.model_type());
        return Err(ModelError::malformed(gguf.path(), problem));
    }
    let mut tensors = Vec::new();
    for (name, shape) in wanted {
        let info = gguf_name(&name).and_then(|name| gguf.tensors().get(&name));
        let info = info.ok_or_else(|| ModelError::malformed(gguf.path(), format!("it has no tensor for `{name}`")))?;
        if info.shape != shape {
            let problem = format!("its tensor for `{name}` has shape {:?}, but its entries say {shape:?}", info.shape);
            return Err(ModelError::malformed(gguf.path(), problem));
        }
        let tensor = Tensor::f_from_slice(&gguf.read(info))?.f_reshape(&shape)?;
        let tensor = match (config.architecture, name.rsplit('.').nth(1)) {
            (Architecture::Llama, Some("q_proj")) => unpermute(&tensor, config.heads)?,
            (Architecture::Llama, Some("k_proj")) => unpermute(&tensor, config.kv_heads)?,
            _ => tensor,
        };
        tensors.push((name, tensor));
    }
    Ok(tensors)
}

/// `[heads * d, hidden]`, rows of each head from (pair, half) to (half, pair).
fn unpermute(tensor: &Tensor, heads: i64) -> Result<Tensor, ModelError> {
    let shape = tensor.size();
    let half = shape[0] / heads / 2;
    Ok(tensor.f_view([heads, half, 2, shape[1]])?.f_transpose(1, 2)?.f_reshape(&shape)?)
}

/// llama.cpp's name for a tensor.
fn gguf_name(name: &str) -> Option<String> {
    let whole = match name {
        "model.embed_tokens.weight" => Some("token_embd.weight"),
        "model.norm.weight" => Some("output_norm.weight"),
        "lm_head.weight" => Some("output.weight"),
        _ => None,
    };
    if let Some(whole) = whole {
        return Some(whole.to_owned());
    }
    let (layer, part) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (part, kind) = part.rsplit_once('.')?;
    let part = match part {
        "input_layernorm" => "attn_norm",
        "post_attention_layernorm" => "ffn_norm",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.q_norm" => "attn_q_norm",
        "self_attn.k_norm" => "attn_k_norm",
        "self_attn.o_proj" => "attn_output",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" => "ffn_up",
        "mlp.down_proj" => "ffn_down",
        _ => return None,
    };
    Some(format!("blk.{layer}.{part}.{kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_each_head_go_back_to_two_halves() {
        // Two heads of four rows, each row numbered as the file has it: pairs (0, 1) and (2, 3).
        let tensor = Tensor::from_slice(&[0i64, 1, 2, 3, 4, 5, 6, 7]).reshape([8, 1]);
        let rows: Vec<i64> = unpermute(&tensor, 2).unwrap().reshape([8]).try_into().unwrap();
        assert_eq!(rows, [0, 2, 1, 3, 4, 6, 5, 7]);
    }

    #[test]
    fn names_of_layers_and_of_the_rest_are_translated() {
        assert_eq!(gguf_name("model.layers.12.mlp.up_proj.weight").as_deref(), Some("blk.12.ffn_up.weight"));
        assert_eq!(gguf_name("model.embed_tokens.weight").as_deref(), Some("token_embd.weight"));
        assert_eq!(gguf_name("model.layers.0.self_attn.q_proj.bias").as_deref(), Some("blk.0.attn_q.bias"));
        assert_eq!(gguf_name("model.layers.0.mlp.gate"), None);
    }
}
