// The way back through attention.
#pragma once

#include "attention.h"

namespace {

using ludus::AttendingBack;

/// Adds to each row of a tile what some rows come to, each as much as its row of weights says of this tile's row.
inline void add_turned(
    int64_t count, const float* weights, int64_t stride, const float* rows, int64_t padded, float* tile) {
    constexpr int TOGETHER = LANES < 8 ? LANES : 8;
    for (int64_t i = 0; i < padded; i += LANES) {
        for (int first = 0; first < LANES; first += TOGETHER) {
            Floats added[TOGETHER];
#pragma GCC unroll 8
            for (int key = 0; key < TOGETHER; key++) {
                added[key] = load(tile + (first + key) * padded + i);
            }
            for (int64_t row = 0; row < count; row++) {
                const Floats numbers = load(rows + row * padded + i);
#pragma GCC unroll 8
                for (int key = 0; key < TOGETHER; key++) {
                    added[key] += weights[row * stride + first + key] * numbers;
                }
            }
#pragma GCC unroll 8
            for (int key = 0; key < TOGETHER; key++) {
                store(tile + (first + key) * padded + i, added[key]);
            }
        }
    }
}

int64_t scratch_back(const Attending& all, const Looking& looking) {
    const int64_t padded = whole(all.dim), queries = looking.tokens * (all.query_heads / all.key_heads);
    return queries * (3 * padded + 2 * whole(most_seen(looking))) + LANES * padded;
}

/// Products of rows of heads, which `read` has in float32, with keys or values: a row of `keys` of them for each, in `products`.
/// Returns whether the rows were taken as they lie.
template <typename T>
bool multiply_heads(
    const Heads<T>& heads, const float* read, int64_t dim, const T* keys, int64_t stride, int64_t most, float* memory,
    float* tile, float* products) {
    if (scored_by_tiles<T>(heads, dim, keys, stride, most, keys, stride, memory, tile, products)) {
        return true;
    }
    const int64_t padded = whole(dim), rows = heads.tokens * heads.shared;
    for (int64_t first = 0; first < whole(most); first += LANES) {
        widen(keys + first * stride, stride, most - first, dim, tile, padded, LANES);
        score(read, rows, tile, padded, products + first, whole(most));
    }
    return false;
}

/// The scores are made once more. With P the softmax, S the scores and O what was mixed:
/// dV = P^T dO, dP = dO V^T, dS = P (dP - sum(P dP)), dQ = dS K, dK = dS^T Q.
template <typename T>
void attend_rows_back(
    const Attending& all, const Looking& looking, int64_t key_head, const AttendingBack& back, float* memory) {
    const int64_t shared = all.query_heads / all.key_heads, dim = all.dim, padded = whole(dim);
    const int64_t queries = looking.tokens * shared, most = most_seen(looking), keys = whole(most);
    float *const query = memory, *const of_query = query + queries * padded, *const of_mixed = of_query + queries * padded;
    float *const p = of_mixed + queries * padded, *const of_p = p + queries * keys, *const tile = of_p + queries * keys;

    const T* key = static_cast<const T*>(all.keys) + looking.place * all.keys_place + key_head * all.keys_head;
    const T* value = static_cast<const T*>(all.values) + looking.place * all.values_place + key_head * all.values_head;
    const T* mixed = static_cast<const T*>(back.of_mixed) + looking.first * back.of_mixed_token + key_head * shared * dim;
    const Heads<T> of_heads{mixed, back.of_mixed_token, dim, looking.tokens, shared};
    const Heads<T> heads = queries_of<T>(all, looking, key_head);
    read(of_heads, dim, 1.0f, of_mixed, padded);
    read(heads, dim, all.scale, query, padded);
    // What queries come to is not there yet: its memory is free.
    const bool as_they_lie = multiply_heads(heads, query, dim, key, all.keys_position, most, of_query, tile, p);
    for (int64_t row = 0; row < queries; row++) {
        const float scale =
            exponentials(p + row * keys, as_they_lie ? all.scale : 1.0f, looking.seen[row / shared], keys);
        for (int64_t i = 0; i < keys; i += LANES) {
            store(p + row * keys + i, load(p + row * keys + i) * scale);
        }
    }
    multiply_heads(of_heads, of_mixed, dim, value, all.values_position, most, of_query, tile, of_p);
    for (int64_t first = 0; first < keys; first += LANES) {
        add_turned(queries, p + first, keys, of_mixed, padded, back.of_values + first * padded);
    }
    for (int64_t row = 0; row < queries; row++) {
        const float* own = p + row * keys;
        float* gradients = of_p + row * keys;
        Floats products{};
        for (int64_t i = 0; i < keys; i += LANES) {
            products += load(own + i) * load(gradients + i);
        }
        const float along = sum(products);
        for (int64_t i = 0; i < keys; i += LANES) {
            store(gradients + i, load(own + i) * (load(gradients + i) - along));
        }
    }
    for (int64_t i = 0; i < queries * padded; i += LANES) {
        store(of_query + i, Floats{});
    }
    for (int64_t first = 0; first < keys; first += LANES) {
        widen(key + first * all.keys_position, all.keys_position, most - first, dim, tile, padded, LANES);
        add_values(queries, of_p + first, keys, tile, padded, of_query);
        add_turned(queries, of_p + first, keys, query, padded, back.of_keys + first * padded);
    }
    for (int64_t row = 0; row < queries; row++) {
        const int64_t token = looking.first + row / shared, head = key_head * shared + row % shared;
        T* to = static_cast<T*>(back.of_query) + token * back.of_query_token + head * back.of_query_head;
        for (int64_t i = 0; i < dim; i += LANES) {
            store_some(to + i, load(of_query + row * padded + i) * all.scale, dim - i);
        }
    }
}

void attend_back(
    const Attending& all, const Looking& looking, int64_t key_head, const AttendingBack& back, float* memory) {
    (all.wide ? attend_rows_back<float> : attend_rows_back<Narrow>)(all, looking, key_head, back, memory);
}

} // namespace
