// The product of bfloat16 states with a weight, as a loop over plain memory.
//
// Every number is the sum of its products in the same order, however many rows there are: what a token was drawn from is what
// it is learned from, to the last bit. Libraries of products choose the order by the number of rows.
#pragma once

#include <cstdint>

namespace ludus {

/// `product = states weight^T + bias`. Numbers are bfloat16, added up in float32. With `onto` it is that in bfloat16 and then added to
/// numbers of float32.
struct Linear {
    /// `[rows, inner]`.
    const uint16_t* states;
    int64_t states_stride;
    /// `[outputs, inner]`.
    const uint16_t* weight;
    int64_t weight_stride;
    /// `[outputs]`, or null.
    const uint16_t* bias;
    /// `[rows, outputs]` of float32 where it is wide, else of bfloat16.
    void* product;
    int64_t product_stride;
    bool wide;
    int64_t rows, outputs, inner;
    /// `[rows, outputs]` of what is added to, or null; then the product is wide.
    const float* onto = nullptr;
    int64_t onto_stride = 0;
};

struct LinearKernel {
    const char* name;
    /// Bytes that the others want to write on, at a multiple of 64, for products with so many rows and numbers in a row.
    int64_t (*scratch)(int64_t rows, int64_t inner);
    /// Lays states out in `scratch`, for any number of products with them.
    void (*lay_out)(const Linear& linear, void* scratch);
    void (*multiply)(const Linear& linear, void* scratch);
};

/// Whether this processor has AMX for bfloat16 and this process may use it.
bool may_use_tiles();

/// The kernels that this processor has the instructions for, the fastest first, and null behind them.
const LinearKernel* const* linear_kernels();

} // namespace ludus
