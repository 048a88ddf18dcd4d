//! A GGUF file's network in Hugging Face's terms: its config, its tensors' names, and the order
//! of its query and key rows.
//!
//! llama.cpp rotates neighbouring pairs of a head's numbers, transformers rotates number i with
//! number i + d/2. So llama.cpp's converter reorders the rows of each head's query and key
//! projections, for this architecture alone, and here it is undone: row (h, half, i) of ours is
//! row (h, i, half) of the file.

use tch::Tensor;

use super::super::ModelError;
use super::super::config::{Architecture, ModelConfig};
use super::super::gguf::Gguf;

/// The network's shape, from the file's metadata.
///
/// # Errors
/// An entry is missing or senseless, or the architecture is not llama.
pub(super) fn config(gguf: &Gguf) -> Result<ModelConfig, ModelError> {
    let architecture = gguf.text("general.architecture")?;
    if architecture != "llama" {
        let problem = format!(
            "it holds a `{architecture}` model, but Ludus imports llama models from GGUF; use the model's safetensors"
        );
        return Err(ModelError::malformed(gguf.path(), problem));
    }
    // Scaled rotary positions come as a tensor or as entries.
    let scaled = gguf.tensors().contains_key("rope_freqs.weight")
        || gguf
            .get("llama.rope.scaling.type")
            .is_some_and(|_| gguf.text("llama.rope.scaling.type").is_ok_and(|kind| kind != "none"));
    if scaled {
        return Err(ModelError::malformed(gguf.path(), "it scales rotary positions, which Ludus does not compute"));
    }
    let integer = |key: &str| gguf.integer(&format!("llama.{key}"));
    let (hidden_size, heads) = (integer("embedding_length")?, integer("attention.head_count")?);
    let optional = |key: &str| gguf.get(key).map(|_| gguf.integer(key)).transpose();
    let config = ModelConfig {
        architecture: Architecture::Llama,
        vocab_size: gguf.texts("tokenizer.ggml.tokens")?.len() as i64,
        hidden_size,
        intermediate_size: integer("feed_forward_length")?,
        layers: integer("block_count")?,
        heads,
        kv_heads: optional("llama.attention.head_count_kv")?.unwrap_or(heads),
        head_dim: optional("llama.attention.key_length")?.unwrap_or(hidden_size / heads.max(1)),
        rms_norm_eps: gguf.number("llama.attention.layer_norm_rms_epsilon")?,
        rope_theta: gguf.get("llama.rope.freq_base").map_or(Ok(10_000.0), |_| gguf.number("llama.rope.freq_base"))?,
        tied_embeddings: !gguf.tensors().contains_key("output.weight"),
        max_positions: integer("context_length")?,
        attention_bias: false,
        qk_norm: false,
        bos_id: optional("tokenizer.ggml.bos_token_id")?,
        eos_ids: optional("tokenizer.ggml.eos_token_id")?.into_iter().collect(),
        pad_id: optional("tokenizer.ggml.padding_token_id")?,
    };
    config.check().map_err(|problem| ModelError::malformed(gguf.path(), problem))?;
    let rotated = optional("llama.rope.dimension_count")?.unwrap_or(config.head_dim);
    if rotated != config.head_dim {
        return Err(ModelError::malformed(
            gguf.path(),
            "it rotates a part of each head only, which Ludus does not compute",
        ));
    }
    Ok(config)
}

/// All weights under their Hugging Face names, as float32.
///
/// # Errors
/// A tensor is missing, has another shape, or is one that this network does not have.
pub(super) fn read(gguf: &Gguf, config: &ModelConfig) -> Result<Vec<(String, Tensor)>, ModelError> {
    let wanted = config.tensors();
    if gguf.tensors().len() > wanted.len() {
        let known: Vec<String> = wanted.iter().filter_map(|(name, _)| gguf_name(name)).collect();
        let foreign = gguf.tensors().keys().find(|name| !known.contains(name));
        let problem = format!("it has a tensor `{}` that a llama network does not", foreign.map_or("", String::as_str));
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
        let tensor = match name.rsplit('.').nth(1) {
            Some("q_proj") => unpermute(&tensor, config.heads)?,
            Some("k_proj") => unpermute(&tensor, config.kv_heads)?,
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
    let part = match part.strip_suffix(".weight")? {
        "input_layernorm" => "attn_norm",
        "post_attention_layernorm" => "ffn_norm",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" => "attn_output",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" => "ffn_up",
        "mlp.down_proj" => "ffn_down",
        _ => return None,
    };
    Some(format!("blk.{layer}.{part}.weight"))
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
        assert_eq!(gguf_name("model.layers.0.self_attn.q_proj.bias"), None);
    }
}
