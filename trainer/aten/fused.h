// What enters products, as operations on tensors: with and without autograd around them.
#pragma once

#include <utility>

#include <ATen/ATen.h>

#include "kernels.h"

namespace ludus {

/// RMSNorm over the last dimension, in `kind`; `scales` takes what each row was multiplied by, where it is not null.
at::Tensor normed(
    const at::Tensor& states, const at::Tensor& weight, double epsilon, at::ScalarType kind,
    at::Tensor* scales = nullptr);

/// The gradients of the states and of the weight.
std::pair<at::Tensor, at::Tensor> norm_backward(
    const at::Tensor& states, const at::Tensor& weight, const at::Tensor& scales, const at::Tensor& of_normed);

/// `silu(gate) * up`, of matrices.
at::Tensor gated(const at::Tensor& gate, const at::Tensor& up);

/// The gradients of the gate and of what it lets through.
std::pair<at::Tensor, at::Tensor> gated_backward(
    const at::Tensor& gate, const at::Tensor& up, const at::Tensor& of_gated);

/// Attention of tokens, each over as many positions of its place as it sees.
void attend(const Attending& all, int64_t tokens, const int64_t* places, const int64_t* seen);

} // namespace ludus
