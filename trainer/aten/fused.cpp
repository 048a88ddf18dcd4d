// The kernels as operations on tensors, with their gradients.
//
// Every function returns null, or a text that says what went wrong.

#include <algorithm>
#include <initializer_list>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "fused.h"
#include "kernels.h"
#include "linear.h"
#include "tensors.h"

namespace ludus {

#if defined(__x86_64__)
extern const Kernels kernels_amx;
extern const Kernels kernels_avx512;
extern const Kernels kernels_avx2;
#endif
extern const Kernels kernels_plain;

const Kernels& kernels() {
#if defined(__x86_64__)
    static const Kernels& chosen = [&]() -> const Kernels& {
        auto has_all = [](std::initializer_list<bool> features) {
            return std::all_of(features.begin(), features.end(), [](bool has) { return has; });
        };
        if (has_all({!!__builtin_cpu_supports("avx512f"), !!__builtin_cpu_supports("avx512bw"),
                     !!__builtin_cpu_supports("avx512dq"), !!__builtin_cpu_supports("avx512vl")})) {
            return may_use_tiles() ? kernels_amx : kernels_avx512;
        }
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? kernels_avx2 : kernels_plain;
    }();
    return chosen;
#else
    return kernels_plain;
#endif
}

} // namespace ludus

namespace {

using at::Tensor;
using ludus::Rows;
using ludus::in_rows;
using ludus::is_learned_from;
using ludus::kernels;
using ludus::tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// About as many numbers are worth another thread.
constexpr int64_t NUMBERS_A_THREAD = 1 << 15;
/// Rows whose gradients of a weight are added up one after the other.
constexpr int64_t ROWS_ADDED = 64;

Rows rows(const Tensor& matrix, int64_t first = 0) {
    auto* data = static_cast<char*>(matrix.data_ptr()) + first * matrix.stride(0) * matrix.element_size();
    return {data, matrix.scalar_type() == at::kFloat, matrix.stride(0)};
}

/// Calls `each(first row, rows)` in as many threads as so much work is worth.
template <typename F>
void over_rows(const Tensor& matrix, F each) {
    const int64_t grain = std::max<int64_t>(1, NUMBERS_A_THREAD / std::max<int64_t>(1, matrix.size(1)));
    at::parallel_for(0, matrix.size(0), grain, [&](int64_t begin, int64_t end) { each(begin, end - begin); });
}

} // namespace

namespace ludus {

Tensor normed(const Tensor& states, const Tensor& weight, double epsilon, at::ScalarType kind, Tensor* scales) {
    const int64_t width = states.size(-1);
    const Tensor x = in_rows(states.reshape({-1, width})), w = weight.contiguous();
    Tensor y = at::empty({x.size(0), width}, x.options().dtype(kind));
    if (scales) {
        *scales = at::empty({x.size(0)}, w.options());
    }
    over_rows(x, [&](int64_t first, int64_t count) {
        float* kept = scales ? scales->data_ptr<float>() + first : nullptr;
        kernels().norm(rows(x, first), w.data_ptr<float>(), rows(y, first), kept, count, width, epsilon);
    });
    return y.view(states.sizes());
}

std::pair<Tensor, Tensor> norm_backward(
    const Tensor& states, const Tensor& weight, const Tensor& scales, const Tensor& of_normed) {
    const int64_t width = states.size(-1);
    const Tensor x = in_rows(states.reshape({-1, width})), w = weight.contiguous();
    const int64_t count = x.size(0);
    const Tensor of_y = in_rows(of_normed.reshape({count, width}));
    Tensor of_x = at::empty({count, width}, x.options());
    // Added up in the same order whatever the number of threads.
    const int64_t parts = (count + ROWS_ADDED - 1) / ROWS_ADDED;
    Tensor of_weight = at::zeros({parts, width}, w.options());
    const int64_t grain = std::max<int64_t>(1, NUMBERS_A_THREAD / (ROWS_ADDED * std::max<int64_t>(1, width)));
    at::parallel_for(0, parts, grain, [&](int64_t begin, int64_t end) {
        for (int64_t part = begin; part < end; part++) {
            const int64_t first = part * ROWS_ADDED;
            kernels().norm_backward(
                rows(x, first), w.data_ptr<float>(), scales.data_ptr<float>() + first, rows(of_y, first),
                rows(of_x, first), static_cast<float*>(rows(of_weight, part).data), std::min(ROWS_ADDED, count - first),
                width);
        }
    });
    return {of_x.view(states.sizes()), of_weight.sum(0)};
}

static Tensor gated_rows(const Tensor& gate, const Tensor& up) {
    Tensor y = at::empty(gate.sizes(), gate.options());
    over_rows(gate, [&](int64_t first, int64_t count) {
        kernels().gated(rows(gate, first), rows(up, first), rows(y, first), count, gate.size(1));
    });
    return y;
}

Tensor gated(const Tensor& gate, const Tensor& up) {
    // Products of few rows leave columns that lie in one piece each; so does what comes of two such.
    if (!gate.is_contiguous() && gate.t().is_contiguous() && up.t().is_contiguous()) {
        return gated_rows(gate.t(), up.t()).t();
    }
    return gated_rows(gate.contiguous(), up.contiguous());
}

std::pair<Tensor, Tensor> gated_backward(const Tensor& gates, const Tensor& ups, const Tensor& of_gated) {
    const Tensor gate = gates.contiguous(), up = ups.contiguous(), of_y = of_gated.contiguous();
    Tensor of_gate = at::empty(gate.sizes(), gate.options()), of_up = at::empty(up.sizes(), up.options());
    over_rows(gate, [&](int64_t first, int64_t count) {
        kernels().gated_backward(
            rows(gate, first), rows(up, first), rows(of_y, first), rows(of_gate, first), rows(of_up, first), count,
            gate.size(1));
    });
    return {of_gate, of_up};
}

} // namespace ludus

namespace {

struct Norm : torch::autograd::Function<Norm> {
    static Tensor forward(
        AutogradContext* context, const Tensor& states, const Tensor& weight, double epsilon, at::ScalarType kind) {
        Tensor scales;
        const Tensor y = ludus::normed(states, weight, epsilon, kind, &scales);
        context->save_for_backward({states, weight, scales});
        return y;
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto [of_states, of_weight] = ludus::norm_backward(saved[0], saved[1], saved[2], gradients[0]);
        return {of_states, of_weight, Tensor(), Tensor()};
    }
};

Tensor rotated(const Tensor& states, const Tensor& cosines, const Tensor& sines, float direction) {
    const int64_t tokens = states.size(0), heads = states.size(1), dim = states.size(2);
    const bool lies_well = states.stride(2) == 1 && states.stride(1) == dim;
    const Tensor x = (lies_well ? states : states.contiguous()).as_strided(
        {tokens, heads * dim}, {lies_well ? states.stride(0) : heads * dim, 1});
    Tensor y = at::empty({tokens, heads, dim}, states.options());
    const Tensor to = y.view({tokens, heads * dim});
    over_rows(x, [&](int64_t first, int64_t count) {
        kernels().rotate(
            rows(x, first), rows(cosines, first), rows(sines, first), rows(to, first), count, heads, dim, direction);
    });
    return y;
}

struct Rotate : torch::autograd::Function<Rotate> {
    static Tensor forward(
        AutogradContext* context, const Tensor& states, const Tensor& cosines, const Tensor& sines) {
        context->save_for_backward({cosines, sines});
        return rotated(states, cosines, sines, 1);
    }

    /// Turns back.
    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        return {rotated(gradients[0], saved[0], saved[1], -1), Tensor(), Tensor()};
    }
};

struct Gated : torch::autograd::Function<Gated> {
    static Tensor forward(AutogradContext* context, const Tensor& gate, const Tensor& up) {
        context->save_for_backward({gate, up});
        return ludus::gated(gate, up);
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto [of_gate, of_up] = ludus::gated_backward(saved[0], saved[1], gradients[0]);
        return {of_gate, of_up};
    }
};

} // namespace

LUDUS_EXPORTED const char* ludus_fused_kernels() {
    return kernels().name;
}

LUDUS_EXPORTED char* ludus_fused_norm(void* states, void* weight, double epsilon, bool wide, void** made) {
    return ludus::guarded([&] {
        const auto kind = wide ? at::kFloat : at::kBFloat16;
        const Tensor &x = tensor(states), &w = tensor(weight);
        *made = new Tensor(is_learned_from({x, w}) ? Norm::apply(x, w, epsilon, kind) : ludus::normed(x, w, epsilon, kind));
    });
}

LUDUS_EXPORTED char* ludus_fused_rotate(void* states, void* cosines, void* sines, void** made) {
    return ludus::guarded([&] {
        const Tensor &x = tensor(states), &c = tensor(cosines), &s = tensor(sines);
        *made = new Tensor(is_learned_from({x}) ? Rotate::apply(x, c, s) : rotated(x, c, s, 1));
    });
}

LUDUS_EXPORTED char* ludus_fused_gated(void* gate, void* up, void** made) {
    return ludus::guarded([&] {
        const Tensor &g = tensor(gate), &u = tensor(up);
        *made = new Tensor(is_learned_from({g, u}) ? Gated::apply(g, u) : ludus::gated(g, u));
    });
}
