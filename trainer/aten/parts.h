// How products are shared out among threads: rows where there are many, else outputs.
#pragma once

#include <algorithm>
#include <cstdint>

#include <ATen/Parallel.h>
#include <c10/util/ArrayRef.h>
#include <c10/util/SmallVector.h>

#include "linear.h"

namespace ludus {

/// Rows that one thread multiplies at a time, at most: laid out, they stay in its cache while all outputs are made of them. Of no
/// more than these, threads share the outputs.
constexpr int64_t ROWS_A_PART = 256;
/// A thread's rows are a multiple of this, but for the last one's.
constexpr int64_t ROWS_STEP = 32;
/// A thread's outputs are a multiple of this, but for the last one's.
constexpr int64_t OUTPUTS_STEP = 32;
/// About as many multiplications are worth another thread.
constexpr int64_t WORK_A_THREAD = 1 << 20;

inline int64_t parts_of(int64_t whole, int64_t part) {
    return (whole + part - 1) / part;
}

/// From `first` to before `last`.
struct Span {
    int64_t first, last;
};

/// One of some parts that are about as large.
struct Share {
    int64_t part = 0, parts = 1;

    Span of(int64_t whole) const {
        const int64_t each = parts_of(whole, parts);
        return {std::min(whole, part * each), std::min(whole, (part + 1) * each)};
    }

    /// Of outputs, in steps.
    Span of_outputs(int64_t outputs) const {
        const auto [first, last] = of(parts_of(outputs, OUTPUTS_STEP));
        return {std::min(outputs, first * OUTPUTS_STEP), std::min(outputs, last * OUTPUTS_STEP)};
    }
};

/// Calls `each(first row, rows)`, at most ROWS_A_PART of them, so that every thread gets as many.
template <typename F>
void over_row_parts(int64_t rows, F each) {
    at::parallel_for(0, parts_of(rows, ROWS_STEP), 1, [&](int64_t begin, int64_t end) {
        const int64_t parts = parts_of(end - begin, ROWS_A_PART / ROWS_STEP);
        for (int64_t part = 0; part < parts; part++) {
            const auto [from, to] = Share{part, parts}.of(end - begin);
            const int64_t first = (begin + from) * ROWS_STEP, last = std::min(rows, (begin + to) * ROWS_STEP);
            if (first < last) {
                each(first, last - first);
            }
        }
    });
}

/// Calls `each` for as many shares of the outputs as so many multiplications are worth.
template <typename F>
void over_shares(int64_t multiplications, F each) {
    const int64_t worth = parts_of(multiplications, WORK_A_THREAD);
    const int64_t parts = std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), worth));
    at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
        for (int64_t part = begin; part < end; part++) {
            each(Share{part, parts});
        }
    });
}

/// A product of some of the rows.
inline Linear rows_of(Linear linear, int64_t first, int64_t rows) {
    linear.states += first * linear.states_stride;
    linear.product = static_cast<char*>(linear.product) + first * linear.product_stride * (linear.wide ? 4 : 2);
    linear.onto += linear.onto ? first * linear.onto_stride : 0;
    linear.rows = rows;
    return linear;
}

/// Some of the outputs of a product.
inline Linear outputs_of(Linear linear, Span span) {
    linear.weight += span.first * linear.weight_stride;
    linear.bias += linear.bias ? span.first : 0;
    linear.product = static_cast<char*>(linear.product) + span.first * (linear.wide ? 4 : 2);
    linear.onto += linear.onto ? span.first : 0;
    linear.outputs = span.last - span.first;
    return linear;
}

/// Calls `each(product, some of its outputs)` for a share of the outputs of some products, which have so many.
template <typename F>
void over_outputs(c10::ArrayRef<int64_t> outputs, Share share, F each) {
    int64_t steps = 0;
    for (const int64_t own : outputs) {
        steps += parts_of(own, OUTPUTS_STEP);
    }
    const auto [first, last] = share.of(steps);
    int64_t before = 0;
    for (size_t product = 0; product < outputs.size(); product++) {
        const int64_t from = std::max<int64_t>(0, first - before) * OUTPUTS_STEP;
        const int64_t to = std::min(outputs[product], (last - before) * OUTPUTS_STEP);
        before += parts_of(outputs[product], OUTPUTS_STEP);
        if (from < to) {
            each(product, Span{from, to});
        }
    }
}

/// A share of the outputs of some products of the same states, which are laid out.
inline void multiply_share(const LinearKernel& kernel, c10::ArrayRef<Linear> products, Share share, void* laid_out) {
    c10::SmallVector<int64_t, 4> outputs;
    for (const Linear& product : products) {
        outputs.push_back(product.outputs);
    }
    over_outputs(outputs, share, [&](size_t product, Span span) {
        kernel.multiply(outputs_of(products[product], span), laid_out);
    });
}

} // namespace ludus
