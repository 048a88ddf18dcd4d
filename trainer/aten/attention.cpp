// Attention as an operation on tensors, from a cache and in a pack, with its gradient. See src/attend.rs.
//
// Every function returns null, or a text that says what went wrong.

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "fused.h"
#include "kernels.h"
#include "kernels/sizes.h"
#include "tensors.h"

namespace {

using at::Tensor;
using ludus::Attending;
using ludus::Looking;
using ludus::in_rows;
using ludus::is_learned_from;
using ludus::kernels;
using ludus::tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Tokens whose queries share the keys that were read for them.
constexpr int64_t TOKENS_TOGETHER = 8;
/// The same on the way back.
constexpr int64_t TOKENS_BACK = 16;
/// About so many pieces of work a pack is taken apart into on the way back, whatever the number of threads.
constexpr int64_t PIECES_BACK = 48;
/// Parts of a window's tokens whose gradients of keys and values are added up apart, at most, and then in their order.
constexpr int64_t PARTS_BACK = 8;

/// Tokens that follow each other and look into the same place, a few at a time.
std::vector<Looking> looks(int64_t tokens, const int64_t* places, const int64_t* seen, int64_t together) {
    std::vector<Looking> all;
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

/// Later tokens of a conversation see more. Those from the front and from the back in turns, so that each thread gets about as much
/// to do.
const Looking& look(const std::vector<Looking>& all, int64_t index) {
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

/// `query`: `[tokens, query heads, dim]`; `keys` and `values`: `[places, key heads, positions, dim]`; the place of each token and
/// how many of its positions it sees, at least one: `[tokens]` of int64. Returns `[tokens, query heads * dim]`.
Tensor attended(
    const Tensor& query, const Tensor& keys, const Tensor& values, const Tensor& places, const Tensor& seen,
    double scale) {
    const Tensor q = in_rows(query), k = in_rows(keys), v = in_rows(values);
    const int64_t tokens = q.size(0), heads = q.size(1), dim = q.size(2);
    Tensor mixed = at::empty({tokens, heads * dim}, q.options());
    const Attending all{
        q.data_ptr(), k.data_ptr(), v.data_ptr(), mixed.data_ptr(), q.scalar_type() == at::kFloat,
        q.stride(0), q.stride(1), k.stride(0), k.stride(1), k.stride(2), v.stride(0), v.stride(1), v.stride(2),
        mixed.stride(0), heads, k.size(1), dim, static_cast<float>(scale)};
    ludus::attend(all, tokens, places.data_ptr<int64_t>(), seen.data_ptr<int64_t>());
    return mixed;
}

/// What the tokens of a pack look at: windows, one behind the other, of which each token sees the beginning of one.
struct Windows {
    /// The token of the pack that lies at each position of the windows, of int64; not defined where each lies at its own.
    Tensor tokens;
    /// Where each token's window begins, and how many of its positions it sees, of int64.
    Tensor firsts, seen;

    /// Heads of the pack's tokens, `[tokens, heads, dim]`, as windows have them.
    Tensor lay_out(const Tensor& heads) const {
        return tokens.defined() ? heads.index_select(0, tokens) : heads.contiguous();
    }

    const int64_t* first() const {
        return firsts.data_ptr<int64_t>();
    }

    int64_t token_at(int64_t position) const {
        return tokens.defined() ? tokens.data_ptr<int64_t>()[position] : position;
    }
};

/// Keys and values of windows, `[positions, heads, dim]` each, in one piece; a place is a position where a window begins.
Attending attending(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor& mixed, double scale) {
    const int64_t key_heads = keys.size(1), dim = keys.size(2), position = key_heads * dim;
    return {
        q.data_ptr(), keys.data_ptr(), values.data_ptr(), mixed.data_ptr(), q.scalar_type() == at::kFloat,
        q.stride(0), q.stride(1), position, dim, position, position, dim, position, mixed.stride(0), q.size(1), key_heads,
        dim, static_cast<float>(scale)};
}

/// `query`: `[tokens, query heads, dim]`; `key` and `value`: `[tokens, key heads, dim]`. Returns `[tokens, query heads * dim]`.
Tensor attended(const Tensor& query, const Tensor& key, const Tensor& value, const Windows& windows, double scale) {
    const Tensor q = in_rows(query), keys = windows.lay_out(key), values = windows.lay_out(value);
    Tensor mixed = at::empty({q.size(0), q.size(1) * q.size(2)}, q.options());
    const Attending all = attending(q, keys, values, mixed, scale);
    ludus::attend(all, q.size(0), windows.first(), windows.seen.data_ptr<int64_t>());
    return mixed;
}

/// Some of the blocks that look into one window: every `step`th from `first` to before `last`. Their gradients of keys and values
/// are added up by themselves, in sums that begin at a position of all sums.
struct Piece {
    int64_t first, last, step, place, positions, at;
};

std::vector<Piece> pieces(const std::vector<Looking>& blocks, int64_t key_heads, int64_t lanes) {
    struct Run {
        int64_t first, last, most;
    };
    std::vector<Run> runs;
    for (int64_t block = 0; block < static_cast<int64_t>(blocks.size()); block++) {
        const Looking& own = blocks[block];
        if (runs.empty() || blocks[runs.back().first].place != own.place) {
            runs.push_back({block, block, 0});
        }
        runs.back().last = block + 1;
        runs.back().most = std::max(runs.back().most, *std::max_element(own.seen, own.seen + own.tokens));
    }
    const int64_t windows = runs.size(), wanted = PIECES_BACK / std::max<int64_t>(1, windows * key_heads);
    std::vector<Piece> all;
    int64_t at = 0;
    for (const auto& [first, last, most] : runs) {
        // Later tokens see more, so each part has some of all.
        const int64_t parts = std::min({last - first, PARTS_BACK, std::max<int64_t>(1, wanted)});
        const int64_t positions = up(most, lanes);
        for (int64_t part = 0; part < parts; part++, at += positions) {
            all.push_back({first + part, last, parts, blocks[first].place, most, at});
        }
    }
    return all;
}

struct AttendPack : torch::autograd::Function<AttendPack> {
    static Tensor forward(
        AutogradContext* context, const Tensor& query, const Tensor& key, const Tensor& value, const Windows& windows,
        double scale) {
        context->save_for_backward({query, key, value, windows.tokens, windows.firsts, windows.seen});
        context->saved_data["scale"] = scale;
        return attended(query, key, value, windows, scale);
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const Windows windows{saved[3], saved[4], saved[5]};
        const Tensor q = in_rows(saved[0]), keys = windows.lay_out(saved[1]), values = windows.lay_out(saved[2]);
        const Tensor of_mixed = in_rows(gradients[0]);
        const Attending all = attending(q, keys, values, of_mixed, context->saved_data["scale"].toDouble());
        const Tensor of_query = at::empty(q.sizes(), q.options());
        const auto blocks = looks(q.size(0), windows.first(), windows.seen.data_ptr<int64_t>(), TOKENS_BACK);
        const int64_t key_heads = all.key_heads, dim = all.dim, lanes = kernels().lanes;
        const auto parts = pieces(blocks, key_heads, lanes);
        // Of each key head those of keys and those of values, with zeros behind each.
        const int64_t padded = up(dim, lanes);
        const int64_t positions = parts.back().at + up(parts.back().positions, lanes);
        const auto wide = q.options().dtype(at::kFloat);
        const Tensor sums = at::empty({2 * key_heads, positions, padded}, wide);
        const auto sums_at = [&](int64_t head, bool of_values, int64_t at) {
            return sums.data_ptr<float>() + ((2 * head + of_values) * positions + at) * padded;
        };
        int64_t room = 0;
        for (const Looking& block : blocks) {
            room = std::max(room, kernels().scratch_back(all, block));
        }
        // Whoever is free takes the next one: pieces differ, and what comes of each does not depend on who makes it.
        std::atomic<int64_t> taken = 0;
        const int64_t items = static_cast<int64_t>(parts.size()) * key_heads;
        at::parallel_for(0, std::min<int64_t>(items, at::get_num_threads()), 1, [&](int64_t, int64_t) {
            const Tensor memory = at::empty({room}, wide);
            for (int64_t item = taken++; item < items; item = taken++) {
                const Piece& piece = parts[item / key_heads];
                const int64_t head = item % key_heads, size = up(piece.positions, lanes) * padded;
                float *of_keys = sums_at(head, false, piece.at), *of_values = sums_at(head, true, piece.at);
                std::fill(of_keys, of_keys + size, 0.0f);
                std::fill(of_values, of_values + size, 0.0f);
                const ludus::AttendingBack back{
                    of_mixed.data_ptr(), of_mixed.stride(0), of_query.data_ptr(), of_query.stride(0), of_query.stride(1),
                    of_keys, of_values};
                for (int64_t block = piece.first; block < piece.last; block += piece.step) {
                    kernels().attend_back(all, blocks[block], head, back, memory.data_ptr<float>());
                }
            }
        });
        // What several windows have of a token is added up, window by window and part by part.
        const Tensor added = at::zeros({2, q.size(0), key_heads, dim}, wide);
        at::parallel_for(0, 2 * key_heads, 1, [&](int64_t begin, int64_t end) {
            for (int64_t item = begin; item < end; item++) {
                const int64_t head = item / 2, of_values = item % 2;
                float* to = added.data_ptr<float>() + (of_values * q.size(0) * key_heads + head) * dim;
                for (const Piece& piece : parts) {
                    const float* from = sums_at(head, of_values, piece.at);
                    for (int64_t position = 0; position < piece.positions; position++, from += padded) {
                        float* own = to + windows.token_at(piece.place + position) * key_heads * dim;
                        for (int64_t i = 0; i < dim; i++) {
                            own[i] += from[i];
                        }
                    }
                }
            }
        });
        const Tensor narrow = added.to(keys.scalar_type());
        return {of_query, narrow[0], narrow[1], Tensor(), Tensor()};
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

LUDUS_EXPORTED char* ludus_attention_cached(
    void* query, void* keys, void* values, void* places, void* seen, double scale, void** made) {
    return ludus::guarded([&] {
        const Tensor &q = tensor(query), &k = tensor(keys), &v = tensor(values);
        TORCH_CHECK(!is_learned_from({q, k, v}), "nothing is learned from a cache");
        *made = new Tensor(attended(q, k, v, tensor(places), tensor(seen), scale));
    });
}

/// `window_tokens` is null where each token lies at its own position of the windows.
LUDUS_EXPORTED char* ludus_attention_pack(
    void* query, void* key, void* value, void* window_tokens, void* firsts, void* seen, double scale, void** made) {
    return ludus::guarded([&] {
        const Tensor &q = tensor(query), &k = tensor(key), &v = tensor(value);
        const Windows windows{window_tokens ? tensor(window_tokens) : Tensor(), tensor(firsts), tensor(seen)};
        const int64_t tokens = q.size(0), positions = window_tokens ? windows.tokens.size(0) : tokens;
        TORCH_CHECK(tokens > 0, "a pack of tokens");
        for (int64_t token = 0; token < tokens; token++) {
            const int64_t first = windows.first()[token], count = windows.seen.data_ptr<int64_t>()[token];
            TORCH_CHECK(first >= 0 && count >= 1 && first + count <= positions, "windows that tokens look into");
        }
        const bool learned_from = is_learned_from({q, k, v});
        *made = new Tensor(
            learned_from ? AttendPack::apply(q, k, v, windows, scale) : attended(q, k, v, windows, scale));
    });
}

LUDUS_EXPORTED char* ludus_attention_put(void* cache, void* states, void* places, void* positions) {
    return ludus::guarded(
        [&] { put(*static_cast<Tensor*>(cache), tensor(states), tensor(places), tensor(positions)); });
}
