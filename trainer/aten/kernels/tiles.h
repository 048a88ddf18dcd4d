// Tiles: squares of 16 words, each a number of float32 or a pair of bfloat16, and how processors with AMX are told of their sizes.
#pragma once

#include <cstdint>

#include <immintrin.h>

#include "sizes.h"

namespace {

/// Rows of a tile, and words in a row.
constexpr int64_t SIDE = 16;
/// Numbers of bfloat16 in a row.
constexpr int64_t DEPTH = 32;

/// Turns 16 rows of 16 words.
inline void turn(__m512i (&rows)[16]) {
    __m512i pairs[16];
    for (int i = 0; i < 16; i += 2) {
        pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    __m512i fours[16];
    for (int i = 0; i < 16; i += 4) {
        fours[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
        fours[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
        fours[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
        fours[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
    }
    // Each vector has four parts of four rows now: a matrix of 4 x 4 parts for each of the four columns of a part.
    for (int column = 0; column < 4; column++) {
        const __m512i a = fours[column], b = fours[4 + column], c = fours[8 + column], d = fours[12 + column];
        const __m512i ab_even = _mm512_shuffle_i32x4(a, b, 0x88), ab_odd = _mm512_shuffle_i32x4(a, b, 0xdd);
        const __m512i cd_even = _mm512_shuffle_i32x4(c, d, 0x88), cd_odd = _mm512_shuffle_i32x4(c, d, 0xdd);
        rows[column] = _mm512_shuffle_i32x4(ab_even, cd_even, 0x88);
        rows[4 + column] = _mm512_shuffle_i32x4(ab_odd, cd_odd, 0x88);
        rows[8 + column] = _mm512_shuffle_i32x4(ab_even, cd_even, 0xdd);
        rows[12 + column] = _mm512_shuffle_i32x4(ab_odd, cd_odd, 0xdd);
    }
}

#if defined(LUDUS_AMX)

/// The sizes of the eight tiles: 16 rows of 64 bytes each, where nothing else is said.
struct alignas(64) TileConfig {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};

    /// Written out, because compilers take their own name for the instruction to read but the first bytes.
    void load() const {
        asm volatile("ldtilecfg %0" ::"m"(*this));
    }
};

const TileConfig WHOLE_TILES;

/// Whole tiles, for as long as this lives.
struct Tiles {
    Tiles() {
        WHOLE_TILES.load();
    }
    ~Tiles() {
        _tile_release();
    }
};

#else

struct Tiles {};

#endif

} // namespace
