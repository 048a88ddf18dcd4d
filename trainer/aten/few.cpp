// Products of a few rows of float32, and who makes them.

#include "few.h"

#include "kernels.h"
#include "parts.h"
#include "tensors.h"

namespace {

using at::Tensor;
using ludus::FewRows;
using ludus::Projection;
using ludus::in_rows;
using ludus::kernels;

/// Up to so many rows a product is made otherwise than libtorch makes it by itself.
constexpr int64_t FEW_ROWS = 64;

/// Of one row libtorch's own is as fast as memory is.
bool has_kernel_for(int64_t rows) {
    return rows > 1 && rows <= kernels().few_rows_max;
}

std::vector<Tensor> by_kernel(const Tensor& states, const std::vector<Projection>& projections) {
    const Tensor x = in_rows(states);
    const int64_t rows = x.size(0), inner = x.size(1);
    std::vector<Tensor> products, kept;
    std::vector<FewRows> all;
    std::vector<int64_t> outputs;
    int64_t outputs_of_all = 0;
    for (const auto& [weight, bias] : projections) {
        const Tensor w = in_rows(weight), b = bias ? bias->contiguous() : Tensor();
        const Tensor product = at::empty({rows, w.size(0)}, x.options());
        all.push_back({
            x.data_ptr<float>(), x.stride(0), w.data_ptr<float>(), w.stride(0),
            b.defined() ? b.data_ptr<float>() : nullptr, product.data_ptr<float>(), product.stride(0), rows, inner});
        outputs.push_back(w.size(0));
        outputs_of_all += w.size(0);
        products.push_back(product);
        kept.insert(kept.end(), {w, b});
    }
    const Tensor laid_out = at::empty({kernels().scratch_few(rows, inner)}, x.options());
    kernels().lay_out_few(all[0], laid_out.data_ptr<float>());
    ludus::over_shares(rows * inner * outputs_of_all, [&](ludus::Share share) {
        ludus::over_outputs(outputs, share, [&](size_t product, ludus::Span span) {
            kernels().multiply_few(all[product], span.first, span.last, laid_out.data_ptr<float>());
        });
    });
    return products;
}

/// libtorch lays the second factor of a product out anew, which of a few rows would be most of the time: so the weight is the
/// first one.
Tensor turned(const Tensor& states, const Projection& projection) {
    const Tensor product = projection.weight.matmul(states.t()).t();
    return projection.bias ? product + *projection.bias : product;
}

} // namespace

namespace ludus {

bool are_few(const Tensor& states) {
    return states.is_cpu() && states.scalar_type() == at::kFloat && states.size(0) <= FEW_ROWS;
}

std::vector<Tensor> multiplied_few(const Tensor& states, const std::vector<Projection>& projections) {
    if (has_kernel_for(states.size(0))) {
        return by_kernel(states, projections);
    }
    std::vector<Tensor> products;
    for (const Projection& projection : projections) {
        products.push_back(turned(states, projection));
    }
    return products;
}

} // namespace ludus
