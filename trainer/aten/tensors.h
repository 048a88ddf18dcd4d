// What operations on tensors have in common. Tensors cross from Rust as tch holds them: an `at::Tensor*`.
#pragma once

#include <algorithm>
#include <functional>
#include <initializer_list>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "guarded.h"

#define LUDUS_EXPORTED extern "C" __attribute__((visibility("default")))

namespace ludus {

inline const at::Tensor& tensor(void* raw) {
    return *static_cast<const at::Tensor*>(raw);
}

/// Whether something is learned from what comes of these.
inline bool is_learned_from(std::initializer_list<std::reference_wrapper<const at::Tensor>> tensors) {
    return at::GradMode::is_enabled()
        && std::any_of(tensors.begin(), tensors.end(), [](const at::Tensor& tensor) { return tensor.requires_grad(); });
}

/// A matrix whose rows lie in one piece each.
inline at::Tensor in_rows(const at::Tensor& tensor) {
    return tensor.stride(-1) == 1 || tensor.size(-1) == 1 ? tensor : tensor.contiguous();
}

} // namespace ludus
