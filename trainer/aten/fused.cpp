// The kernels as operations on tensors, with their gradients.
//
// Every function returns null, or a text that says what went wrong.

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels.h"
#include "tensors.h"

namespace ludus {

#if defined(__x86_64__)
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
            return kernels_avx512;
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
/// Tokens whose queries share the keys that were read for them.
constexpr int64_t TOKENS_TOGETHER = 8;
/// Tokens whose scores exist at one time on the way back.
constexpr int64_t TOKENS_BACK = 256;

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

Tensor normed(
    const Tensor& states, const Tensor& weight, double epsilon, at::ScalarType kind, AutogradContext* context = nullptr) {
    const int64_t width = states.size(-1);
    const Tensor x = in_rows(states.reshape({-1, width})), w = weight.contiguous();
    Tensor y = at::empty({x.size(0), width}, x.options().dtype(kind));
    Tensor scales = context ? at::empty({x.size(0)}, w.options()) : Tensor();
    over_rows(x, [&](int64_t first, int64_t count) {
        float* kept = context ? scales.data_ptr<float>() + first : nullptr;
        kernels().norm(rows(x, first), w.data_ptr<float>(), rows(y, first), kept, count, width, epsilon);
    });
    if (context) {
        context->save_for_backward({x, w, scales});
    }
    return y.view(states.sizes());
}

struct Norm : torch::autograd::Function<Norm> {
    static Tensor forward(
        AutogradContext* context, const Tensor& states, const Tensor& weight, double epsilon, at::ScalarType kind) {
        return normed(states, weight, epsilon, kind, context);
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const Tensor &x = saved[0], &w = saved[1], &scales = saved[2];
        const int64_t count = x.size(0), width = x.size(1);
        const Tensor of_y = in_rows(gradients[0].reshape({count, width}));
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
                    rows(of_x, first), static_cast<float*>(rows(of_weight, part).data),
                    std::min(ROWS_ADDED, count - first), width);
            }
        });
        return {of_x.view(gradients[0].sizes()), of_weight.sum(0), Tensor(), Tensor()};
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

Tensor gated_rows(const Tensor& gate, const Tensor& up) {
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

struct Gated : torch::autograd::Function<Gated> {
    static Tensor forward(AutogradContext* context, const Tensor& gate, const Tensor& up) {
        context->save_for_backward({gate, up});
        return gated(gate, up);
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const Tensor gate = saved[0].contiguous(), up = saved[1].contiguous(), of_y = gradients[0].contiguous();
        Tensor of_gate = at::empty(gate.sizes(), gate.options()), of_up = at::empty(up.sizes(), up.options());
        over_rows(gate, [&](int64_t first, int64_t count) {
            kernels().gated_backward(
                rows(gate, first), rows(up, first), rows(of_y, first), rows(of_gate, first), rows(of_up, first), count,
                gate.size(1));
        });
        return {of_gate, of_up};
    }
};

/// Tokens that follow each other and look into the same place, a few at a time.
std::vector<ludus::Looking> looks(const Tensor& places, const Tensor& seen) {
    const int64_t *place = places.data_ptr<int64_t>(), *count = seen.data_ptr<int64_t>();
    std::vector<ludus::Looking> all;
    for (int64_t token = 0; token < places.size(0); token++) {
        const bool goes_on = !all.empty() && all.back().place == place[token] && all.back().tokens < TOKENS_TOGETHER;
        if (goes_on) {
            all.back().tokens += 1;
        } else {
            all.push_back({token, 1, place[token], count + token});
        }
    }
    return all;
}

/// Later tokens see more. Those from the front and from the back in turns, so that each thread gets as much to do.
const ludus::Looking& look(const std::vector<ludus::Looking>& all, int64_t index) {
    return index % 2 == 0 ? all[index / 2] : all[all.size() - 1 - index / 2];
}

/// `query`: `[tokens, query heads, dim]`; `keys` and `values`: `[places, key heads, positions, dim]`; the place of each token and
/// how many of its positions it sees, at least one: `[tokens]` of int64. Returns `[tokens, query heads * dim]`.
Tensor attended(
    const Tensor& query, const Tensor& keys, const Tensor& values, const Tensor& places, const Tensor& seen,
    double scale) {
    const Tensor q = in_rows(query), k = in_rows(keys), v = in_rows(values);
    const int64_t tokens = q.size(0), query_heads = q.size(1), dim = q.size(2), key_heads = k.size(1);
    Tensor mixed = at::empty({tokens, query_heads * dim}, q.options());
    const ludus::Attending all{
        q.data_ptr(), k.data_ptr(), v.data_ptr(), mixed.data_ptr(), q.scalar_type() == at::kFloat,
        q.stride(0), q.stride(1), k.stride(0), k.stride(1), k.stride(2), v.stride(0), v.stride(1), v.stride(2),
        mixed.stride(0), query_heads, key_heads, dim, static_cast<float>(scale)};
    const auto looking = looks(places, seen);
    const int64_t items = static_cast<int64_t>(looking.size()) * key_heads;
    at::parallel_for(0, items, 1, [&](int64_t begin, int64_t end) {
        int64_t room = 0;
        for (int64_t item = begin; item < end; item++) {
            room = std::max(room, kernels().scratch(all, look(looking, item / key_heads)));
        }
        Tensor memory = at::empty({room}, q.options().dtype(at::kFloat));
        for (int64_t item = begin; item < end; item++) {
            kernels().attend(all, look(looking, item / key_heads), item % key_heads, memory.data_ptr<float>());
        }
    });
    return mixed;
}

struct Attend : torch::autograd::Function<Attend> {
    static Tensor forward(
        AutogradContext* context, const Tensor& query, const Tensor& keys, const Tensor& values, const Tensor& places,
        const Tensor& seen, double scale) {
        TORCH_CHECK(keys.size(0) == 1, "gradients of attention are of one place");
        context->save_for_backward({query, keys, values, seen});
        context->saved_data["scale"] = scale;
        return attended(query, keys, values, places, seen, scale);
    }

    /// By products, with the scores made once more. With P the softmax, S the scores and O what was mixed:
    /// dV = P^T dO, dP = dO V^T, dS = P (dP - sum(P dP)), dQ = dS K, dK = dS^T Q.
    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const Tensor &query = saved[0], &seen = saved[3];
        const Tensor keys = saved[1][0], values = saved[2][0];
        const double scale = context->saved_data["scale"].toDouble();
        const int64_t tokens = query.size(0), dim = query.size(2), key_heads = keys.size(0);
        const int64_t shared = query.size(1) / key_heads;
        const auto kind = query.scalar_type();
        // Several parts are added in float32.
        const auto wide = keys.options().dtype(tokens > TOKENS_BACK ? at::kFloat : kind);
        Tensor of_query = at::empty(query.sizes(), query.options());
        Tensor of_keys = at::zeros(keys.sizes(), wide), of_values = at::zeros(values.sizes(), wide);
        // `[tokens, heads * dim]` to `[key heads, shared * tokens, dim]`
        auto folded = [&](const Tensor& states, int64_t count) {
            return states.reshape({count, key_heads, shared, dim}).permute({1, 2, 0, 3}).reshape({key_heads, -1, dim});
        };
        for (int64_t first = 0; first < tokens; first += TOKENS_BACK) {
            const int64_t count = std::min(TOKENS_BACK, tokens - first);
            const Tensor last = seen.narrow(0, first, count);
            const int64_t visible = last.max().item<int64_t>();
            const Tensor wide_q = folded(query.narrow(0, first, count), count).to(at::kFloat) * scale;
            const Tensor q = wide_q.to(kind);
            const Tensor of_mixed = folded(gradients[0].narrow(0, first, count), count);
            const Tensor k = keys.narrow(1, 0, visible), v = values.narrow(1, 0, visible);
            const Tensor hidden = at::arange(visible, last.options()).ge(last.unsqueeze(1)).repeat({shared, 1});
            // In float32, as on the way there: bfloat16 would round scores of some size to halves.
            const Tensor scores = at::bmm(wide_q, k.transpose(1, 2).to(at::kFloat)).masked_fill_(hidden, -INFINITY);
            const Tensor p = at::softmax(scores, -1);
            of_values.narrow(1, 0, visible).add_(at::bmm(p.to(kind).transpose(1, 2), of_mixed));
            const Tensor of_p = at::bmm(of_mixed, v.transpose(1, 2)).to(at::kFloat);
            const Tensor of_scores = at::_softmax_backward_data(of_p, p, -1, at::kFloat).to(kind);
            of_keys.narrow(1, 0, visible).add_(at::bmm(of_scores.transpose(1, 2), q));
            const Tensor of_q = at::bmm(of_scores, k) * scale;
            of_query.narrow(0, first, count)
                .copy_(of_q.view({key_heads, shared, count, dim}).permute({2, 0, 1, 3}).reshape({count, -1, dim}));
        }
        return {of_query, of_keys.to(kind).unsqueeze(0), of_values.to(kind).unsqueeze(0), Tensor(), Tensor(), Tensor()};
    }
};

/// Writes rows `[tokens, heads, dim]` into `[places, heads, positions, dim]`, each into its place and position.
void put(Tensor& cache, const Tensor& states, const Tensor& places, const Tensor& positions) {
    const Tensor from = states.contiguous();
    const int64_t *place = places.data_ptr<int64_t>(), *position = positions.data_ptr<int64_t>();
    const size_t size = from.element_size(), bytes = from.size(2) * size;
    TORCH_CHECK(cache.stride(3) == 1, "a cache whose heads lie in one piece each");
    const auto* read = static_cast<const char*>(from.data_ptr());
    auto* written = static_cast<char*>(cache.data_ptr());
    for (int64_t token = 0; token < from.size(0); token++) {
        for (int64_t head = 0; head < from.size(1); head++) {
            const int64_t to =
                place[token] * cache.stride(0) + head * cache.stride(1) + position[token] * cache.stride(2);
            memcpy(written + to * size, read, bytes);
            read += bytes;
        }
    }
}

} // namespace

LUDUS_EXPORTED const char* ludus_fused_kernels() {
    return kernels().name;
}

LUDUS_EXPORTED char* ludus_fused_norm(void* states, void* weight, double epsilon, bool wide, void** made) {
    return ludus::guarded([&] {
        const auto kind = wide ? at::kFloat : at::kBFloat16;
        const Tensor &x = tensor(states), &w = tensor(weight);
        *made = new Tensor(is_learned_from({x, w}) ? Norm::apply(x, w, epsilon, kind) : normed(x, w, epsilon, kind));
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
        *made = new Tensor(is_learned_from({g, u}) ? Gated::apply(g, u) : gated(g, u));
    });
}

LUDUS_EXPORTED char* ludus_fused_attend(
    void* query, void* keys, void* values, void* places, void* seen, double scale, void** made) {
    return ludus::guarded([&] {
        const Tensor &q = tensor(query), &k = tensor(keys), &v = tensor(values), &p = tensor(places), &s = tensor(seen);
        const bool learned_from = is_learned_from({q, k, v});
        *made = new Tensor(learned_from ? Attend::apply(q, k, v, p, s, scale) : attended(q, k, v, p, s, scale));
    });
}

LUDUS_EXPORTED char* ludus_fused_put(void* cache, void* states, void* places, void* positions) {
    return ludus::guarded(
        [&] { put(*static_cast<Tensor*>(cache), tensor(states), tensor(places), tensor(positions)); });
}
