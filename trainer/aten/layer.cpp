// A whole layer without gradients, as one call: what is drawn from a cache. See src/layer.rs.
//
// Of few tokens the threads share each product's outputs. Of many each thread takes its rows through all that stands between
// two attentions, so that they stay in its cache.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <initializer_list>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "fused.h"
#include "kernels.h"
#include "parts.h"
#include "tensors.h"

extern "C" {

/// The tensors of a layer, as `Layer` in src/layer.rs says; what there is none of is null.
struct LudusLayer {
    void *attention_norm, *query, *query_bias, *query_norm, *key, *key_bias, *key_norm, *value, *value_bias, *output;
    void *feed_norm, *gate, *up, *down;
    void *cosines, *sines;
    void *keys, *values, *places, *positions, *seen;
    double epsilon;
};

}

namespace {

using at::Tensor;
using ludus::Linear;
using ludus::LinearKernel;
using ludus::Rows;
using ludus::Share;
using ludus::kernels;
using ludus::tensor;

typedef uint16_t Narrow;

Narrow* narrow(void* raw) {
    return raw ? static_cast<Narrow*>(tensor(raw).data_ptr()) : nullptr;
}

int64_t aligned(int64_t bytes) {
    return (bytes + 63) / 64 * 64;
}

/// Memory that is given out piece by piece.
struct Memory {
    char* next;

    template <typename T>
    T* take(int64_t count) {
        T* piece = reinterpret_cast<T*>(next);
        next += aligned(count * static_cast<int64_t>(sizeof(T)));
        return piece;
    }
};

/// Sees to it that all tensors have the shapes, kinds and layouts that the loops rely on.
void check(const LudusLayer& of, const Tensor& states) {
    const auto is = [](const Tensor& tensor, at::ScalarType kind, at::IntArrayRef sizes) {
        return tensor.is_cpu() && tensor.scalar_type() == kind && tensor.sizes() == sizes && tensor.is_contiguous();
    };
    TORCH_CHECK(*ludus::linear_kernels(), "this processor has no kernel for products of bfloat16");
    TORCH_CHECK(states.dim() == 2 && is(states, at::kFloat, states.sizes()), "states of a layer");
    const Tensor &keys = tensor(of.keys), &values = tensor(of.values);
    for (const Tensor& cache : {keys, values}) {
        const bool is_cache = cache.is_cpu() && cache.dim() == 4 && cache.scalar_type() == at::kBFloat16;
        TORCH_CHECK(is_cache && cache.sizes() == keys.sizes() && cache.stride(3) == 1, "a cache of keys and values");
    }
    const int64_t time = states.size(0), width = states.size(1), dim = keys.size(3), key_width = keys.size(1) * dim;
    const int64_t query_width = tensor(of.query).size(0), fed = tensor(of.gate).size(0);
    TORCH_CHECK(key_width > 0 && query_width % key_width == 0, "heads that fit together");
    const auto projects = [&](void* weight, void* bias, int64_t from, int64_t to) {
        return is(tensor(weight), at::kBFloat16, {to, from}) && (!bias || is(tensor(bias), at::kBFloat16, {to}));
    };
    TORCH_CHECK(projects(of.query, of.query_bias, width, query_width), "a projection to queries");
    TORCH_CHECK(projects(of.key, of.key_bias, width, key_width), "a projection to keys");
    TORCH_CHECK(projects(of.value, of.value_bias, width, key_width), "a projection to values");
    TORCH_CHECK(projects(of.output, nullptr, query_width, width), "a projection of what was attended");
    TORCH_CHECK(projects(of.gate, nullptr, width, fed) && projects(of.up, nullptr, width, fed), "projections of a gate");
    TORCH_CHECK(projects(of.down, nullptr, fed, width), "a projection of what was let through");
    const auto norms = [&](void* weight, int64_t width) { return is(tensor(weight), at::kFloat, {width}); };
    TORCH_CHECK(norms(of.attention_norm, width) && norms(of.feed_norm, width), "norms of states");
    TORCH_CHECK(!of.query_norm == !of.key_norm, "norms of queries and keys");
    TORCH_CHECK(!of.query_norm || (norms(of.query_norm, dim) && norms(of.key_norm, dim)), "norms of heads");
    for (void* table : {of.cosines, of.sines}) {
        TORCH_CHECK(is(tensor(table), at::kBFloat16, {time, dim}), "angles of heads");
    }
    for (void* look : {of.places, of.positions, of.seen}) {
        TORCH_CHECK(is(tensor(look), at::kLong, {time}), "a place of each token");
    }
}

class Layer {
public:
    Layer(const LinearKernel& kernel, const LudusLayer& of, const Tensor& states, Tensor& made)
        : kernel(kernel), of(of), tokens(states.size(0)), width(states.size(1)),
          dim(tensor(of.keys).size(3)), key_heads(tensor(of.keys).size(1)),
          query_heads(tensor(of.query).size(0) / dim), fed(tensor(of.gate).size(0)),
          states(states.data_ptr<float>()), made(made.data_ptr<float>()) {}

    void compute() {
        const bool are_many = tokens > ludus::ROWS_A_PART;
        const int64_t together = std::min(tokens, ludus::ROWS_A_PART), threads = at::get_num_threads();
        const int64_t most = std::max({width, fed, query_heads * dim});
        // Of a thread: what is normed, and what is laid out. Of a part of the rows: what lies between attention and the end.
        const int64_t own = aligned(2 * together * width) + aligned(kernel.scratch(together, most));
        const int64_t between = aligned(4 * together * width) + 2 * aligned(2 * together * fed);
        const int64_t parts = are_many ? threads : 1;
        const int64_t all = aligned(2 * tokens * columns()) + aligned(2 * tokens * query_heads * dim);
        const Tensor memory = at::empty({all + threads * own + parts * between}, at::kByte);
        Memory left{static_cast<char*>(memory.data_ptr())};
        projected = left.take<Narrow>(tokens * columns());
        mixed = left.take<Narrow>(tokens * query_heads * dim);
        const auto scratch = [&] {
            Memory mine{left.next + at::get_thread_num() * own};
            Narrow* normed = mine.take<Narrow>(together * width);
            return Scratch{normed, mine.next};
        };
        const auto block = [&](int64_t first, int64_t rows, int64_t part) {
            Memory mine{left.next + threads * own + part * between};
            float* attended = mine.take<float>(together * width);
            Narrow* gate = mine.take<Narrow>(together * fed);
            return Block{first, rows, attended, gate, mine.take<Narrow>(together * fed)};
        };
        if (are_many) {
            ludus::over_row_parts(tokens, [&](int64_t first, int64_t rows) {
                project(first, rows, {}, scratch());
                place(first, rows);
            });
            attend();
            ludus::over_row_parts(tokens, [&](int64_t first, int64_t rows) {
                const Block own = block(first, rows, at::get_thread_num());
                add_attended(own, {}, scratch());
                let_through(own, {}, scratch());
                add_fed(own, {}, scratch());
            });
        } else {
            const Block whole = block(0, tokens, 0);
            const int64_t work = tokens * width;
            ludus::over_shares(work * columns(), [&](Share share) { project(0, tokens, share, scratch()); });
            place(0, tokens);
            attend();
            ludus::over_shares(work * query_heads * dim, [&](Share share) { add_attended(whole, share, scratch()); });
            ludus::over_shares(2 * work * fed, [&](Share share) { let_through(whole, share, scratch()); });
            ludus::over_shares(work * fed, [&](Share share) { add_fed(whole, share, scratch()); });
        }
    }

private:
    /// What a thread writes on.
    struct Scratch {
        Narrow* normed;
        void* laid_out;
    };

    /// Rows between attention and the layer's end: the states with what was attended, and the two halves of the gate.
    struct Block {
        int64_t first, rows;
        float* attended;
        Narrow *gate, *up;
    };

    const LinearKernel& kernel;
    const LudusLayer& of;
    const int64_t tokens, width, dim, key_heads, query_heads, fed;
    /// `[tokens, width]`.
    const float* states;
    float* made;
    /// Queries, keys and values of a token, side by side.
    Narrow* projected = nullptr;
    Narrow* mixed = nullptr;

    int64_t columns() const {
        return (query_heads + 2 * key_heads) * dim;
    }

    /// A product with `weight` of rows of bfloat16.
    static Linear linear(
        const Narrow* rows, int64_t count, void* weight, void* bias, Narrow* product, int64_t product_stride) {
        const Tensor& w = tensor(weight);
        const int64_t outputs = w.size(0), inner = w.size(1);
        return {rows, inner, narrow(weight), inner, narrow(bias), product, product_stride, false, count, outputs, inner};
    }

    /// The same in float32, added to `onto`: `[rows, width]`.
    Linear linear_onto(
        const Narrow* rows, int64_t count, void* weight, const float* onto, float* product) const {
        Linear linear = Layer::linear(rows, count, weight, nullptr, nullptr, width);
        linear.product = product;
        linear.wide = true;
        linear.onto = onto;
        linear.onto_stride = width;
        return linear;
    }

    void multiply(std::initializer_list<Linear> products, Share share, const Scratch& scratch) const {
        ludus::multiply_share(kernel, products, share, scratch.laid_out);
    }

    void norm(const float* rows, int64_t count, void* weight, const Scratch& scratch) const {
        kernels().norm(
            {const_cast<float*>(rows), true, width}, tensor(weight).data_ptr<float>(), {scratch.normed, false, width},
            nullptr, count, width, static_cast<float>(of.epsilon));
    }

    void project(int64_t first, int64_t rows, Share share, const Scratch& scratch) const {
        norm(states + first * width, rows, of.attention_norm, scratch);
        Narrow* query = projected + first * columns();
        Narrow *key = query + query_heads * dim, *value = key + key_heads * dim;
        const Linear queries = linear(scratch.normed, rows, of.query, of.query_bias, query, columns());
        kernel.lay_out(queries, scratch.laid_out);
        multiply(
            {queries, linear(scratch.normed, rows, of.key, of.key_bias, key, columns()),
             linear(scratch.normed, rows, of.value, of.value_bias, value, columns())},
            share, scratch);
    }

    /// Turns queries and keys, and writes keys and values into the cache.
    void place(int64_t first, int64_t rows) const {
        const int64_t heads = query_heads + key_heads;
        for (int64_t token = first; token < first + rows; token++) {
            Narrow* query = projected + token * columns();
            Narrow* key = query + query_heads * dim;
            const auto norm = [&](Narrow* of_heads, int64_t count, void* weight) {
                const Rows rows{of_heads, false, dim};
                const float epsilon = static_cast<float>(of.epsilon);
                kernels().norm(rows, tensor(weight).data_ptr<float>(), rows, nullptr, count, dim, epsilon);
            };
            if (of.query_norm) {
                norm(query, query_heads, of.query_norm);
                norm(key, key_heads, of.key_norm);
            }
            const Rows turned{query, false, columns()};
            const auto angles = [&](void* table) { return Rows{narrow(table) + token * dim, false, dim}; };
            kernels().rotate(turned, angles(of.cosines), angles(of.sines), turned, 1, heads, dim, 1);
            put(tensor(of.keys), key, token);
            put(tensor(of.values), key + key_heads * dim, token);
        }
    }

    void put(const Tensor& cache, const Narrow* heads, int64_t token) const {
        const int64_t place = tensor(of.places).data_ptr<int64_t>()[token];
        const int64_t position = tensor(of.positions).data_ptr<int64_t>()[token];
        Narrow* to = static_cast<Narrow*>(cache.data_ptr()) + place * cache.stride(0) + position * cache.stride(2);
        for (int64_t head = 0; head < key_heads; head++) {
            std::memcpy(to + head * cache.stride(1), heads + head * dim, 2 * dim);
        }
    }

    void attend() const {
        const Tensor &keys = tensor(of.keys), &values = tensor(of.values);
        const ludus::Attending all{
            projected, keys.data_ptr(), values.data_ptr(), mixed, false,
            columns(), dim, keys.stride(0), keys.stride(1), keys.stride(2),
            values.stride(0), values.stride(1), values.stride(2), query_heads * dim,
            query_heads, key_heads, dim, static_cast<float>(std::pow(static_cast<double>(dim), -0.5))};
        ludus::attend(all, tokens, tensor(of.places).data_ptr<int64_t>(), tensor(of.seen).data_ptr<int64_t>());
    }

    void add_attended(const Block& block, Share share, const Scratch& scratch) const {
        const Narrow* rows = mixed + block.first * query_heads * dim;
        const Linear product =
            linear_onto(rows, block.rows, of.output, states + block.first * width, block.attended);
        kernel.lay_out(product, scratch.laid_out);
        multiply({product}, share, scratch);
    }

    void let_through(const Block& block, Share share, const Scratch& scratch) const {
        norm(block.attended, block.rows, of.feed_norm, scratch);
        const Linear gate = linear(scratch.normed, block.rows, of.gate, nullptr, block.gate, fed);
        kernel.lay_out(gate, scratch.laid_out);
        multiply({gate}, share, scratch);
        multiply({linear(scratch.normed, block.rows, of.up, nullptr, block.up, fed)}, share, scratch);
        const auto [first, last] = share.of_outputs(fed);
        const Rows gates{block.gate + first, false, fed}, ups{block.up + first, false, fed};
        kernels().gated(gates, ups, gates, block.rows, last - first);
    }

    void add_fed(const Block& block, Share share, const Scratch& scratch) const {
        const Linear product =
            linear_onto(block.gate, block.rows, of.down, block.attended, made + block.first * width);
        kernel.lay_out(product, scratch.laid_out);
        multiply({product}, share, scratch);
    }
};

} // namespace

/// The states `[tokens, width]` of float32 behind a layer, of those before it.
LUDUS_EXPORTED char* ludus_layer(const LudusLayer* of, void* states, void** made) {
    return ludus::guarded([&] {
        const at::NoGradGuard none_is_learned;
        const Tensor& x = tensor(states);
        check(*of, x);
        Tensor y = at::empty(x.sizes(), x.options());
        Layer(**ludus::linear_kernels(), *of, x, y).compute();
        *made = new Tensor(y);
    });
}
