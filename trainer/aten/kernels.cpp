// The loops of kernels.h, for vectors of LUDUS_LANES numbers, as LUDUS_MADE.
//
// Nothing of the standard library's is compiled here: the linker may keep one copy of an inline function for the whole
// program, and one compiled for vectors that a processor lacks would end it.

#include "kernels.h"

namespace {

using ludus::Attending;
using ludus::Looking;
using ludus::Rows;

constexpr int LANES = LUDUS_LANES;

typedef float Floats __attribute__((vector_size(4 * LANES)));
typedef uint32_t Words __attribute__((vector_size(4 * LANES)));
typedef int32_t Integers __attribute__((vector_size(4 * LANES)));
typedef uint16_t Halves __attribute__((vector_size(2 * LANES)));

/// The upper half of a float32.
struct Narrow {
    uint16_t bits;
};

inline Floats all(float number) {
    return Floats{} + number;
}

inline Floats load(const float* from) {
    Floats numbers;
    __builtin_memcpy(&numbers, from, sizeof numbers);
    return numbers;
}

inline Floats load(const Narrow* from) {
    Halves bits;
    __builtin_memcpy(&bits, from, sizeof bits);
    return (Floats)(__builtin_convertvector(bits, Words) << 16);
}

inline void store(float* to, Floats numbers) {
    __builtin_memcpy(to, &numbers, sizeof numbers);
}

/// Rounds to the nearest, and to the even one of two that are as near; what is not a number stays none.
inline void store(Narrow* to, Floats numbers) {
    const Words bits = (Words)numbers;
    const Words rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    const Words kept = numbers == numbers ? rounded : Words{} + 0x7fc0;
    const Halves halves = __builtin_convertvector(kept, Halves);
    __builtin_memcpy(to, &halves, sizeof halves);
}

/// The first numbers of a vector; zeros behind them.
template <typename T>
inline Floats load_some(const T* from, int64_t count) {
    if (count >= LANES) {
        return load(from);
    }
    T some[LANES] = {};
    for (int64_t i = 0; i < count; i++) {
        some[i] = from[i];
    }
    return load(some);
}

template <typename T>
inline void store_some(T* to, Floats numbers, int64_t count) {
    if (count >= LANES) {
        return store(to, numbers);
    }
    T some[LANES];
    store(some, numbers);
    for (int64_t i = 0; i < count; i++) {
        to[i] = some[i];
    }
}

inline float sum(Floats numbers) {
    float added = 0;
    for (int i = 0; i < LANES; i++) {
        added += numbers[i];
    }
    return added;
}

inline float largest(Floats numbers) {
    float found = numbers[0];
    for (int i = 1; i < LANES; i++) {
        found = numbers[i] > found ? numbers[i] : found;
    }
    return found;
}

/// e to the power of each number: 2^n times a polynomial of the rest, which lies within half of ln 2. The coefficients are those
/// of the series; what is left out is below a part in 10^8.
inline Floats exp(Floats x) {
    x = x < -87.0f ? all(-87.0f) : x;
    x = x > 88.0f ? all(88.0f) : x;
    // Adding and taking away 1.5 * 2^23 rounds to a whole number.
    const Floats shift = all(12582912.0f);
    const Floats n = (x * 1.44269504088896341f + shift) - shift;
    // ln 2 in two parts, the first of which has few digits.
    const Floats rest = (x - n * 0.693359375f) + n * 2.12194440054690583e-4f;
    Floats power = all(1.0f / 5040) * rest + 1.0f / 720;
    power = power * rest + 1.0f / 120;
    power = power * rest + 1.0f / 24;
    power = power * rest + 1.0f / 6;
    power = power * rest + 0.5f;
    power = power * rest + 1.0f;
    power = power * rest + 1.0f;
    const Integers exponent = (__builtin_convertvector(n, Integers) + 127) << 23;
    return power * (Floats)exponent;
}

template <typename T>
inline T* at(Rows rows, int64_t row) {
    return static_cast<T*>(rows.data) + row * rows.stride;
}

// Norm

template <typename X, typename Y>
void norm_rows(Rows x, const float* weight, Rows y, float* scales, int64_t rows, int64_t width, float epsilon) {
    for (int64_t row = 0; row < rows; row++) {
        const X* from = at<X>(x, row);
        Y* to = at<Y>(y, row);
        Floats squares{};
        for (int64_t i = 0; i < width; i += LANES) {
            const Floats numbers = load_some(from + i, width - i);
            squares += numbers * numbers;
        }
        const float scale = 1.0f / __builtin_sqrtf(sum(squares) / width + epsilon);
        for (int64_t i = 0; i < width; i += LANES) {
            const Floats numbers = load_some(from + i, width - i) * scale;
            store_some(to + i, numbers * load_some(weight + i, width - i), width - i);
        }
        if (scales) {
            scales[row] = scale;
        }
    }
}

/// With s the scale and n the width: dx = s (w dy - x s^2 / n sum(x w dy)), dw = sum over rows of dy x s.
template <typename X, typename Y>
void norm_rows_backward(
    Rows x, const float* weight, const float* scales, Rows of_y, Rows of_x, float* of_weight, int64_t rows, int64_t width) {
    for (int64_t row = 0; row < rows; row++) {
        const X* from = at<X>(x, row);
        const Y* back = at<Y>(of_y, row);
        X* to = at<X>(of_x, row);
        const float scale = scales[row];
        Floats products{};
        for (int64_t i = 0; i < width; i += LANES) {
            const int64_t left = width - i;
            const Floats numbers = load_some(from + i, left), gradient = load_some(back + i, left);
            products += numbers * gradient * load_some(weight + i, left);
            store_some(of_weight + i, load_some(of_weight + i, left) + gradient * numbers * scale, left);
        }
        const float along = sum(products) * scale * scale / width;
        for (int64_t i = 0; i < width; i += LANES) {
            const int64_t left = width - i;
            const Floats gradient = load_some(back + i, left) * load_some(weight + i, left);
            store_some(to + i, (gradient - load_some(from + i, left) * along) * scale, left);
        }
    }
}

void norm(Rows x, const float* weight, Rows y, float* scales, int64_t rows, int64_t width, float epsilon) {
    auto of = x.wide ? (y.wide ? norm_rows<float, float> : norm_rows<float, Narrow>)
                     : (y.wide ? norm_rows<Narrow, float> : norm_rows<Narrow, Narrow>);
    of(x, weight, y, scales, rows, width, epsilon);
}

void norm_backward(
    Rows x, const float* weight, const float* scales, Rows of_y, Rows of_x, float* of_weight, int64_t rows, int64_t width) {
    auto of = x.wide ? (of_y.wide ? norm_rows_backward<float, float> : norm_rows_backward<float, Narrow>)
                     : (of_y.wide ? norm_rows_backward<Narrow, float> : norm_rows_backward<Narrow, Narrow>);
    of(x, weight, scales, of_y, of_x, of_weight, rows, width);
}

// Rotation

template <typename T>
void rotate_rows(
    Rows x, Rows cosines, Rows sines, Rows y, int64_t tokens, int64_t heads, int64_t dim, float direction) {
    const int64_t half = dim / 2;
    for (int64_t token = 0; token < tokens; token++) {
        const T* cosine = at<T>(cosines, token);
        const T* sine = at<T>(sines, token);
        for (int64_t head = 0; head < heads; head++) {
            const T* from = at<T>(x, token) + head * dim;
            T* to = at<T>(y, token) + head * dim;
            for (int64_t i = 0; i < half; i += LANES) {
                const int64_t left = half - i;
                const Floats a = load_some(from + i, left), b = load_some(from + half + i, left);
                const Floats c = load_some(cosine + i, left), s = load_some(sine + i, left) * direction;
                store_some(to + i, a * c - b * s, left);
                store_some(to + half + i, b * c + a * s, left);
            }
        }
    }
}

void rotate(Rows x, Rows cosines, Rows sines, Rows y, int64_t tokens, int64_t heads, int64_t dim, float direction) {
    auto of = x.wide ? rotate_rows<float> : rotate_rows<Narrow>;
    of(x, cosines, sines, y, tokens, heads, dim, direction);
}

// Gate

template <typename T>
void gated_rows(Rows gate, Rows up, Rows y, int64_t rows, int64_t width) {
    for (int64_t row = 0; row < rows; row++) {
        const T *gates = at<T>(gate, row), *ups = at<T>(up, row);
        T* to = at<T>(y, row);
        for (int64_t i = 0; i < width; i += LANES) {
            const Floats g = load_some(gates + i, width - i), u = load_some(ups + i, width - i);
            store_some(to + i, g / (exp(-g) + 1.0f) * u, width - i);
        }
    }
}

/// With s = 1 / (1 + exp(-g)): dg = dy u s (1 + g (1 - s)), du = dy g s.
template <typename T>
void gated_rows_backward(Rows gate, Rows up, Rows of_y, Rows of_gate, Rows of_up, int64_t rows, int64_t width) {
    for (int64_t row = 0; row < rows; row++) {
        const T *gates = at<T>(gate, row), *ups = at<T>(up, row), *back = at<T>(of_y, row);
        T *to_gate = at<T>(of_gate, row), *to_up = at<T>(of_up, row);
        for (int64_t i = 0; i < width; i += LANES) {
            const int64_t left = width - i;
            const Floats g = load_some(gates + i, left), u = load_some(ups + i, left), d = load_some(back + i, left);
            const Floats s = 1.0f / (exp(-g) + 1.0f);
            store_some(to_gate + i, d * u * s * ((1.0f - s) * g + 1.0f), left);
            store_some(to_up + i, d * g * s, left);
        }
    }
}

void gated(Rows gate, Rows up, Rows y, int64_t rows, int64_t width) {
    (gate.wide ? gated_rows<float> : gated_rows<Narrow>)(gate, up, y, rows, width);
}

void gated_backward(Rows gate, Rows up, Rows of_y, Rows of_gate, Rows of_up, int64_t rows, int64_t width) {
    (gate.wide ? gated_rows_backward<float> : gated_rows_backward<Narrow>)(gate, up, of_y, of_gate, of_up, rows, width);
}

// Attention

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

/// Rows of `dim` numbers, widened and filled up with zeros to whole vectors; rows that do not exist are zeros.
template <typename T>
inline void widen(const T* from, int64_t stride, int64_t rows, int64_t dim, float* to, int64_t padded, int64_t wanted) {
    for (int64_t row = 0; row < wanted; row++) {
        for (int64_t i = 0; i < padded; i += LANES) {
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

/// Adds a tile of values to what QUERIES queries make of them, each as much as its row of weights says.
template <int QUERIES>
inline void add_values(const float* weights, int64_t stride, const float* tile, int64_t padded, float* mixed) {
    for (int64_t i = 0; i < padded; i += LANES) {
        Floats added[QUERIES];
#pragma GCC unroll 8
        for (int query = 0; query < QUERIES; query++) {
            added[query] = load(mixed + query * padded + i);
        }
#pragma GCC unroll 16
        for (int key = 0; key < LANES; key++) {
            const Floats value = load(tile + key * padded + i);
#pragma GCC unroll 8
            for (int query = 0; query < QUERIES; query++) {
                added[query] += weights[query * stride + key] * value;
            }
        }
#pragma GCC unroll 8
        for (int query = 0; query < QUERIES; query++) {
            store(mixed + query * padded + i, added[query]);
        }
    }
}

inline void add_values(
    int64_t count, const float* weights, int64_t stride, const float* tile, int64_t padded, float* mixed) {
    while (count > 0) {
        const int64_t now = count >= 8 ? 8 : count >= 4 ? 4 : count >= 2 ? 2 : 1;
        auto add = now == 8 ? add_values<8> : now == 4 ? add_values<4> : now == 2 ? add_values<2> : add_values<1>;
        add(weights, stride, tile, padded, mixed);
        count -= now;
        weights += now * stride;
        mixed += now * padded;
    }
}

inline int64_t whole(int64_t count) {
    return (count + LANES - 1) / LANES * LANES;
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

template <typename T>
void attend_rows(const Attending& all, const Looking& looking, int64_t key_head, float* memory) {
    const int64_t shared = all.query_heads / all.key_heads, dim = all.dim, padded = whole(dim);
    const int64_t queries = looking.tokens * shared, most = most_seen(looking);
    const int64_t keys = whole(most);
    // Queries, scores, what is mixed, and a tile.
    float *const query = memory, *const scores = query + queries * padded, *const mixed = scores + queries * keys;
    float* const tile = mixed + queries * padded;

    for (int64_t token = 0; token < looking.tokens; token++) {
        const T* from = static_cast<const T*>(all.query) + (looking.first + token) * all.query_token;
        float* to = query + token * shared * padded;
        widen(from + key_head * shared * all.query_head, all.query_head, shared, dim, to, padded, shared);
        for (int64_t i = 0; i < shared * padded; i += LANES) {
            store(to + i, load(to + i) * all.scale);
        }
    }
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

namespace ludus {

extern const Kernels LUDUS_MADE;
const Kernels LUDUS_MADE{LUDUS_NAME, norm, norm_backward, rotate, gated, gated_backward, scratch, attend};

} // namespace ludus
