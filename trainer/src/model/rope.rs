//! Rotary positions: each pair of numbers of a head is turned by an angle that grows with the position, one pair faster than
//! the next (Su et al., RoFormer, 2104.09864). Pair i of a head of d numbers turns by `theta^(-2i/d)` a position.
//!
//! Models that were trained on short texts first and on long ones later turn some pairs more slowly: [`RopeScaling`].
//!
//! The order of operations, all in float32, is that of transformers: at position 100,000 a frequency that is rounded otherwise
//! turns by another angle.

use std::f32::consts::TAU;

use tch::{Device, Kind, Tensor};

use super::config::ModelConfig;
use crate::fused;

/// How a model's frequencies differ from those that its theta gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// Every frequency is divided by the factor (position interpolation, 2306.15595).
    Linear { factor: f64 },
    /// What Llama 3.1 introduced: pairs that turn less than `low_freq_factor` times within `original_positions` are divided by
    /// the factor, those that turn more than `high_freq_factor` times stay, and between the two it goes over by degrees.
    Llama3 { factor: f64, low_freq_factor: f64, high_freq_factor: f64, original_positions: i64 },
}

impl RopeScaling {
    /// A frequency as it is scaled: f, with s = (original f / 2 pi - low) / (high - low) kept within 0 and 1, becomes
    /// (1 - s) f / factor + s f. From `apply_scaling` in Meta's llama-models.
    pub fn of(self, frequency: f32) -> f32 {
        match self {
            Self::Linear { factor } => frequency / factor as f32,
            Self::Llama3 { factor, low_freq_factor: low, high_freq_factor: high, original_positions } => {
                // Like PyTorch, which divides a number by a tensor by way of the reciprocal.
                let wavelength = frequency.recip() * TAU;
                let turns = wavelength.recip() * original_positions as f32;
                if turns < low as f32 {
                    frequency / factor as f32
                } else if turns > high as f32 {
                    frequency
                } else {
                    let kept = (turns - low as f32) / (high - low) as f32;
                    (1.0 - kept) * frequency / factor as f32 + kept * frequency
                }
            }
        }
    }

    /// Settings that would turn frequencies into nonsense.
    pub(super) fn check(self) -> Result<(), String> {
        let (Self::Linear { factor } | Self::Llama3 { factor, .. }) = self;
        if !(factor.is_finite() && factor >= 1.0) {
            return Err(format!("the factor of its rotary positions is {factor}, but must be a number of at least 1"));
        }
        match self {
            Self::Llama3 { low_freq_factor: low, high_freq_factor: high, original_positions, .. }
                if !(low > 0.0 && low < high && high.is_finite() && original_positions > 0) =>
            {
                Err(format!(
                    "low_freq_factor {low}, high_freq_factor {high} and original_max_position_embeddings {original_positions} of its \
                     rotary positions do not fit together"
                ))
            }
            _ => Ok(()),
        }
    }
}

/// What each pair of a head turns by from one position to the next, `[head_dim / 2]` in float32.
pub fn frequencies(config: &ModelConfig) -> Tensor {
    let doubled = Tensor::arange(config.head_dim / 2, (Kind::Float, Device::Cpu)) * 2.0;
    let frequencies = Tensor::pow_scalar(config.rope_theta, &(doubled / config.head_dim as f64)).reciprocal();
    let Some(scaling) = config.rope_scaling else { return frequencies };
    let mut values = vec![0f32; frequencies.numel()];
    frequencies.copy_data(&mut values, frequencies.numel());
    Tensor::from_slice(&values.into_iter().map(|frequency| scaling.of(frequency)).collect::<Vec<f32>>())
}

/// Cosines and sines of the angles at every position, `[positions, head_dim]` each in float32: those of the pairs twice, once
/// for each half of a head.
pub fn tables(config: &ModelConfig, device: Device) -> (Tensor, Tensor) {
    let positions = Tensor::arange(config.max_positions, (Kind::Float, device));
    let angles = positions.unsqueeze(1) * frequencies(config).to_device(device).unsqueeze(0);
    let angles = Tensor::cat(&[&angles, &angles], 1);
    (angles.cos(), angles.sin())
}

/// Turns heads `[time, heads, head_dim]` by rows of the tables, `[time, head_dim]`. The two halves of a head are the two
/// coordinates, as Hugging Face lays them out.
pub fn rotate(states: &Tensor, (cosines, sines): &(Tensor, Tensor)) -> Tensor {
    if fused::can(states.device(), states.kind()) {
        return fused::rotate(states, cosines, sines);
    }
    rotate_by_parts(states, cosines, sines)
}

fn rotate_by_parts(states: &Tensor, cosines: &Tensor, sines: &Tensor) -> Tensor {
    let half = states.size()[2] / 2;
    let (first, second) = (states.narrow(2, 0, half), states.narrow(2, half, half));
    let turned = Tensor::cat(&[second.neg(), first], 2);
    states * cosines.unsqueeze(1) + turned * sines.unsqueeze(1)
}
