// Products of a few rows of float32. See src/projections.rs.

#include <optional>

#include <ATen/ATen.h>

#include "kernels.h"
#include "parts.h"
#include "tensors.h"

namespace {

using at::Tensor;
using ludus::in_rows;
using ludus::is_learned_from;
using ludus::kernels;
using ludus::tensor;

/// Of one row libtorch's own is as fast as memory is.
bool has_kernel_for(int64_t rows) {
    return rows > 1 && rows <= kernels().few_rows_max;
}

Tensor by_kernel(const Tensor& states, const Tensor& weight, const std::optional<Tensor>& bias) {
    const Tensor x = in_rows(states), w = in_rows(weight), b = bias ? bias->contiguous() : Tensor();
    const int64_t rows = x.size(0), inner = x.size(1), outputs = w.size(0);
    const Tensor product = at::empty({rows, outputs}, x.options());
    const Tensor laid_out = at::empty({kernels().scratch_few(rows, inner)}, x.options());
    const ludus::FewRows of{
        x.data_ptr<float>(), x.stride(0), w.data_ptr<float>(), w.stride(0), b.defined() ? b.data_ptr<float>() : nullptr,
        product.data_ptr<float>(), product.stride(0), rows, inner};
    kernels().lay_out_few(of, laid_out.data_ptr<float>());
    ludus::over_shares(rows * inner * outputs, [&](ludus::Share share) {
        const auto [first, last] = share.of_outputs(outputs);
        kernels().multiply_few(of, first, last, laid_out.data_ptr<float>());
    });
    return product;
}

/// libtorch lays the second factor of a product out anew, which of a few rows would be most of the time: so the weight is the
/// first one.
Tensor turned(const Tensor& states, const Tensor& weight, const std::optional<Tensor>& bias) {
    const Tensor product = weight.matmul(states.t()).t();
    return bias ? product + *bias : product;
}

} // namespace

/// `states weight^T + bias` of float32 on a CPU; `bias` may be null.
LUDUS_EXPORTED char* ludus_few_linear(void* states, void* weight, void* bias, void** made) {
    return ludus::guarded([&] {
        const Tensor &x = tensor(states), &w = tensor(weight);
        const auto b = bias ? std::optional(tensor(bias)) : std::nullopt;
        const bool learned = is_learned_from({x, w}) || (b && is_learned_from({*b}));
        *made = new Tensor(has_kernel_for(x.size(0)) && !learned ? by_kernel(x, w, b) : turned(x, w, b));
    });
}
