// Scores of queries and keys of bfloat16 by AMX: their products are exact, and added up in float32. On the way back the same of
// gradients and values.
#pragma once

#include "tiles.h"
#include "vectors.h"

namespace {

/// Some queries of one head of keys. Heads have a multiple of 2 DEPTH numbers.
class Scores {
public:
    /// `queries` lie one behind the other.
    Scores(const Narrow* queries, int64_t count, int64_t dim) : queries(queries), count(count), dim(dim) {
        // Of the queries that do not fill a tile, and of their scores.
        const int64_t rest = count % SIDE;
        if (rest > 0) {
            sizes.rows[4] = sizes.rows[5] = sizes.rows[7] = static_cast<uint8_t>(rest);
        }
        sizes.load();
    }

    ~Scores() {
        _tile_release();
    }

    Scores(const Scores&) = delete;

    static bool can(int64_t dim) {
        return dim % (2 * DEPTH) == 0;
    }

    /// The scores of all queries and up to 16 keys, a row for each query. Of keys that are not there they are zero.
    void score(const Narrow* keys, int64_t stride, int64_t there, float* laid_out, float* scores, int64_t scores_stride) {
        for (int64_t part = 0; part < dim / DEPTH; part++) {
            __m512i words[SIDE];
            for (int64_t key = 0; key < SIDE; key++) {
                words[key] = key < there ? _mm512_loadu_si512(keys + key * stride + part * DEPTH) : __m512i{};
            }
            turn(words);
            for (int64_t pair = 0; pair < SIDE; pair++) {
                _mm512_storeu_si512(laid_out + (part * SIDE + pair) * SIDE, words[pair]);
            }
        }
        int64_t first = 0;
        for (; first + SIDE <= count; first += SIDE) {
            score_whole(queries + first * dim, laid_out, scores + first * scores_stride, 4 * scores_stride);
        }
        if (first < count) {
            score_rest(queries + first * dim, laid_out, scores + first * scores_stride, 4 * scores_stride);
        }
    }

private:
    TileConfig sizes;
    const Narrow* queries;
    const int64_t count, dim;

    void score_whole(const Narrow* own, const float* keys, float* scores, int64_t bytes) const {
        _tile_zero(6);
        for (int64_t at = 0; at < dim; at += 2 * DEPTH) {
            _tile_loadd(0, keys + at / 2 * SIDE, 64);
            _tile_loadd(2, own + at, 2 * dim);
            _tile_dpbf16ps(6, 2, 0);
            _tile_loadd(1, keys + (at + DEPTH) / 2 * SIDE, 64);
            _tile_loadd(3, own + at + DEPTH, 2 * dim);
            _tile_dpbf16ps(6, 3, 1);
        }
        _tile_stored(6, scores, bytes);
    }

    void score_rest(const Narrow* own, const float* keys, float* scores, int64_t bytes) const {
        _tile_zero(7);
        for (int64_t at = 0; at < dim; at += 2 * DEPTH) {
            _tile_loadd(0, keys + at / 2 * SIDE, 64);
            _tile_loadd(4, own + at, 2 * dim);
            _tile_dpbf16ps(7, 4, 0);
            _tile_loadd(1, keys + (at + DEPTH) / 2 * SIDE, 64);
            _tile_loadd(5, own + at + DEPTH, 2 * dim);
            _tile_dpbf16ps(7, 5, 1);
        }
        _tile_stored(7, scores, bytes);
    }
};

} // namespace
