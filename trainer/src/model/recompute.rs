//! A pass whose activations are made again on the way back (1604.06174).
//!
//! Forward, only what enters each layer is kept. Backward, layer by layer from the last one, the layer is computed once more,
//! now with what its gradient needs, and that is dropped before the next. So a pack costs one layer's activations and a third
//! more time. The arithmetic is that of the ordinary pass, and so is every gradient.

use tch::{Kind, Tensor};

use super::attention::Sight;
use super::llama::{Llama, Weights};
use super::pass::Pass;

/// A pass that went forward.
pub struct Recomputed<'a> {
    pass: Pass<'a>,
    weights: &'a Weights,
    tokens: Tensor,
    /// The hidden states that enter each layer, `[time, hidden]`.
    entered: Vec<Tensor>,
}

impl Llama {
    /// The hidden states of a block, as [`Llama::hidden`] returns them but without autograd, and what it takes to walk back.
    pub fn hidden_to_recompute<'a>(
        &'a self,
        weights: &'a Weights,
        tokens: &Tensor,
        positions: &Tensor,
        sight: Sight<'a>,
    ) -> (Tensor, Recomputed<'a>) {
        tch::no_grad(|| {
            let mut pass = self.pass(positions, sight);
            let mut hidden = weights.embed(tokens);
            let mut entered = Vec::with_capacity(weights.layers());
            for layer in 0..weights.layers() {
                let next = pass.layer(weights, layer, &hidden);
                entered.push(std::mem::replace(&mut hidden, next));
            }
            (hidden, Recomputed { pass, weights, tokens: tokens.shallow_clone(), entered })
        })
    }
}

impl Recomputed<'_> {
    /// Adds the gradients of the parameters to them, from that of the hidden states, `[time, hidden]`.
    pub fn backward(mut self, gradient: &Tensor) {
        let mut gradient = gradient.shallow_clone();
        while let Some(entered) = self.entered.pop() {
            let entered = entered.set_requires_grad(true);
            let left = self.pass.layer(self.weights, self.entered.len(), &entered);
            // The product's gradient with respect to what left the layer is the gradient that came back to it.
            (left * gradient).sum(Kind::Float).backward();
            gradient = entered.grad();
        }
        let embedded = self.weights.embed(&self.tokens);
        // Beside adapters nothing is learned here.
        if embedded.requires_grad() {
            (embedded * gradient).sum(Kind::Float).backward();
        }
    }
}
