// Products of states with weights.
#pragma once

#include <optional>
#include <vector>

#include <ATen/ATen.h>

namespace ludus {

/// A weight `[outputs, inner]`, and a bias `[outputs]` if there is one.
struct Projection {
    at::Tensor weight;
    std::optional<at::Tensor> bias;
};

/// What some projections make of the same `states`, `[rows, inner]` of a narrow kind: `[rows, outputs]` in that kind each.
std::vector<at::Tensor> multiplied(const at::Tensor& states, const std::vector<Projection>& projections);

/// The gradient of a weight in float32, from that of the product and the states; it may be rounded on the way where that is faster.
at::Tensor weight_gradient(const at::Tensor& of_product, const at::Tensor& states);

/// Adds that to a gradient `[outputs, inner]` of float32, in one piece.
void add_weight_gradient(at::Tensor& sum, const at::Tensor& of_product, const at::Tensor& states);

} // namespace ludus
