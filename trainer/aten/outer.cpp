// The sums of outer.h, for tiles (AMX) or for vectors of pairs (AVX-512 BF16), as LUDUS_MADE.
//
// Two rows lie side by side for both instructions, a pair of each column. Of `right` that is all; of `left` it is turned besides, so
// that an output has its pairs one behind the other.
//
// Nothing of the standard library's is compiled here, for the reason in kernels.cpp.

#include "outer.h"

#include "kernels/tiles.h"

namespace {

using ludus::OuterProducts;

typedef uint32_t Pair;

/// Pairs in a tile.
constexpr int64_t TILE = SIDE * SIDE;
/// Columns that are laid out together, and outputs or inner numbers in a block: two tiles.
constexpr int64_t COLUMNS = 2 * SIDE;
/// Bytes of `right` that stay in a processor's second cache while outputs go by, and of `left`.
constexpr int64_t RIGHT_BYTES = 1 << 20, LEFT_BYTES = 1 << 19;

/// The places of two vectors' numbers in turns: those of the first halves, and of the second.
struct InTurns {
    alignas(64) uint16_t first[COLUMNS] = {}, second[COLUMNS] = {};

    constexpr InTurns() {
        for (int64_t i = 0; i < SIDE; i++) {
            first[2 * i] = static_cast<uint16_t>(i);
            first[2 * i + 1] = static_cast<uint16_t>(COLUMNS + i);
            second[2 * i] = static_cast<uint16_t>(SIDE + i);
            second[2 * i + 1] = static_cast<uint16_t>(COLUMNS + SIDE + i);
        }
    }
};

constexpr InTurns IN_TURNS;

/// Lays out up to 32 columns of all rows: for each 32 rows two tiles, a pair of each column in a line. `TURNED`: a column in a line.
template <bool TURNED>
void lay_out_columns(const uint16_t* from, int64_t stride, int64_t rows, int64_t columns, Pair* to) {
    const __mmask32 there = columns >= COLUMNS ? ~0u : (1u << columns) - 1;
    const __m512i first = _mm512_load_si512(IN_TURNS.first), second = _mm512_load_si512(IN_TURNS.second);
    for (int64_t row = 0; row < rows; row += DEPTH, to += 2 * TILE) {
        __m512i low[SIDE], high[SIDE];
        for (int64_t pair = 0; pair < SIDE; pair++) {
            const int64_t at = row + 2 * pair;
            const __m512i one = at < rows ? _mm512_maskz_loadu_epi16(there, from + at * stride) : __m512i{};
            const __m512i other = at + 1 < rows ? _mm512_maskz_loadu_epi16(there, from + (at + 1) * stride) : __m512i{};
            low[pair] = _mm512_permutex2var_epi16(one, first, other);
            high[pair] = _mm512_permutex2var_epi16(one, second, other);
        }
        if (TURNED) {
            turn(low);
            turn(high);
        }
        for (int64_t pair = 0; pair < SIDE; pair++) {
            _mm512_store_si512(to + pair * SIDE, low[pair]);
            _mm512_store_si512(to + TILE + pair * SIDE, high[pair]);
        }
    }
}

/// A block of sums: of each 16 outputs two tiles of 16 numbers.
struct Sums {
    alignas(64) float tiles[2][2][SIDE][SIDE];
};

#if defined(LUDUS_AMX)

/// What comes of `right` is read past the nearest cache, where `left` stays.
inline void add_up(const Pair* left, const Pair* right, int64_t steps, Sums& sums) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t step = 0; step < steps; step++, left += 2 * TILE, right += 2 * TILE) {
        _tile_loadd(4, left, 64);
        _tile_stream_loadd(6, right, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_stream_loadd(7, right + TILE, 64);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(5, left + TILE, 64);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, sums.tiles[0][0], 64);
    _tile_stored(1, sums.tiles[0][1], 64);
    _tile_stored(2, sums.tiles[1][0], 64);
    _tile_stored(3, sums.tiles[1][1], 64);
}

#else

/// Outputs whose sums lie in registers at one time.
constexpr int64_t TOGETHER = 8;

inline void add_up(const Pair* left, const Pair* right, int64_t steps, Sums& sums) {
    for (int64_t first = 0; first < COLUMNS; first += TOGETHER) {
        __m512 added[TOGETHER][2] = {};
        const Pair* own = left + first / SIDE * TILE + first % SIDE * SIDE;
        for (int64_t step = 0; step < steps; step++) {
            for (int64_t pair = 0; pair < SIDE; pair++) {
                const Pair* numbers = right + step * 2 * TILE + pair * SIDE;
                const __m512bh low = (__m512bh)_mm512_load_si512(numbers);
                const __m512bh high = (__m512bh)_mm512_load_si512(numbers + TILE);
                for (int64_t output = 0; output < TOGETHER; output++) {
                    const Pair two = own[step * 2 * TILE + output * SIDE + pair];
                    const __m512bh both = (__m512bh)_mm512_set1_epi32(static_cast<int>(two));
                    added[output][0] = _mm512_dpbf16_ps(added[output][0], both, low);
                    added[output][1] = _mm512_dpbf16_ps(added[output][1], both, high);
                }
            }
        }
        for (int64_t output = 0; output < TOGETHER; output++) {
            const int64_t at = first + output;
            _mm512_store_ps(sums.tiles[at / SIDE][0][at % SIDE], added[output][0]);
            _mm512_store_ps(sums.tiles[at / SIDE][1][at % SIDE], added[output][1]);
        }
    }
}

#endif

void write(const OuterProducts& of, const Sums& sums, int64_t output, int64_t inner) {
    const int64_t outputs = smaller(COLUMNS, of.outputs - output), numbers = smaller(COLUMNS, of.inner - inner);
    const uint32_t there = numbers == COLUMNS ? ~0u : (1u << numbers) - 1;
    for (int64_t row = 0; row < outputs; row++) {
        float* to = of.sum + (output + row) * of.sum_stride + inner;
        for (int64_t half = 0; half < 2; half++) {
            const __mmask16 some = static_cast<__mmask16>(there >> half * SIDE);
            const __m512 own = _mm512_load_ps(sums.tiles[row / SIDE][half][row % SIDE]);
            const __m512 before = of.adds ? _mm512_maskz_loadu_ps(some, to + half * SIDE) : __m512{};
            _mm512_mask_storeu_ps(to + half * SIDE, some, _mm512_add_ps(before, own));
        }
    }
}

/// The block of sums that comes next is fetched while products are added up.
inline void fetch(const OuterProducts& of, int64_t output, int64_t inner) {
    const int64_t outputs = smaller(COLUMNS, of.outputs - output);
    for (int64_t row = 0; row < outputs; row++) {
        const char* line = reinterpret_cast<const char*>(of.sum + (output + row) * of.sum_stride + inner);
        _mm_prefetch(line, _MM_HINT_T0);
        _mm_prefetch(line + 64, _MM_HINT_T0);
    }
}

int64_t laid_out_pairs(int64_t rows) {
    return up(rows, DEPTH) / 2 * COLUMNS;
}

int64_t laid_out(int64_t rows, int64_t inner) {
    return laid_out_pairs(rows) * 4 * (up(inner, COLUMNS) / COLUMNS);
}

/// Outputs that are laid out at one time.
int64_t outputs_together(int64_t rows) {
    const int64_t blocks = LEFT_BYTES / (laid_out_pairs(rows) * 4);
    return COLUMNS * (blocks > 1 ? blocks : 1);
}

int64_t scratch(int64_t rows) {
    return laid_out_pairs(rows) * 4 * outputs_together(rows) / COLUMNS;
}

void lay_out(const OuterProducts& of, int64_t first, int64_t last, void* memory) {
    Pair* to = static_cast<Pair*>(memory) + first / COLUMNS * laid_out_pairs(of.rows);
    for (int64_t column = first; column < last; column += COLUMNS, to += laid_out_pairs(of.rows)) {
        lay_out_columns<false>(of.right + column, of.right_stride, of.rows, last - column, to);
    }
}

void add(const OuterProducts& of, int64_t first, int64_t last, const void* laid_out, void* memory) {
    const Tiles tiles;
    const int64_t block = laid_out_pairs(of.rows), steps = up(of.rows, DEPTH) / DEPTH;
    const int64_t together = outputs_together(of.rows);
    const int64_t fits = RIGHT_BYTES / (block * 4), inner_together = COLUMNS * (fits > 1 ? fits : 1);
    auto* left = static_cast<Pair*>(memory);
    const auto* right = static_cast<const Pair*>(laid_out);
    Sums sums;
    for (int64_t some = first; some < last; some += together) {
        const int64_t end = smaller(last, some + together);
        Pair* to = left;
        for (int64_t output = some; output < end; output += COLUMNS, to += block) {
            lay_out_columns<true>(of.left + output, of.left_stride, of.rows, end - output, to);
        }
        for (int64_t chunk = 0; chunk < of.inner; chunk += inner_together) {
            const int64_t chunk_end = smaller(of.inner, chunk + inner_together);
            for (int64_t output = some; output < end; output += COLUMNS) {
                const Pair* own = left + (output - some) / COLUMNS * block;
                for (int64_t inner = chunk; inner < chunk_end; inner += COLUMNS) {
                    if (of.adds) {
                        fetch(of, output, inner);
                    }
                    add_up(own, right + inner / COLUMNS * block, steps, sums);
                    write(of, sums, output, inner);
                }
            }
        }
    }
}

} // namespace

namespace ludus {

extern const OuterKernel LUDUS_MADE;
const OuterKernel LUDUS_MADE = {LUDUS_NAME, laid_out, scratch, lay_out, add};

} // namespace ludus
