//! AdamW with decoupled weight decay (1711.05101).
//!
//! An optimizer may hold a row of the parameters alone, and step these (`ranks`).
//!
//! Moments are float32 beside the float32 masters. A step is one walk through all of them (`aten/optimizer.cpp`), number by number,
//! and so the same bit for bit on the same machine.

use std::ffi::c_char;
use std::ops::Range;

use tch::{Kind, Tensor};

use crate::aten::{RawTensor, check, raw};

unsafe extern "C" {
    fn ludus_optimizer_adamw(
        count: i64,
        parameters: *const RawTensor,
        gradients: *const RawTensor,
        first: *const RawTensor,
        second: *const RawTensor,
        updates: i64,
        learning_rate: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        epsilon: f64,
    ) -> *mut c_char;
}

/// The settings of AdamW.
#[derive(Clone, Copy, Debug)]
pub struct AdamWSettings {
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
}

/// AdamW of a row of parameters, or of all.
pub struct AdamW {
    pub settings: AdamWSettings,
    /// The places of the parameters that it steps among all.
    held: Range<usize>,
    moments: Moments,
}

/// First and second moments, in the parameters' order.
#[derive(Debug)]
pub struct Moments {
    /// Updates made so far.
    pub updates: u64,
    pub first: Vec<Tensor>,
    pub second: Vec<Tensor>,
}

impl AdamW {
    /// Moments of zero for these parameters.
    pub fn new(settings: AdamWSettings, parameters: &[(String, Tensor)]) -> AdamW {
        AdamW::of(settings, parameters, 0..parameters.len())
    }

    /// Moments of zero for a row of these parameters, which alone will be stepped.
    pub fn of(settings: AdamWSettings, parameters: &[(String, Tensor)], held: Range<usize>) -> AdamW {
        let zeros = || {
            let held = parameters[held.clone()].iter();
            held.map(|(_, tensor)| tch::no_grad(|| tensor.detach().zeros_like())).collect()
        };
        let moments = Moments { updates: 0, first: zeros(), second: zeros() };
        AdamW { settings, held, moments }
    }

    /// The places of the parameters that it steps among all.
    pub fn held(&self) -> Range<usize> {
        self.held.clone()
    }

    /// The moments of those.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }

    /// Goes on from these moments, which are of those.
    pub fn go_on(&mut self, moments: Moments) {
        self.moments = moments;
    }

    /// One update from the gradients that the parameters hold. Parameters without a gradient stay.
    pub fn step(&mut self, parameters: &mut [(String, Tensor)], learning_rate: f64) {
        let Moments { updates, first, second } = &mut self.moments;
        *updates += 1;
        let AdamWSettings { beta1, beta2, epsilon, weight_decay } = self.settings;
        let mut stepped = Vec::new();
        for (index, (_, parameter)) in parameters[self.held.clone()].iter_mut().enumerate() {
            let gradient = parameter.grad();
            if gradient.defined() {
                assert!(parameter.is_contiguous() && parameter.kind() == Kind::Float, "a master");
                stepped.push((raw(parameter), gradient.contiguous(), raw(&first[index]), raw(&second[index])));
            }
        }
        let masters: Vec<RawTensor> = stepped.iter().map(|(parameter, ..)| *parameter).collect();
        let gradients: Vec<RawTensor> = stepped.iter().map(|(_, gradient, ..)| raw(gradient)).collect();
        let firsts: Vec<RawTensor> = stepped.iter().map(|(_, _, first, _)| *first).collect();
        let seconds: Vec<RawTensor> = stepped.iter().map(|(.., second)| *second).collect();
        // SAFETY: as many of each, in float32, which live during the call.
        check(unsafe {
            ludus_optimizer_adamw(
                stepped.len() as i64,
                masters.as_ptr(),
                gradients.as_ptr(),
                firsts.as_ptr(),
                seconds.as_ptr(),
                *updates as i64,
                learning_rate,
                beta1,
                beta2,
                weight_decay,
                epsilon,
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradients::{clear, clip};

    fn parameter(values: &[f32]) -> Vec<(String, Tensor)> {
        vec![("p".into(), Tensor::from_slice(values).set_requires_grad(true))]
    }

    #[test]
    fn the_first_two_updates_are_the_hand_computed_ones() {
        let mut parameters = parameter(&[1.0]);
        let settings = AdamWSettings { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.1 };
        let mut optimizer = AdamW::new(settings, &parameters);
        // The gradient of 3p is 3: the bias-corrected ratio is 1, so p = 1 * (1 - 0.01 * 0.1) - 0.01.
        (&parameters[0].1 * 3.0).sum(Kind::Float).backward();
        optimizer.step(&mut parameters, 0.01);
        assert!((parameters[0].1.double_value(&[0]) - 0.989).abs() < 1e-6);
        // Then the gradient of -p: first moment 0.9*0.3 - 0.1 = 0.17 over 1 - 0.81; second 0.95*0.45 + 0.05 over 1 - 0.9025.
        clear(&mut parameters);
        (-&parameters[0].1).sum(Kind::Float).backward();
        optimizer.step(&mut parameters, 0.01);
        let ratio = (0.17 / 0.19) / (0.4775f64 / 0.0975).sqrt();
        let expected = 0.989 * 0.999 - 0.01 * ratio;
        assert!((parameters[0].1.double_value(&[0]) - expected).abs() < 1e-6);
    }

    /// The formula of the paper in one piece, beside a step of several blocks and a rest.
    #[test]
    fn a_parameter_of_many_blocks_is_stepped_like_one_of_few_numbers() {
        const COUNT: i64 = 600_000;
        let numbers = (Tensor::arange(COUNT, (Kind::Float, tch::Device::Cpu)) * 0.37).sin();
        let mut parameters = vec![("p".to_string(), numbers.copy().view([600, 1_000]).set_requires_grad(true))];
        let settings = AdamWSettings { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.1 };
        let mut optimizer = AdamW::new(settings, &parameters);
        (&parameters[0].1 * (&numbers + 2.0).view([600, 1_000])).sum(Kind::Float).backward();
        let norm = clip(&parameters, 1.0);
        let whole = (&numbers + 2.0).to_kind(Kind::Double).square().sum(Kind::Double).double_value(&[]).sqrt();
        assert!((norm / whole - 1.0).abs() < 1e-6);
        optimizer.step(&mut parameters, 0.01);
        let gradient = (&numbers + 2.0) * (1.0 / whole);
        let expected = &numbers * 0.999 - gradient.copy() / (gradient.abs() + 1e-8) * 0.01;
        let apart = (parameters[0].1.detach().view([-1]) - expected).abs().max().double_value(&[]);
        assert!(apart < 1e-5, "{apart}");
    }
}
