// Vectors of LUDUS_LANES numbers, and e to the power of them.
#pragma once

#include <cstdint>

namespace {

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

/// Each number and the one that lies `far` lanes from it, a power of two, exchanged.
inline Floats exchanged(Floats numbers, int far) {
    Integers places;
    for (int i = 0; i < LANES; i++) {
        places[i] = i ^ far;
    }
#if defined(__clang__)
    Floats other;
    for (int i = 0; i < LANES; i++) {
        other[i] = numbers[places[i]];
    }
    return other;
#else
    return __builtin_shuffle(numbers, places);
#endif
}

inline float sum(Floats numbers) {
#pragma GCC unroll 4
    for (int far = LANES / 2; far > 0; far /= 2) {
        numbers += exchanged(numbers, far);
    }
    return numbers[0];
}

inline float largest(Floats numbers) {
#pragma GCC unroll 4
    for (int far = LANES / 2; far > 0; far /= 2) {
        const Floats other = exchanged(numbers, far);
        numbers = other > numbers ? other : numbers;
    }
    return numbers[0];
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

/// So many numbers, filled up to whole vectors.
inline int64_t whole(int64_t count) {
    return (count + LANES - 1) / LANES * LANES;
}

} // namespace
