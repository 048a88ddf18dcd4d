//! The states of tokens before the first layer, as one operation with its gradient (`aten/embedding.cpp`): that is added to what the
//! parameter has already, row by row, instead of being made as large as the vocabulary in each part of a batch.

use std::ffi::c_char;

use tch::Tensor;

use crate::aten::{RawTensor, made, raw};

unsafe extern "C" {
    fn ludus_embedding_of(embedding: RawTensor, tokens: RawTensor, made: *mut RawTensor) -> *mut c_char;
}

/// The rows of `embedding`, `[vocab, hidden]`, that are those of `tokens`, `[time]` of int64: `[time, hidden]`.
pub fn embed(embedding: &Tensor, tokens: &Tensor) -> Tensor {
    // SAFETY: tensors that live during the call; libtorch checks what they are.
    made(|made| unsafe { ludus_embedding_of(raw(embedding), raw(tokens), made) })
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn gradients_add_up_row_by_row_from_the_first_one_on() {
        let embedding = Tensor::arange(12, (Kind::Float, Device::Cpu)).view([4, 3]).set_requires_grad(true);
        for (round, tokens) in [[1i64, 3, 1], [0, 1, 0]].into_iter().enumerate() {
            let states = embed(&embedding, &Tensor::from_slice(&tokens));
            assert!(states.detach() == embedding.detach().index_select(0, &Tensor::from_slice(&tokens)));
            let weights = Tensor::from_slice(&[1.0f32, 10.0, 100.0]).view([3, 1]);
            (states * weights).sum(Kind::Float).backward();
            let expected = [[0.0f32, 101.0, 0.0, 10.0], [101.0, 111.0, 0.0, 10.0]][round];
            let rows = Tensor::from_slice(&expected).view([4, 1]).expand([4, 3], false);
            assert!(embedding.grad() == rows, "round {round}");
        }
    }

    #[test]
    fn a_frozen_embedding_has_no_gradient() {
        let states = embed(&Tensor::ones([2, 3], (Kind::Float, Device::Cpu)), &Tensor::from_slice(&[1i64]));
        assert!(!states.requires_grad());
    }
}
