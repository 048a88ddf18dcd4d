// Products of a few rows of float32 with a weight, which is read once, as it lies.
//
// Libraries lay matrices out anew before they multiply, which pays where there are many rows. A token that is drawn has a row for
// each conversation, and then the weight's way from memory is what takes time.
#pragma once

#include "../kernels.h"
#include "sizes.h"
#include "vectors.h"

namespace {

using ludus::FewRows;

/// Vectors of rows whose sums fit into the registers, of which there are 32, or 16 of the narrower vectors; none where vectors are
/// too narrow to be worth it.
constexpr int VECTORS_MAX = LANES == 16 ? 3 : LANES == 8 ? 2 : 0;
/// Outputs whose sums lie in registers at one time, of so many vectors of rows.
constexpr int64_t together(int vectors) {
    return vectors == 1 || LANES == 16 ? 8 : 6;
}

/// Numbers in a line of memory.
constexpr int64_t LINE_OF_FLOATS = 16;

inline int64_t vectors_of(int64_t rows) {
    return up(rows, LANES) / LANES;
}

/// Rows side by side: a vector, or some, for each of their numbers. Zeros stand for rows that are not there.
void lay_out_few(const FewRows& of, float* to) {
    const int64_t width = vectors_of(of.rows) * LANES;
    for (int64_t i = 0; i < of.inner; i++, to += width) {
        for (int64_t row = 0; row < width; row++) {
            to[row] = row < of.rows ? of.states[row * of.states_stride + i] : 0.0f;
        }
    }
}

/// `OUTPUTS` outputs of all rows. The weights of as many more, which come next, are fetched meanwhile.
template <int VECTORS, int64_t OUTPUTS>
void multiply_some(const FewRows& of, const float* states, int64_t output) {
    const float* weight = of.weight + output * of.weight_stride;
    Floats sums[OUTPUTS][VECTORS] = {};
    const auto add = [&](int64_t i) {
        Floats numbers[VECTORS];
#pragma GCC unroll 3
        for (int vector = 0; vector < VECTORS; vector++) {
            numbers[vector] = load(states + (i * VECTORS + vector) * LANES);
        }
#pragma GCC unroll 8
        for (int64_t row = 0; row < OUTPUTS; row++) {
            const float one = weight[row * of.weight_stride + i];
#pragma GCC unroll 3
            for (int vector = 0; vector < VECTORS; vector++) {
                sums[row][vector] += numbers[vector] * one;
            }
        }
    };
    int64_t i = 0;
    for (; i + LINE_OF_FLOATS <= of.inner; i += LINE_OF_FLOATS) {
#pragma GCC unroll 8
        for (int64_t row = 0; row < OUTPUTS; row++) {
            __builtin_prefetch(weight + (OUTPUTS + row) * of.weight_stride + i, 0, 2);
        }
        for (int64_t one = 0; one < LINE_OF_FLOATS; one++) {
            add(i + one);
        }
    }
    for (; i < of.inner; i++) {
        add(i);
    }
    // Written down first: sums that are asked for by number would never have been in registers.
    float written[OUTPUTS][VECTORS * LANES];
#pragma GCC unroll 8
    for (int64_t row = 0; row < OUTPUTS; row++) {
#pragma GCC unroll 3
        for (int vector = 0; vector < VECTORS; vector++) {
            store(written[row] + vector * LANES, sums[row][vector]);
        }
    }
    for (int64_t i = 0; i < of.rows; i++) {
        float* product = of.product + i * of.product_stride + output;
        for (int64_t row = 0; row < OUTPUTS; row++) {
            product[row] = written[row][i] + (of.bias ? of.bias[output + row] : 0.0f);
        }
    }
}

template <int VECTORS>
void multiply_vectors(const FewRows& of, int64_t first, int64_t last, const float* states) {
    constexpr int64_t OUTPUTS = together(VECTORS);
    int64_t output = first;
    for (; output + OUTPUTS <= last; output += OUTPUTS) {
        multiply_some<VECTORS, OUTPUTS>(of, states, output);
    }
    for (; output < last; output++) {
        multiply_some<VECTORS, 1>(of, states, output);
    }
}

int64_t scratch_few(int64_t rows, int64_t inner) {
    return vectors_of(rows) * LANES * inner;
}

template <int VECTORS>
void multiply_up_to(const FewRows& of, int64_t first, int64_t last, const float* laid_out) {
    if constexpr (VECTORS > 0) {
        if (vectors_of(of.rows) == VECTORS) {
            return multiply_vectors<VECTORS>(of, first, last, laid_out);
        }
        multiply_up_to<VECTORS - 1>(of, first, last, laid_out);
    }
}

void multiply_few(const FewRows& of, int64_t first, int64_t last, const float* laid_out) {
    multiply_up_to<VECTORS_MAX>(of, first, last, laid_out);
}

} // namespace
