// The loops of kernels.h, for vectors of LUDUS_LANES numbers, as LUDUS_MADE.
//
// Nothing of the standard library's is compiled here: the linker may keep one copy of an inline function for the whole
// program, and one compiled for vectors that a processor lacks would end it.

#include "kernels.h"

namespace {

using ludus::Attending;
using ludus::AttendingBack;
using ludus::Distribution;
using ludus::Looking;
using ludus::Rows;
using ludus::Token;

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

// Attention on the way back

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

/// The scores are made once more. With P the softmax, S the scores and O what was mixed:
/// dV = P^T dO, dP = dO V^T, dS = P (dP - sum(P dP)), dQ = dS K, dK = dS^T Q.
template <typename T>
void attend_rows_back(
    const Attending& all, const Looking& looking, int64_t key_head, const AttendingBack& back, float* memory) {
    const int64_t shared = all.query_heads / all.key_heads, dim = all.dim, padded = whole(dim);
    const int64_t queries = looking.tokens * shared, most = most_seen(looking), keys = whole(most);
    float *const query = memory, *const of_query = query + queries * padded, *const of_mixed = of_query + queries * padded;
    float *const p = of_mixed + queries * padded, *const of_p = p + queries * keys, *const tile = of_p + queries * keys;

    read_queries<T>(all, looking, key_head, query, padded);
    for (int64_t token = 0; token < looking.tokens; token++) {
        const T* from = static_cast<const T*>(back.of_mixed) + (looking.first + token) * back.of_mixed_token;
        widen(from + key_head * shared * dim, dim, shared, dim, of_mixed + token * shared * padded, padded, shared);
    }
    const T* key = static_cast<const T*>(all.keys) + looking.place * all.keys_place + key_head * all.keys_head;
    for (int64_t first = 0; first < keys; first += LANES) {
        widen(key + first * all.keys_position, all.keys_position, most - first, dim, tile, padded, LANES);
        score(query, queries, tile, padded, p + first, keys);
    }
    for (int64_t row = 0; row < queries; row++) {
        const float scale = exponentials(p + row * keys, looking.seen[row / shared], keys);
        for (int64_t i = 0; i < keys; i += LANES) {
            store(p + row * keys + i, load(p + row * keys + i) * scale);
        }
    }
    const T* value = static_cast<const T*>(all.values) + looking.place * all.values_place + key_head * all.values_head;
    for (int64_t first = 0; first < keys; first += LANES) {
        widen(value + first * all.values_position, all.values_position, most - first, dim, tile, padded, LANES);
        score(of_mixed, queries, tile, padded, of_p + first, keys);
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

// Distributions

/// Numbers of a row that are added up in float32; their sums are in double.
constexpr int64_t ADDED = 1024;
/// Parts of a row whose shares are known when a token is drawn, at most.
constexpr int64_t PARTS = 256;
/// Numbers of a gradient that exist at one time.
constexpr int64_t WRITTEN = 512;

inline int64_t smaller(int64_t one, int64_t other) {
    return one < other ? one : other;
}

/// The first numbers of a row from here; minus infinity behind them.
inline Floats load_logits(const float* from, int64_t count) {
    if (count >= LANES) {
        return load(from);
    }
    Floats numbers = all(-__builtin_inff());
    for (int64_t i = 0; i < count; i++) {
        numbers[i] = from[i];
    }
    return numbers;
}

void measure(Distribution& row) {
    Floats highest = all(-__builtin_inff());
    for (int64_t i = 0; i < row.width; i += LANES) {
        const Floats logits = load_logits(row.logits + i, row.width - i);
        highest = logits > highest ? logits : highest;
    }
    const float most = largest(highest);
    // Of exp(x), and of x exp(x), where the greatest x is 0.
    double sums = 0, weighted = 0;
    for (int64_t first = 0; first < row.width; first += ADDED) {
        const int64_t end = smaller(row.width, first + ADDED);
        Floats powers{}, products{};
        for (int64_t i = first; i < end; i += LANES) {
            // Behind the last one stands what adds nothing.
            Floats x = (load_logits(row.logits + i, end - i) - most) * row.sharpness;
            x = x < -1e4f ? all(-1e4f) : x;
            const Floats power = x < -87.0f ? Floats{} : exp(x);
            powers += power;
            products += power * x;
        }
        sums += sum(powers);
        weighted += sum(products);
    }
    const double log_sum = __builtin_log(sums);
    row.most = most;
    row.log_sum = static_cast<float>(log_sum);
    row.entropy = static_cast<float>(log_sum - weighted / sums);
}

/// One after the other by itself, wherever it is asked for: what was sampled and what is learned from agree to the last bit.
float log_probability(const Distribution& row, int64_t token) {
    return (row.logits[token] - row.most) * row.sharpness - row.log_sum;
}

inline Floats log_probabilities(const Distribution& row, Floats logits) {
    return (logits - row.most) * row.sharpness - row.log_sum;
}

/// Probabilities; those that float32 cannot tell from 0 are 0.
inline Floats probabilities(Floats logarithms) {
    return logarithms < -87.0f ? Floats{} : exp(logarithms);
}

int64_t draw(const Distribution& row, double share) {
    const int64_t part = whole(row.width / PARTS > ADDED ? row.width / PARTS + 1 : ADDED);
    double shares[PARTS + 1], total = 0;
    for (int64_t index = 0, first = 0; first < row.width; index++, first += part) {
        const int64_t end = smaller(row.width, first + part);
        Floats added{};
        for (int64_t i = first; i < end; i += LANES) {
            added += probabilities(log_probabilities(row, load_logits(row.logits + i, end - i)));
        }
        shares[index] = sum(added);
        total += shares[index];
    }
    // The part in which the token lies, or the last one with any.
    const double sought = share * total;
    double before = 0;
    int64_t chosen = -1;
    for (int64_t index = 0; index * part < row.width && !(chosen >= 0 && sought < before + shares[chosen]); index++) {
        if (shares[index] > 0) {
            before += chosen >= 0 ? shares[chosen] : 0;
            chosen = index;
        }
    }
    if (chosen < 0) {
        return row.width - 1;
    }
    double left = sought - before;
    int64_t last = chosen * part;
    const int64_t end = smaller(row.width, last + part);
    for (int64_t first = last; first < end; first += LANES) {
        const Floats found = probabilities(log_probabilities(row, load_logits(row.logits + first, end - first)));
        for (int64_t lane = 0; lane < smaller(LANES, end - first); lane++) {
            if (found[lane] > 0) {
                last = first + lane;
                if (left < found[lane]) {
                    return last;
                }
                left -= found[lane];
            }
        }
    }
    // One by one they may come to a little less than their sum did.
    return last;
}

/// See src/distribution.rs.
template <typename T>
void write_logits_gradient(const Distribution& row, const Token* tokens, int64_t count, float of_entropy, T* to) {
    float of_row = 0;
    for (int64_t i = 0; i < count; i++) {
        of_row += tokens[i].gradient;
    }
    float written[WRITTEN];
    for (int64_t first = 0; first < row.width; first += WRITTEN) {
        const int64_t width = smaller(WRITTEN, row.width - first);
        for (int64_t i = 0; i < width; i += LANES) {
            const Floats logarithms = log_probabilities(row, load_some(row.logits + first + i, width - i));
            const Floats of_all = (logarithms + row.entropy) * of_entropy + of_row;
            store(written + i, -(probabilities(logarithms) * of_all * row.sharpness));
        }
        for (int64_t i = 0; i < count; i++) {
            const int64_t at = tokens[i].token - first;
            if (at >= 0 && at < width) {
                written[at] += tokens[i].gradient * row.sharpness;
            }
        }
        for (int64_t i = 0; i < width; i += LANES) {
            store_some(to + first + i, load(written + i), width - i);
        }
    }
}

void logits_gradient(const Distribution& row, const Token* tokens, int64_t count, float of_entropy, Rows to) {
    if (to.wide) {
        write_logits_gradient(row, tokens, count, of_entropy, static_cast<float*>(to.data));
    } else {
        write_logits_gradient(row, tokens, count, of_entropy, static_cast<Narrow*>(to.data));
    }
}

} // namespace

namespace ludus {

extern const Kernels LUDUS_MADE;
const Kernels LUDUS_MADE{
    LUDUS_NAME, norm, norm_backward, rotate, gated, gated_backward, scratch, attend, LANES, scratch_back, attend_back,
    measure, log_probability, draw, logits_gradient};

} // namespace ludus
