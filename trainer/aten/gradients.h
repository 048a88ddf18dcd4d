// Gradients that are added up where they lie.
#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

namespace ludus {

/// Lets `add` add to the gradient that a parameter on a CPU has, in float32, and tells whoever waits for it, as libtorch does when
/// it adds one up itself: a gradient of its own for each part of a batch would be written and read once more. Returns false where
/// there is none yet.
template <typename F>
bool added_in_place(const at::Tensor& parameter, F add) {
    if (!parameter.is_cpu() || !parameter.is_leaf() || !parameter.requires_grad()) {
        return false;
    }
    at::Tensor& gradient = parameter.mutable_grad();
    if (!gradient.defined() || gradient.scalar_type() != at::kFloat || !gradient.is_contiguous()) {
        return false;
    }
    {
        const at::NoGradGuard none_is_learned;
        add(gradient);
    }
    if (const auto& hook = torch::autograd::impl::post_acc_grad_hooks(parameter)) {
        (*hook)(parameter);
    }
    return true;
}

} // namespace ludus
