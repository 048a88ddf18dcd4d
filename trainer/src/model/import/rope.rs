//! How a GGUF file says that rotary positions are scaled.
//!
//! A linear scaling is an entry with its factor. Of Llama 3's scaling llama.cpp's converter keeps only what follows from it:
//! a tensor of the numbers by which the frequencies are divided. transformers and vLLM want the settings themselves. All
//! models of that family share three of the four, and the fourth is the last of the numbers; so the settings are put together
//! here, and a file whose numbers do not follow from them is refused.

use super::super::ModelError;
use super::super::config::ModelConfig;
use super::super::gguf::Gguf;
use super::super::rope::{RopeScaling, frequencies};

/// The tensor with the numbers that Llama 3's frequencies are divided by.
pub(super) const FREQUENCIES: &str = "rope_freqs.weight";

/// Those numbers are float32, and computed in another order than ours.
const TOLERANCE: f32 = 1e-5;

/// The scaling of a file whose other settings are in `config`, which has none yet.
///
/// # Errors
/// The file scales otherwise.
pub(super) fn scaling(
    gguf: &Gguf,
    architecture: &str,
    config: &ModelConfig,
) -> Result<Option<RopeScaling>, ModelError> {
    let wrong = |problem: String| ModelError::malformed(gguf.path(), problem);
    let kind = format!("{architecture}.rope.scaling.type");
    let kind = gguf.get(&kind).map_or(Ok("none"), |_| gguf.text(&kind))?;
    let divisors = gguf.tensors().get(FREQUENCIES).map(|tensor| gguf.read(tensor));
    match (kind, divisors) {
        ("none", None) => Ok(None),
        ("linear", None) => {
            Ok(Some(RopeScaling::Linear { factor: gguf.number(&format!("{architecture}.rope.scaling.factor"))? }))
        }
        ("none", Some(divisors)) => Ok(Some(llama3(&divisors, config).ok_or_else(|| {
            wrong(format!("its `{FREQUENCIES}` is not what Llama 3's scaling gives; use the model's safetensors"))
        })?)),
        _ => Err(wrong(format!("it scales rotary positions by `{kind}`, but Ludus knows linear and Llama 3's"))),
    }
}

/// Llama 3's scaling, if the divisors follow from it.
fn llama3(divisors: &[f32], config: &ModelConfig) -> Option<RopeScaling> {
    // As a decimal, like every 32-bit float of such a file that goes into a config.
    let factor = divisors.last()?.to_string().parse().ok()?;
    let scaling = RopeScaling::Llama3 { factor, low_freq_factor: 1.0, high_freq_factor: 4.0, original_positions: 8192 };
    scaling.check().ok()?;
    let unscaled = Vec::<f32>::try_from(frequencies(config)).ok()?;
    let follows =
        |(divisor, frequency): (&f32, f32)| (frequency / scaling.of(frequency) / divisor - 1.0).abs() < TOLERANCE;
    (divisors.len() == unscaled.len() && divisors.iter().zip(unscaled).all(follows)).then_some(scaling)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Llama 3.2's heads.
    fn config() -> ModelConfig {
        let text = r#"{"model_type": "llama", "vocab_size": 5, "hidden_size": 128, "intermediate_size": 6, "num_hidden_layers": 1,
            "num_attention_heads": 2, "rms_norm_eps": 1e-5, "max_position_embeddings": 8, "rope_theta": 500000.0}"#;
        ModelConfig::from_json(text).unwrap()
    }

    fn divisors(scaling: RopeScaling) -> Vec<f32> {
        let unscaled = Vec::<f32>::try_from(frequencies(&config())).unwrap();
        unscaled.into_iter().map(|frequency| frequency / scaling.of(frequency)).collect()
    }

    #[test]
    fn the_settings_of_llama_3_are_found_in_the_numbers_that_follow_from_them() {
        let scaling = |original_positions| RopeScaling::Llama3 {
            factor: 32.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_positions,
        };
        assert_eq!(llama3(&divisors(scaling(8192)), &config()), Some(scaling(8192)));
        assert_eq!(llama3(&divisors(scaling(4096)), &config()), None, "another length");
        assert_eq!(llama3(&divisors(scaling(8192))[1..], &config()), None, "another size of head");
        assert_eq!(llama3(&[], &config()), None);
    }
}
