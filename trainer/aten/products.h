// Products of states with weights.
#pragma once

#include <optional>
#include <vector>

#include <ATen/ATen.h>

#include "outer.h"

namespace ludus {

/// A weight `[outputs, inner]`, and a bias `[outputs]` if there is one.
struct Projection {
    at::Tensor weight;
    std::optional<at::Tensor> bias;
};

/// What some projections make of the same `states`, `[rows, inner]`: `[rows, outputs]` in their kind each.
std::vector<at::Tensor> multiplied(const at::Tensor& states, const std::vector<Projection>& projections);

/// The gradients of the weights of products with the same states, `[rows, inner]`.
class WeightGradients {
public:
    /// By one of the kernels that there are; the first one is the fastest.
    explicit WeightGradients(const at::Tensor& states, int kernel = 0);

    /// That of one weight, `[outputs, inner]` in float32, from its product's, `[rows, outputs]`; it may be rounded on the way where
    /// that is faster.
    at::Tensor make(const at::Tensor& of_product) const;

    /// Adds that to a gradient of float32, in one piece.
    void add(const at::Tensor& sum, const at::Tensor& of_product) const;

private:
    at::Tensor states;
    const OuterKernel* kernel;
    /// The states as the kernel wants them, where there is one.
    at::Tensor laid_out;

    void by_kernel(const at::Tensor& sum, const at::Tensor& of_product, bool adds) const;
};

} // namespace ludus
