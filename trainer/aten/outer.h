// Sums of outer products of bfloat16, the gradient of a weight, as loops over plain memory.
#pragma once

#include <cstdint>

namespace ludus {

/// `sum += left^T right`, or without what was there. Numbers are bfloat16, added up in float32.
struct OuterProducts {
    /// `[rows, outputs]`.
    const uint16_t* left;
    int64_t left_stride;
    /// `[rows, inner]`.
    const uint16_t* right;
    int64_t right_stride;
    /// `[outputs, inner]`.
    float* sum;
    int64_t sum_stride;
    int64_t rows, outputs, inner;
    /// Whether what is there is added to.
    bool adds;
};

struct OuterKernel {
    const char* name;
    /// Bytes of `right` laid out, at a multiple of 64, and of what a thread wants to write on.
    int64_t (*laid_out)(int64_t rows, int64_t inner);
    int64_t (*scratch)(int64_t rows);
    /// Lays out a share of `right`: columns from `first` to before `last`, both of them multiples of 32 or the end.
    void (*lay_out)(const OuterProducts& of, int64_t first, int64_t last, void* laid_out);
    /// The rows of `sum` from `first` to before `last`.
    void (*add)(const OuterProducts& of, int64_t first, int64_t last, const void* laid_out, void* scratch);
};

/// The kernels that this processor has the instructions for, the fastest first, and null behind them.
const OuterKernel* const* outer_kernels();

} // namespace ludus
