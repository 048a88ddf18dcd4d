// The kernels as operations on tensors, with their gradients.
//
// Every function returns null, or a text that says what went wrong.

#include <algorithm>
#include <cstring>
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
/// Tokens whose queries share the keys that were read for them.
constexpr int64_t TOKENS_TOGETHER = 8;
/// The same on the way back.
constexpr int64_t TOKENS_BACK = 16;
/// Parts of the tokens whose gradients of keys and values are added up apart, at most, and then in their order.
constexpr int64_t PARTS_BACK = 8;

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

/// Tokens that follow each other and look into the same place, a few at a time.
std::vector<ludus::Looking> looks(int64_t tokens, const int64_t* places, const int64_t* seen, int64_t together) {
    std::vector<ludus::Looking> all;
    for (int64_t token = 0; token < tokens; token++) {
        const bool goes_on = !all.empty() && all.back().place == places[token] && all.back().tokens < together;
        if (goes_on) {
            all.back().tokens += 1;
        } else {
            all.push_back({token, 1, places[token], seen + token});
        }
    }
    return all;
}

/// Later tokens see more. Those from the front and from the back in turns, so that each thread gets as much to do.
const ludus::Looking& look(const std::vector<ludus::Looking>& all, int64_t index) {
    return index % 2 == 0 ? all[index / 2] : all[all.size() - 1 - index / 2];
}

} // namespace

namespace ludus {

void attend(const Attending& all, int64_t tokens, const int64_t* places, const int64_t* seen) {
    const auto looking = looks(tokens, places, seen, TOKENS_TOGETHER);
    const int64_t items = static_cast<int64_t>(looking.size()) * all.key_heads;
    at::parallel_for(0, items, 1, [&](int64_t begin, int64_t end) {
        int64_t room = 0;
        for (int64_t item = begin; item < end; item++) {
            room = std::max(room, kernels().scratch(all, look(looking, item / all.key_heads)));
        }
        const Tensor memory = at::empty({room}, at::kFloat);
        const auto keys_of = [&](int64_t item) -> const void* {
            if (item == end) {
                return nullptr;
            }
            const int64_t place = look(looking, item / all.key_heads).place, head = item % all.key_heads;
            const int64_t at = place * all.keys_place + head * all.keys_head;
            return static_cast<const char*>(all.keys) + at * (all.wide ? 4 : 2);
        };
        for (int64_t item = begin; item < end; item++) {
            const Looking& own = look(looking, item / all.key_heads);
            kernels().attend(all, own, item % all.key_heads, keys_of(item + 1), memory.data_ptr<float>());
        }
    });
}

} // namespace ludus

namespace {

/// Of tensors whose heads lie in one piece each.
ludus::Attending attending(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mixed, double scale) {
    return {
        q.data_ptr(), k.data_ptr(), v.data_ptr(), mixed.data_ptr(), q.scalar_type() == at::kFloat,
        q.stride(0), q.stride(1), k.stride(0), k.stride(1), k.stride(2), v.stride(0), v.stride(1), v.stride(2),
        mixed.stride(0), q.size(1), k.size(1), q.size(2), static_cast<float>(scale)};
}

/// `query`: `[tokens, query heads, dim]`; `keys` and `values`: `[places, key heads, positions, dim]`; the place of each token and
/// how many of its positions it sees, at least one: `[tokens]` of int64. Returns `[tokens, query heads * dim]`.
Tensor attended(
    const Tensor& query, const Tensor& keys, const Tensor& values, const Tensor& places, const Tensor& seen,
    double scale) {
    const Tensor q = in_rows(query), k = in_rows(keys), v = in_rows(values);
    const int64_t tokens = q.size(0);
    Tensor mixed = at::empty({tokens, q.size(1) * q.size(2)}, q.options());
    ludus::attend(
        attending(q, k, v, mixed, scale), tokens, places.data_ptr<int64_t>(), seen.data_ptr<int64_t>());
    return mixed;
}

struct Attend : torch::autograd::Function<Attend> {
    static Tensor forward(
        AutogradContext* context, const Tensor& query, const Tensor& keys, const Tensor& values, const Tensor& places,
        const Tensor& seen, double scale) {
        TORCH_CHECK(keys.size(0) == 1, "gradients of attention are of one place");
        context->save_for_backward({query, keys, values, places, seen});
        context->saved_data["scale"] = scale;
        return attended(query, keys, values, places, seen, scale);
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const Tensor q = in_rows(saved[0]), k = in_rows(saved[1]), v = in_rows(saved[2]);
        const Tensor of_mixed = in_rows(gradients[0]);
        const ludus::Attending all = attending(q, k, v, of_mixed, context->saved_data["scale"].toDouble());
        Tensor of_query = at::empty(q.sizes(), q.options());
        const auto looking =
            looks(q.size(0), saved[3].data_ptr<int64_t>(), saved[4].data_ptr<int64_t>(), TOKENS_BACK);
        const int64_t key_heads = all.key_heads, blocks = static_cast<int64_t>(looking.size());
        // Later tokens see more, so each part has some of all. There are as many whatever the number of threads.
        const int64_t parts = std::min(PARTS_BACK, blocks);
        const int64_t lanes = kernels().lanes, padded = (all.dim + lanes - 1) / lanes * lanes;
        const int64_t positions = (k.size(2) + lanes - 1) / lanes * lanes;
        const auto wide = q.options().dtype(at::kFloat);
        const Tensor sums = at::empty({parts, key_heads, 2, positions, padded}, wide);
        at::parallel_for(0, parts * key_heads, 1, [&](int64_t begin, int64_t end) {
            int64_t room = 0;
            for (const auto& look : looking) {
                room = std::max(room, kernels().scratch_back(all, look));
            }
            Tensor memory = at::empty({room}, wide);
            for (int64_t item = begin; item < end; item++) {
                const int64_t size = positions * padded, head = item % key_heads;
                float* own = sums.data_ptr<float>() + item * 2 * size;
                std::fill(own, own + 2 * size, 0.0f);
                const ludus::AttendingBack back{
                    of_mixed.data_ptr(), of_mixed.stride(0), of_query.data_ptr(), of_query.stride(0), of_query.stride(1),
                    own, own + size};
                for (int64_t block = item / key_heads; block < blocks; block += parts) {
                    kernels().attend_back(all, looking[block], head, back, memory.data_ptr<float>());
                }
            }
        });
        const Tensor added = parts == 1 ? sums[0] : sums.sum(0);
        const Tensor whole = added.narrow(2, 0, k.size(2)).narrow(3, 0, all.dim).to(k.scalar_type());
        return {of_query, whole.select(1, 0).unsqueeze(0), whole.select(1, 1).unsqueeze(0), Tensor(), Tensor(), Tensor()};
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
