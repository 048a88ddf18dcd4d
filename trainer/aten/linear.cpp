// The product of linear.h, for tiles (AMX) or for vectors of pairs (AVX-512 BF16), as LUDUS_MADE.
//
// The weight is the first factor: it is read as it lies. The states are laid out anew, sixteen rows side by side and two numbers
// of each behind the other, as both instructions want their second factor. So a block comes out turned, an output a row, and is
// turned back on its way to memory.
//
// Nothing of the standard library's is compiled here, for the reason in kernels.cpp.

#include "linear.h"

#include "kernels/tiles.h"

namespace {

using ludus::Linear;

/// Pairs of bfloat16 that a tile adds up.
constexpr int64_t PAIRS = DEPTH / 2;
/// Outputs in a block.
constexpr int64_t OUTPUTS = 2 * SIDE;

/// Bytes that come from memory together.
constexpr int64_t LINE = 64;

/// A pair of bfloat16.
typedef uint32_t Pair;

/// Lays out 16 rows: pair by pair, a pair of each row. Zeros stand for rows and numbers that are not there.
void lay_out_tile(const uint16_t* states, int64_t stride, int64_t rows, int64_t inner, Pair* laid_out) {
    for (int64_t first = 0; first < inner; first += DEPTH, laid_out += PAIRS * SIDE) {
        const int64_t numbers = smaller(DEPTH, inner - first);
        const __mmask32 there = numbers == DEPTH ? ~0u : (1u << numbers) - 1;
        __m512i words[16];
        for (int64_t row = 0; row < SIDE; row++) {
            words[row] = row < rows ? _mm512_maskz_loadu_epi16(there, states + row * stride + first) : __m512i{};
        }
        turn(words);
        for (int64_t pair = 0; pair < PAIRS; pair++) {
            _mm512_store_si512(laid_out + pair * SIDE, words[pair]);
        }
    }
}

/// Lines of memory that will be read next, one behind the other.
struct Lines {
    const char* from;
    int64_t count;

    /// One of some parts that are about as large.
    Lines part(int64_t index, int64_t parts) const {
        const int64_t first = count * index / parts;
        return {from + first * LINE, count * (index + 1) / parts - first};
    }
};

/// A block of sums: of each 16 outputs a tile for each 16 rows.
template <int TILES>
struct Sums {
    alignas(64) float tiles[2][TILES][SIDE][SIDE];
};

/// Rows are `TILES` times 16. `weight` has all of its numbers; `ahead` is fetched meanwhile.
template <int TILES>
void add_up(const uint16_t* weight, int64_t stride, const Pair* states, int64_t inner, Lines ahead, Sums<TILES>& sums);

#if defined(LUDUS_AMX)

/// Of several tiles of states each is read past the nearest cache, where the weight's stay for the next ones.
template <int TILES>
void add_up(
    const uint16_t* weight, int64_t stride, const Pair* states, int64_t inner, Lines ahead, Sums<TILES>& sums) {
    const int64_t steps = up(inner, DEPTH) / DEPTH, lines_a_step = (ahead.count + steps - 1) / steps;
    const Pair* more_states = states + steps * PAIRS * SIDE;
    const uint16_t* more_weight = weight + SIDE * stride;
    const int64_t bytes = 2 * stride;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t step = 0; step < steps; step++) {
        // As many in each step.
        const int64_t lines = smaller(ahead.count, lines_a_step);
        for (int64_t line = 0; line < lines; line++) {
            _mm_prefetch(ahead.from + line * LINE, _MM_HINT_T1);
        }
        ahead = {ahead.from + lines * LINE, ahead.count - lines};
        _tile_loadd(4, weight, bytes);
        if (TILES == 2) {
            _tile_stream_loadd(6, states, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_stream_loadd(7, more_states, 64);
            _tile_dpbf16ps(1, 4, 7);
            _tile_loadd(5, more_weight, bytes);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        } else {
            _tile_loadd(6, states, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(5, more_weight, bytes);
            _tile_dpbf16ps(2, 5, 6);
        }
        weight += DEPTH;
        more_weight += DEPTH;
        states += PAIRS * SIDE;
        more_states += PAIRS * SIDE;
    }
    _tile_stored(0, sums.tiles[0][0], 64);
    _tile_stored(2, sums.tiles[1][0], 64);
    if (TILES == 2) {
        _tile_stored(1, sums.tiles[0][1], 64);
        _tile_stored(3, sums.tiles[1][1], 64);
    }
}

#else

/// Outputs whose sums lie in registers at one time.
constexpr int64_t TOGETHER = 8;

template <int TILES>
void add_up(const uint16_t* weight, int64_t stride, const Pair* states, int64_t inner, Lines, Sums<TILES>& sums) {
    const int64_t pairs = up(inner, DEPTH) / 2, step = pairs * SIDE;
    for (int64_t first = 0; first < OUTPUTS; first += TOGETHER) {
        __m512 added[TOGETHER][TILES] = {};
        const uint16_t* row = weight + first * stride;
        for (int64_t pair = 0; pair < pairs; pair++) {
            __m512bh pair_of_rows[TILES];
            for (int tile = 0; tile < TILES; tile++) {
                pair_of_rows[tile] = (__m512bh)_mm512_load_si512(states + tile * step + pair * SIDE);
            }
            for (int64_t output = 0; output < TOGETHER; output++) {
                int two;
                __builtin_memcpy(&two, row + output * stride + 2 * pair, sizeof two);
                const __m512bh weights = (__m512bh)_mm512_set1_epi32(two);
                for (int tile = 0; tile < TILES; tile++) {
                    added[output][tile] = _mm512_dpbf16_ps(added[output][tile], weights, pair_of_rows[tile]);
                }
            }
        }
        for (int64_t output = 0; output < TOGETHER; output++) {
            const int64_t at = first + output;
            for (int tile = 0; tile < TILES; tile++) {
                _mm512_store_ps(sums.tiles[at / SIDE][tile][at % SIDE], added[output][tile]);
            }
        }
    }
}

#endif

/// The places of two vectors' numbers in turns.
struct SideBySide {
    alignas(64) uint16_t places[2 * SIDE] = {};

    constexpr SideBySide() {
        for (int64_t i = 0; i < SIDE; i++) {
            places[2 * i] = static_cast<uint16_t>(i);
            places[2 * i + 1] = static_cast<uint16_t>(SIDE + i);
        }
    }
};

constexpr SideBySide SIDE_BY_SIDE;

/// Sixteen numbers of bfloat16 in float32.
inline __m512 widened(__m256i bits) {
    return (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16);
}

/// Turns a tile of sums, adds the bias and writes it as rows of a product in float32.
void write_wide(const Linear& linear, const float (&tile)[SIDE][SIDE], int64_t row, int64_t output) {
    const int64_t rows = smaller(SIDE, linear.rows - row), outputs = smaller(SIDE, linear.outputs - output);
    if (rows <= 0 || outputs <= 0) {
        return;
    }
    const __mmask16 there = static_cast<__mmask16>((1u << outputs) - 1);
    __m512i words[16];
    for (int64_t i = 0; i < SIDE; i++) {
        words[i] = _mm512_load_si512(tile[i]);
    }
    turn(words);
    __m512 bias = {};
    if (linear.bias) {
        bias = widened(_mm256_maskz_loadu_epi16(there, linear.bias + output));
    }
    for (int64_t i = 0; i < rows; i++) {
        const __m512 sum = linear.bias ? _mm512_add_ps((__m512)words[i], bias) : (__m512)words[i];
        _mm512_mask_storeu_ps(
            static_cast<float*>(linear.product) + (row + i) * linear.product_stride + output, there, sum);
    }
}

/// Adds the bias of an output to its row of a tile of sums.
inline __m512 biased(const Linear& linear, const float (&sums)[SIDE], int64_t output) {
    const __m512 sum = _mm512_load_ps(sums);
    if (!linear.bias || output >= linear.outputs) {
        return sum;
    }
    const uint32_t bits = static_cast<uint32_t>(linear.bias[output]) << 16;
    return _mm512_add_ps(sum, (__m512)_mm512_set1_epi32(bits));
}

/// Turns two tiles of sums, of outputs one behind the other, and writes them as rows of the product.
void write(const Linear& linear, const float (&low)[SIDE][SIDE], const float (&high)[SIDE][SIDE], int64_t row, int64_t output) {
    const int64_t rows = smaller(SIDE, linear.rows - row), outputs = smaller(2 * SIDE, linear.outputs - output);
    if (rows <= 0 || outputs <= 0) {
        return;
    }
    if (linear.wide && !linear.onto) {
        write_wide(linear, low, row, output);
        write_wide(linear, high, row, output + SIDE);
        return;
    }
    // Two outputs of a row side by side are a word, which halves what is to be turned.
    const __m512i side_by_side = _mm512_load_si512(SIDE_BY_SIDE.places);
    __m512i words[16];
    for (int64_t i = 0; i < SIDE; i++) {
        const auto& tile = i < SIDE / 2 ? low : high;
        const int64_t at = 2 * (i % (SIDE / 2)), of = output + (i < SIDE / 2 ? 0 : SIDE) + at;
        const __m512 first = biased(linear, tile[at], of), second = biased(linear, tile[at + 1], of + 1);
        words[i] = _mm512_permutexvar_epi16(side_by_side, (__m512i)_mm512_cvtne2ps_pbh(second, first));
    }
    turn(words);
    const __mmask32 there = outputs == 2 * SIDE ? ~0u : (1u << outputs) - 1;
    for (int64_t i = 0; i < rows; i++) {
        const int64_t at = (row + i) * linear.product_stride + output;
        if (!linear.onto) {
            _mm512_mask_storeu_epi16(static_cast<uint16_t*>(linear.product) + at, there, words[i]);
            continue;
        }
        const float* onto = linear.onto + (row + i) * linear.onto_stride + output;
        auto* product = static_cast<float*>(linear.product) + at;
        const auto add = [&](int64_t from, __m256i narrow) {
            const __mmask16 some = static_cast<__mmask16>(there >> from);
            const __m512 added = _mm512_add_ps(_mm512_maskz_loadu_ps(some, onto + from), widened(narrow));
            _mm512_mask_storeu_ps(product + from, some, added);
        };
        add(0, _mm512_castsi512_si256(words[i]));
        add(SIDE, _mm512_extracti64x4_epi64(words[i], 1));
    }
}

/// `TILES` as for `add_up`.
template <int TILES>
void multiply_rows(const Linear& linear, const Pair* states, uint16_t* spare) {
    const int64_t inner = up(linear.inner, DEPTH), laid_out = inner * SIDE / 2;
    const int64_t tiles = up(linear.rows, SIDE) / SIDE;
    Sums<TILES> sums;
    for (int64_t output = 0; output < linear.outputs; output += OUTPUTS) {
        const uint16_t* weight = linear.weight + output * linear.weight_stride;
        int64_t stride = linear.weight_stride;
        const int64_t outputs = smaller(OUTPUTS, linear.outputs - output);
        const bool goes_on = output + 2 * OUTPUTS <= linear.outputs && stride == inner;
        Lines ahead{reinterpret_cast<const char*>(weight + OUTPUTS * stride), goes_on ? 2 * OUTPUTS * inner / LINE : 0};
        if (outputs < OUTPUTS || inner != linear.inner) {
            // A block that is not whole gets zeros for what is missing.
            for (int64_t row = 0; row < OUTPUTS; row++) {
                for (int64_t i = 0; i < inner; i++) {
                    spare[row * inner + i] = row < outputs && i < linear.inner ? weight[row * stride + i] : 0;
                }
            }
            weight = spare;
            stride = inner;
            ahead.count = 0;
        }
        for (int64_t tile = 0; tile < tiles; tile += TILES) {
            const Lines fetched = ahead.part(tile / TILES, (tiles + TILES - 1) / TILES);
            add_up<TILES>(weight, stride, states + tile * laid_out, inner, fetched, sums);
            for (int64_t i = 0; i < TILES; i++) {
                write(linear, sums.tiles[0][i], sums.tiles[1][i], (tile + i) * SIDE, output);
            }
        }
    }
}

int64_t spare_bytes(int64_t inner) {
    return up(inner, DEPTH) * OUTPUTS * 2;
}

/// Where states lie laid out.
Pair* laid_out_at(const Linear& linear, void* memory) {
    return reinterpret_cast<Pair*>(static_cast<char*>(memory) + spare_bytes(linear.inner));
}

/// Of few rows one tile, else an even number of them.
int64_t padded(int64_t rows) {
    return rows <= SIDE ? SIDE : up(rows, 2 * SIDE);
}

int64_t scratch(int64_t rows, int64_t inner) {
    return spare_bytes(inner) + up(inner, DEPTH) * padded(rows) * 2;
}

void lay_out(const Linear& linear, void* memory) {
    Pair* to = laid_out_at(linear, memory);
    for (int64_t row = 0; row < padded(linear.rows); row += SIDE, to += up(linear.inner, DEPTH) * SIDE / 2) {
        const uint16_t* states = linear.states + row * linear.states_stride;
        lay_out_tile(states, linear.states_stride, linear.rows - row, linear.inner, to);
    }
}

void multiply(const Linear& linear, void* memory) {
    auto* spare = static_cast<uint16_t*>(memory);
    const Tiles tiles;
    const Pair* states = laid_out_at(linear, memory);
    if (linear.rows > SIDE) {
        return multiply_rows<2>(linear, states, spare);
    }
    multiply_rows<1>(linear, states, spare);
}

} // namespace

namespace ludus {

extern const LinearKernel LUDUS_MADE;
const LinearKernel LUDUS_MADE = {LUDUS_NAME, scratch, lay_out, multiply};

} // namespace ludus
