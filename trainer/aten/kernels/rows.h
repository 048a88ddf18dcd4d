// What is done to each row by itself: norms, rotations and gates.
#pragma once

#include "../kernels.h"
#include "vectors.h"

namespace {

using ludus::Rows;

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

} // namespace
