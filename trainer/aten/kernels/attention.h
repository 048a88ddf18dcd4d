// Attention: what a query makes of the keys and values that it sees, in float32, a tile of LANES keys at a time.
#pragma once

#include "../kernels.h"
#include "vectors.h"

namespace {

using ludus::Attending;
using ludus::Looking;

/// The numbers of two vectors at these places, those of the second one counted on.
inline Floats picked(Floats a, Floats b, Integers places) {
#if defined(__clang__)
    Floats numbers;
    for (int i = 0; i < LANES; i++) {
        numbers[i] = places[i] < LANES ? a[places[i]] : b[places[i] - LANES];
    }
    return numbers;
#else
    return __builtin_shuffle(a, b, places);
#endif
}

/// Where the halves of groups of 2 WIDTH numbers lie in two vectors.
template <int WIDTH>
struct Places {
    int32_t low[LANES] = {}, high[LANES] = {};

    constexpr Places() {
        for (int i = 0; i < LANES; i++) {
            low[i] = i / WIDTH * 2 * WIDTH + i % WIDTH;
            high[i] = low[i] + WIDTH;
        }
    }
};

template <int WIDTH>
constexpr Places<WIDTH> PLACES{};

/// The sums of COUNT vectors in one: of each LANES / COUNT numbers that are still to be added.
template <int COUNT>
inline Floats sums(const Floats* vectors) {
    if constexpr (COUNT == 1) {
        return vectors[0];
    } else {
        const Floats first = sums<COUNT / 2>(vectors), second = sums<COUNT / 2>(vectors + COUNT / 2);
        Integers low, high;
        __builtin_memcpy(&low, PLACES<LANES / COUNT>.low, sizeof low);
        __builtin_memcpy(&high, PLACES<LANES / COUNT>.high, sizeof high);
        return picked(first, second, low) + picked(first, second, high);
    }
}

/// Rows that are fetched while others are widened. A cache lies in memory, not in a processor's cache, and three queries are done
/// with a row sooner than the next one has come.
constexpr int64_t AHEAD = 16;

/// Rows of `dim` numbers, widened and filled up with zeros to whole vectors; rows that do not exist are zeros.
template <typename T>
inline void widen(const T* from, int64_t stride, int64_t rows, int64_t dim, float* to, int64_t padded, int64_t wanted) {
    for (int64_t row = 0; row < wanted; row++) {
        for (int64_t i = 0; i < padded; i += LANES) {
            __builtin_prefetch(from + (row + AHEAD) * stride + i);
            store(to + row * padded + i, row < rows ? load_some(from + row * stride + i, dim - i) : Floats{});
        }
    }
}

/// Scores of some queries and a tile of LANES keys.
inline void score(const float* queries, int64_t count, const float* tile, int64_t padded, float* scores, int64_t stride) {
    for (int64_t query = 0; query < count; query++) {
        Floats products[LANES];
#pragma GCC unroll 16
        for (int key = 0; key < LANES; key++) {
            products[key] = Floats{};
        }
        for (int64_t i = 0; i < padded; i += LANES) {
            const Floats of_query = load(queries + query * padded + i);
#pragma GCC unroll 16
            for (int key = 0; key < LANES; key++) {
                products[key] += of_query * load(tile + key * padded + i);
            }
        }
        store(scores + query * stride, sums<LANES>(products));
    }
}

/// Turns a row of scores into exponentials, zero from `seen` on, and returns one over their sum.
inline float exponentials(float* scores, int64_t seen, int64_t padded) {
    const Floats none = all(-__builtin_inff());
    Integers lane;
    for (int i = 0; i < LANES; i++) {
        lane[i] = i;
    }
    Floats highest = none;
    for (int64_t i = 0; i < seen; i += LANES) {
        const Floats numbers = lane < (int32_t)(seen - i) ? load(scores + i) : none;
        highest = numbers > highest ? numbers : highest;
    }
    const float most = largest(highest);
    Floats added{};
    for (int64_t i = 0; i < padded; i += LANES) {
        const Floats power = exp(load(scores + i) - most);
        const Floats kept = seen > i ? (lane < (int32_t)(seen - i) ? power : Floats{}) : Floats{};
        store(scores + i, kept);
        added += kept;
    }
    return 1.0f / sum(added);
}

/// Adds a tile of values to what QUERIES queries make of them, each as much as its row of weights says. CHUNKS vectors of each
/// query are added up side by side: one addition takes as long as eight that do not wait for each other.
template <int QUERIES, int CHUNKS>
inline void add_chunks(const float* weights, int64_t stride, const float* tile, int64_t padded, float* mixed) {
    Floats added[QUERIES][CHUNKS];
#pragma GCC unroll 8
    for (int query = 0; query < QUERIES; query++) {
#pragma GCC unroll 8
        for (int chunk = 0; chunk < CHUNKS; chunk++) {
            added[query][chunk] = load(mixed + query * padded + chunk * LANES);
        }
    }
#pragma GCC unroll 16
    for (int key = 0; key < LANES; key++) {
#pragma GCC unroll 8
        for (int chunk = 0; chunk < CHUNKS; chunk++) {
            const Floats value = load(tile + key * padded + chunk * LANES);
#pragma GCC unroll 8
            for (int query = 0; query < QUERIES; query++) {
                added[query][chunk] += weights[query * stride + key] * value;
            }
        }
    }
#pragma GCC unroll 8
    for (int query = 0; query < QUERIES; query++) {
#pragma GCC unroll 8
        for (int chunk = 0; chunk < CHUNKS; chunk++) {
            store(mixed + query * padded + chunk * LANES, added[query][chunk]);
        }
    }
}

template <int QUERIES, int CHUNKS>
inline void add_values(const float* weights, int64_t stride, const float* tile, int64_t padded, float* mixed) {
    int64_t i = 0;
    for (; i + CHUNKS * LANES <= padded; i += CHUNKS * LANES) {
        add_chunks<QUERIES, CHUNKS>(weights, stride, tile + i, padded, mixed + i);
    }
    for (; i < padded; i += LANES) {
        add_chunks<QUERIES, 1>(weights, stride, tile + i, padded, mixed + i);
    }
}

inline void add_values(
    int64_t count, const float* weights, int64_t stride, const float* tile, int64_t padded, float* mixed) {
    while (count > 0) {
        const int64_t now = count >= 8 ? 8 : count >= 4 ? 4 : count;
        auto add = now == 8   ? add_values<8, 1>
                   : now == 4 ? add_values<4, 2>
                   : now == 3 ? add_values<3, 4>
                   : now == 2 ? add_values<2, 4>
                              : add_values<1, 8>;
        add(weights, stride, tile, padded, mixed);
        count -= now;
        weights += now * stride;
        mixed += now * padded;
    }
}

int64_t most_seen(const Looking& looking) {
    int64_t most = 0;
    for (int64_t token = 0; token < looking.tokens; token++) {
        most = looking.seen[token] > most ? looking.seen[token] : most;
    }
    return most;
}

int64_t scratch(const Attending& all, const Looking& looking) {
    const int64_t padded = whole(all.dim), queries = looking.tokens * (all.query_heads / all.key_heads);
    return queries * (2 * padded + whole(most_seen(looking))) + LANES * padded;
}

/// The scaled queries of some tokens that look at one head of keys.
template <typename T>
void read_queries(const Attending& all, const Looking& looking, int64_t key_head, float* query, int64_t padded) {
    const int64_t shared = all.query_heads / all.key_heads;
    for (int64_t token = 0; token < looking.tokens; token++) {
        const T* from = static_cast<const T*>(all.query) + (looking.first + token) * all.query_token;
        float* to = query + token * shared * padded;
        widen(from + key_head * shared * all.query_head, all.query_head, shared, all.dim, to, padded, shared);
        for (int64_t i = 0; i < shared * padded; i += LANES) {
            store(to + i, load(to + i) * all.scale);
        }
    }
}

template <typename T>
void attend_rows(const Attending& all, const Looking& looking, int64_t key_head, float* memory) {
    const int64_t shared = all.query_heads / all.key_heads, dim = all.dim, padded = whole(dim);
    const int64_t queries = looking.tokens * shared, most = most_seen(looking);
    const int64_t keys = whole(most);
    // Queries, scores, what is mixed, and a tile.
    float *const query = memory, *const scores = query + queries * padded, *const mixed = scores + queries * keys;
    float* const tile = mixed + queries * padded;

    read_queries<T>(all, looking, key_head, query, padded);
    const T* key = static_cast<const T*>(all.keys) + looking.place * all.keys_place + key_head * all.keys_head;
    for (int64_t first = 0; first < keys; first += LANES) {
        widen(key + first * all.keys_position, all.keys_position, most - first, dim, tile, padded, LANES);
        score(query, queries, tile, padded, scores + first, keys);
    }
    // From here on a query's own numbers are no longer needed; its first one holds one over the sum of its exponentials.
    for (int64_t row = 0; row < queries; row++) {
        query[row * padded] = exponentials(scores + row * keys, looking.seen[row / shared], keys);
    }
    for (int64_t i = 0; i < queries * padded; i += LANES) {
        store(mixed + i, Floats{});
    }
    const T* value = static_cast<const T*>(all.values) + looking.place * all.values_place + key_head * all.values_head;
    for (int64_t first = 0; first < keys; first += LANES) {
        widen(value + first * all.values_position, all.values_position, most - first, dim, tile, padded, LANES);
        add_values(queries, scores + first, keys, tile, padded, mixed);
    }
    for (int64_t row = 0; row < queries; row++) {
        const int64_t token = looking.first + row / shared, head = key_head * shared + row % shared;
        T* to = static_cast<T*>(all.mixed) + token * all.mixed_token + head * dim;
        for (int64_t i = 0; i < dim; i += LANES) {
            store_some(to + i, load(mixed + row * padded + i) * query[row * padded], dim - i);
        }
    }
}

void attend(const Attending& all, const Looking& looking, int64_t key_head, float* memory) {
    (all.wide ? attend_rows<float> : attend_rows<Narrow>)(all, looking, key_head, memory);
}

} // namespace
