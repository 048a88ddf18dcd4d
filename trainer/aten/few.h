// Products of a few rows of float32.
#pragma once

#include <vector>

#include <ATen/ATen.h>

#include "products.h"

namespace ludus {

/// Whether these are a few rows of float32 on a CPU, `[rows, inner]`.
bool are_few(const at::Tensor& states);

/// What some projections make of a few rows.
std::vector<at::Tensor> multiplied_few(const at::Tensor& states, const std::vector<Projection>& projections);

} // namespace ludus
