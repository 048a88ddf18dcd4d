// Attention: what a query makes of the keys and values that it sees, in float32, a tile of LANES keys at a time.
#pragma once

#include "../kernels.h"
#if defined(LUDUS_AMX)
#include "scores.h"
#endif
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

/// Turns a row of scores, which are scaled, into exponentials, zero from `seen` on, and returns one over their sum.
inline float exponentials(float* scores, float scale, int64_t seen, int64_t padded) {
    const Floats none = all(-__builtin_inff());
    Integers lane;
    for (int i = 0; i < LANES; i++) {
        lane[i] = i;
    }
    Floats highest = none;
    for (int64_t i = 0; i < seen; i += LANES) {
        const Floats numbers = lane < (int32_t)(seen - i) ? load(scores + i) * scale : none;
        highest = numbers > highest ? numbers : highest;
    }
    const float most = largest(highest);
    Floats added{};
    for (int64_t i = 0; i < padded; i += LANES) {
        const Floats power = exp(load(scores + i) * scale - most);
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

/// Fetches a row into the cache of a core, or with NEAR of 3 into its nearest one.
template <int NEAR, typename T>
inline void fetch(const T* row, int64_t dim) {
    const auto* bytes = reinterpret_cast<const char*>(row);
    for (int64_t at = 0; at < dim * static_cast<int64_t>(sizeof(T)); at += 64) {
        __builtin_prefetch(bytes + at, 0, NEAR);
    }
}

/// The same of a few queries, which are done with a row before the next one has come from memory. So rows are read where they lie,
/// never written down in float32, and what is read after them is fetched meanwhile: values while keys are scored, and with the
/// values the keys of whoever is next. Heads are of CHUNKS whole vectors.
template <typename T, int QUERIES, int CHUNKS>
struct Few {
    static void score(
        const float* queries, const T* keys, int64_t keys_stride, int64_t rows, float* scores, int64_t stride,
        const T* values, int64_t values_stride) {
        Floats query[QUERIES][CHUNKS], products[QUERIES][LANES];
        for (int i = 0; i < QUERIES; i++) {
            for (int chunk = 0; chunk < CHUNKS; chunk++) {
                query[i][chunk] = load(queries + (i * CHUNKS + chunk) * LANES);
            }
        }
        const int there = rows < LANES ? static_cast<int>(rows) : LANES;
        for (int key = there; key < LANES; key++) {
            for (int i = 0; i < QUERIES; i++) {
                products[i][key] = Floats{};
            }
        }
        for (int key = 0; key < there; key++) {
            const T* row = keys + key * keys_stride;
            fetch<3>(row + AHEAD * keys_stride, CHUNKS * LANES);
            fetch<2>(values + key * values_stride, CHUNKS * LANES);
            Floats added[QUERIES] = {};
#pragma GCC unroll 8
            for (int chunk = 0; chunk < CHUNKS; chunk++) {
                const Floats of_key = load(row + chunk * LANES);
#pragma GCC unroll 4
                for (int i = 0; i < QUERIES; i++) {
                    added[i] += query[i][chunk] * of_key;
                }
            }
#pragma GCC unroll 4
            for (int i = 0; i < QUERIES; i++) {
                products[i][key] = added[i];
            }
        }
        for (int i = 0; i < QUERIES; i++) {
            store(scores + i * stride, sums<LANES>(products[i]));
        }
    }

    static void add_values(
        const float* weights, int64_t stride, const T* values, int64_t values_stride, int64_t rows, float* mixed,
        const T* next_keys, int64_t keys_stride) {
        Floats added[QUERIES][CHUNKS] = {};
        for (int64_t key = 0; key < rows; key++) {
            const T* row = values + key * values_stride;
            fetch<2>(next_keys + key * keys_stride, CHUNKS * LANES);
#pragma GCC unroll 8
            for (int chunk = 0; chunk < CHUNKS; chunk++) {
                const Floats value = load(row + chunk * LANES);
#pragma GCC unroll 4
                for (int i = 0; i < QUERIES; i++) {
                    added[i][chunk] += weights[i * stride + key] * value;
                }
            }
        }
        for (int i = 0; i < QUERIES; i++) {
            for (int chunk = 0; chunk < CHUNKS; chunk++) {
                store(mixed + (i * CHUNKS + chunk) * LANES, added[i][chunk]);
            }
        }
    }
};

/// `Few` for so many queries of heads of so many numbers; null where there is none.
template <typename T>
struct FewQueries {
    void (*score)(const float*, const T*, int64_t, int64_t, float*, int64_t, const T*, int64_t) = nullptr;
    void (*add_values)(const float*, int64_t, const T*, int64_t, int64_t, float*, const T*, int64_t) = nullptr;

    FewQueries(int64_t queries, int64_t dim) {
        if (dim == 64) {
            choose<64 / LANES>(queries);
        } else if (dim == 128) {
            choose<128 / LANES>(queries);
        }
    }

private:
    template <int CHUNKS>
    void choose(int64_t queries) {
        switch (queries) {
        case 1:
            return take<Few<T, 1, CHUNKS>>();
        case 2:
            return take<Few<T, 2, CHUNKS>>();
        case 3:
            return take<Few<T, 3, CHUNKS>>();
        case 4:
            return take<Few<T, 4, CHUNKS>>();
        }
    }

    template <typename Chosen>
    void take() {
        score = Chosen::score;
        add_values = Chosen::add_values;
    }
};

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

/// Rows of the heads of some tokens that look at one head of keys.
template <typename T>
struct Heads {
    const T* first;
    /// Numbers from a token's rows to the next one's, and from row to row.
    int64_t token, head;
    int64_t tokens, shared;
};

template <typename T>
Heads<T> queries_of(const Attending& all, const Looking& looking, int64_t key_head) {
    const int64_t shared = all.query_heads / all.key_heads;
    const T* first = static_cast<const T*>(all.query) + looking.first * all.query_token;
    return {first + key_head * shared * all.query_head, all.query_token, all.query_head, looking.tokens, shared};
}

/// Rows of heads in float32, times a scale.
template <typename T>
void read(const Heads<T>& heads, int64_t dim, float scale, float* to, int64_t padded) {
    for (int64_t token = 0; token < heads.tokens; token++, to += heads.shared * padded) {
        widen(heads.first + token * heads.token, heads.head, heads.shared, dim, to, padded, heads.shared);
        for (int64_t i = 0; i < heads.shared * padded; i += LANES) {
            store(to + i, load(to + i) * scale);
        }
    }
}

/// Products of rows of heads with keys as they lie, where there is something faster than `score`: a row of them for each row.
/// Rows of `values` are fetched meanwhile. `memory` has room for the rows.
template <typename T>
inline bool scored_by_tiles(
    const Heads<T>&, int64_t, const T*, int64_t, int64_t, const T*, int64_t, float*, float*, float*) {
    return false;
}

#if defined(LUDUS_AMX)
template <>
inline bool scored_by_tiles<Narrow>(
    const Heads<Narrow>& heads, int64_t dim, const Narrow* keys, int64_t keys_stride, int64_t most, const Narrow* values,
    int64_t values_stride, float* memory, float* tile, float* scores) {
    if (!Scores::can(dim)) {
        return false;
    }
    auto* rows = reinterpret_cast<Narrow*>(memory);
    for (int64_t token = 0; token < heads.tokens; token++) {
        for (int64_t head = 0; head < heads.shared; head++) {
            const Narrow* own = heads.first + token * heads.token + head * heads.head;
            __builtin_memcpy(rows + (token * heads.shared + head) * dim, own, dim * sizeof(Narrow));
        }
    }
    Scores by(rows, heads.tokens * heads.shared, dim);
    const int64_t padded = whole(most);
    for (int64_t first = 0; first < padded; first += LANES) {
        const Narrow* some = keys + first * keys_stride;
        for (int64_t row = 0; row < LANES; row++) {
            fetch<3>(some + (row + AHEAD) * keys_stride, dim);
            fetch<2>(values + (first + row) * values_stride, dim);
        }
        by.score(some, keys_stride, most - first, tile, scores + first, padded);
    }
    return true;
}
#endif

template <typename T>
void attend_rows(
    const Attending& all, const Looking& looking, int64_t key_head, const void* next_keys, float* memory) {
    const int64_t shared = all.query_heads / all.key_heads, dim = all.dim, padded = whole(dim);
    const int64_t queries = looking.tokens * shared, most = most_seen(looking);
    const int64_t keys = whole(most);
    // Queries, scores, what is mixed, and a tile.
    float *const query = memory, *const scores = query + queries * padded, *const mixed = scores + queries * keys;
    float* const tile = mixed + queries * padded;

    const FewQueries<T> few(queries, dim);
    const T* key = static_cast<const T*>(all.keys) + looking.place * all.keys_place + key_head * all.keys_head;
    const T* value = static_cast<const T*>(all.values) + looking.place * all.values_place + key_head * all.values_head;
    const bool by_tiles = scored_by_tiles<T>(
        queries_of<T>(all, looking, key_head), dim, key, all.keys_position, most, value, all.values_position, query, tile,
        scores);
    if (!by_tiles) {
        read(queries_of<T>(all, looking, key_head), dim, all.scale, query, padded);
    }
    for (int64_t first = 0; first < keys && !by_tiles; first += LANES) {
        if (few.score) {
            few.score(
                query, key + first * all.keys_position, all.keys_position, most - first, scores + first, keys,
                value + first * all.values_position, all.values_position);
            continue;
        }
        widen(key + first * all.keys_position, all.keys_position, most - first, dim, tile, padded, LANES);
        score(query, queries, tile, padded, scores + first, keys);
    }
    // From here on a query's own numbers are no longer needed; its first one holds one over the sum of its exponentials.
    for (int64_t row = 0; row < queries; row++) {
        query[row * padded] = exponentials(scores + row * keys, by_tiles ? all.scale : 1.0f, looking.seen[row / shared], keys);
    }
    if (few.add_values) {
        const T* next = next_keys ? static_cast<const T*>(next_keys) : key;
        few.add_values(scores, keys, value, all.values_position, most, mixed, next, all.keys_position);
    } else {
        for (int64_t i = 0; i < queries * padded; i += LANES) {
            store(mixed + i, Floats{});
        }
        for (int64_t first = 0; first < keys; first += LANES) {
            widen(value + first * all.values_position, all.values_position, most - first, dim, tile, padded, LANES);
            add_values(queries, scores + first, keys, tile, padded, mixed);
        }
    }
    for (int64_t row = 0; row < queries; row++) {
        const int64_t token = looking.first + row / shared, head = key_head * shared + row % shared;
        T* to = static_cast<T*>(all.mixed) + token * all.mixed_token + head * dim;
        for (int64_t i = 0; i < dim; i += LANES) {
            store_some(to + i, load(mixed + row * padded + i) * query[row * padded], dim - i);
        }
    }
}

void attend(const Attending& all, const Looking& looking, int64_t key_head, const void* next_keys, float* memory) {
    (all.wide ? attend_rows<float> : attend_rows<Narrow>)(all, looking, key_head, next_keys, memory);
}

} // namespace
