// What the network computes on a CPU beside products of matrices, as loops over plain memory.
//
// kernels.cpp is compiled once for each width of vectors that processors have; kernels() is the widest that this one can do.
// A row comes out the same whatever other rows are computed with it: what was sampled row by row and what is learned from in
// a pack agree to the last bit.
#pragma once

#include <cstdint>

namespace ludus {

/// Numbers of float32 or of bfloat16, some rows of them.
struct Rows {
    void* data;
    bool wide;
    /// Numbers from one row to the next.
    int64_t stride;
};

/// Tokens that attend: `query` and `mixed` have a row for each token and query head, `keys` and `values` one for each place,
/// key head and position.
struct Attending {
    const void* query;
    const void* keys;
    const void* values;
    void* mixed;
    bool wide;
    int64_t query_token, query_head;
    int64_t keys_place, keys_head, keys_position;
    int64_t values_place, values_head, values_position;
    int64_t mixed_token;
    int64_t query_heads, key_heads, dim;
    float scale;
};

/// Tokens one behind the other that look into the same place, each at as many of its first positions as `seen` says.
struct Looking {
    int64_t first, tokens, place;
    const int64_t* seen;
};

/// The gradients of attention, of one head of keys.
struct AttendingBack {
    /// `[tokens, query heads * dim]`, as what was mixed.
    const void* of_mixed;
    int64_t of_mixed_token;
    /// `[tokens, query heads, dim]`, written.
    void* of_query;
    int64_t of_query_token, of_query_head;
    /// `[positions, dim]` in one piece each, both filled up to whole vectors; added to.
    float* of_keys;
    float* of_values;
};

/// `product = states weight^T + bias` of float32, of a few rows: a token of each conversation.
struct FewRows {
    /// `[rows, inner]`.
    const float* states;
    int64_t states_stride;
    /// `[outputs, inner]`.
    const float* weight;
    int64_t weight_stride;
    /// `[outputs]`, or null.
    const float* bias;
    /// `[rows, outputs]`.
    float* product;
    int64_t product_stride;
    int64_t rows, inner;
};

/// A row of logits z: p = softmax(sharpness z), ln p = sharpness (z - most) - log_sum. Apart these keep the digits that a sum of both
/// would lose at a low temperature.
struct Distribution {
    const float* logits;
    int64_t width;
    /// One over the temperature.
    float sharpness;
    /// The largest logit, and the logarithm of the sum of all exponentials beside its own.
    float most;
    float log_sum;
    /// In nats.
    float entropy;
};

/// A token of a row, and the gradient of its log-probability.
struct Token {
    int64_t token;
    float gradient;
};

struct Kernels {
    const char* name;
    /// y = x / sqrt(mean(x^2) + epsilon) * weight; `scales` takes what each row was multiplied by, where it is not null.
    void (*norm)(Rows x, const float* weight, Rows y, float* scales, int64_t rows, int64_t width, float epsilon);
    /// The gradients of x, and those of the weight added to `of_weight`.
    void (*norm_backward)(
        Rows x, const float* weight, const float* scales, Rows of_y, Rows of_x, float* of_weight, int64_t rows,
        int64_t width);
    /// Turns the halves of `heads` rows that lie `head` numbers apart: y = (a cos - b sin, b cos + a sin).
    void (*rotate)(Rows x, Rows cosines, Rows sines, Rows y, int64_t tokens, int64_t heads, int64_t dim, float direction);
    /// y = gate / (1 + exp(-gate)) * up.
    void (*gated)(Rows gate, Rows up, Rows y, int64_t rows, int64_t width);
    void (*gated_backward)(Rows gate, Rows up, Rows of_y, Rows of_gate, Rows of_up, int64_t rows, int64_t width);
    /// How many numbers `attend` wants to write on.
    int64_t (*scratch)(const Attending& all, const Looking& looking);
    /// Softmax of the scaled products of queries and keys, times values, for one head of keys. `next_keys`, or null, are the first
    /// of those that will be asked for next.
    void (*attend)(
        const Attending& all, const Looking& looking, int64_t key_head, const void* next_keys, float* memory);
    /// Numbers are filled up to whole vectors of so many.
    int64_t lanes;
    int64_t (*scratch_back)(const Attending& all, const Looking& looking);
    void (*attend_back)(
        const Attending& all, const Looking& looking, int64_t key_head, const AttendingBack& back, float* memory);
    /// Finds `most`, `log_sum` and `entropy`.
    void (*measure)(Distribution& row);
    float (*log_probability)(const Distribution& row, int64_t token);
    /// The first token up to which the tokens have more than this share of the probability.
    int64_t (*draw)(const Distribution& row, double share);
    /// The gradient of the logits, from those of some tokens' log-probabilities and of the entropy.
    void (*logits_gradient)(const Distribution& row, const Token* tokens, int64_t count, float of_entropy, Rows to);
    /// Rows that `multiply_few` can multiply at most, and how many numbers they are laid out in.
    int64_t few_rows_max;
    int64_t (*scratch_few)(int64_t rows, int64_t inner);
    void (*lay_out_few)(const FewRows& of, float* laid_out);
    /// The outputs from `first` to before `last`.
    void (*multiply_few)(const FewRows& of, int64_t first, int64_t last, const float* laid_out);
};

const Kernels& kernels();

} // namespace ludus
