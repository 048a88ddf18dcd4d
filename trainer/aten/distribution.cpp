// Rows of logits as the distributions that they stand for: what they are, what is drawn from them, and their gradient. See
// src/distribution.rs.
//
// Logits are `[rows, vocab]` of float32 in one piece; `measured` is `[3, rows]`: for each row its largest logit, the logarithm of
// the sum of all exponentials beside that one's, and the entropy. Every function returns null, or a text that says what went wrong.

#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "kernels.h"
#include "tensors.h"

namespace {

using at::Tensor;
using ludus::Distribution;
using ludus::kernels;
using ludus::tensor;

/// A row, which is measured unless there is nothing measured yet.
Distribution distribution(const Tensor& logits, const float* measured, double temperature, int64_t row) {
    const int64_t rows = logits.size(0), width = logits.size(1);
    const float* first = logits.data_ptr<float>() + row * width;
    const auto known = [&](int64_t number) { return measured ? measured[number * rows + row] : 0; };
    return {first, width, static_cast<float>(1 / temperature), known(0), known(1), known(2)};
}

/// Rows or tokens, of which there are so many.
const int64_t* indices(const Tensor& tensor, int64_t count) {
    const int64_t* all = tensor.data_ptr<int64_t>();
    for (int64_t i = 0; i < tensor.numel(); i++) {
        TORCH_CHECK(all[i] >= 0 && all[i] < count, "there is no ", all[i], " among ", count);
    }
    return all;
}

template <typename F>
void over(int64_t items, F each) {
    at::parallel_for(0, items, 1, [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; item++) {
            each(item);
        }
    });
}

} // namespace

LUDUS_EXPORTED char* ludus_distribution_measure(void* logits, double temperature, void** made) {
    return ludus::guarded([&] {
        const Tensor& z = tensor(logits);
        Tensor measured = at::empty({3, z.size(0)}, z.options());
        float* found = measured.data_ptr<float>();
        over(z.size(0), [&](int64_t row) {
            Distribution measuring = distribution(z, nullptr, temperature, row);
            kernels().measure(measuring);
            found[row] = measuring.most;
            found[z.size(0) + row] = measuring.log_sum;
            found[2 * z.size(0) + row] = measuring.entropy;
        });
        *made = new Tensor(measured);
    });
}

/// The log-probabilities of tokens, each in its row.
LUDUS_EXPORTED char* ludus_distribution_of_tokens(
    void* logits, void* measured, double temperature, void* rows, void* tokens, void** made) {
    return ludus::guarded([&] {
        const Tensor& z = tensor(logits);
        const float* known = tensor(measured).data_ptr<float>();
        const int64_t *of = indices(tensor(rows), z.size(0)), *asked = indices(tensor(tokens), z.size(1));
        Tensor found = at::empty(tensor(rows).sizes(), z.options());
        for (int64_t i = 0; i < found.size(0); i++) {
            found.data_ptr<float>()[i] = kernels().log_probability(distribution(z, known, temperature, of[i]), asked[i]);
        }
        *made = new Tensor(found);
    });
}

/// A token for each number in `[0, 1)`, from its row.
LUDUS_EXPORTED char* ludus_distribution_draw(
    void* logits, void* measured, double temperature, void* rows, void* numbers, void** made) {
    return ludus::guarded([&] {
        const Tensor& z = tensor(logits);
        const float* known = tensor(measured).data_ptr<float>();
        const int64_t* of = indices(tensor(rows), z.size(0));
        const double* shares = tensor(numbers).data_ptr<double>();
        Tensor drawn = at::empty_like(tensor(rows));
        over(drawn.size(0), [&](int64_t i) {
            drawn.data_ptr<int64_t>()[i] = kernels().draw(distribution(z, known, temperature, of[i]), shares[i]);
        });
        *made = new Tensor(drawn);
    });
}

/// The gradient of the logits, in float32 or in bfloat16, from those of tokens' log-probabilities and, unless null, of the rows'
/// entropies. It is written over the logits, row by row, which are gone then: a row is read ahead of where it is written.
LUDUS_EXPORTED char* ludus_distribution_gradient(
    void* logits, void* measured, double temperature, void* rows, void* tokens, void* of_tokens, void* of_entropy,
    bool wide, void** made) {
    return ludus::guarded([&] {
        const Tensor& z = tensor(logits);
        const float* known = tensor(measured).data_ptr<float>();
        const int64_t *of = indices(tensor(rows), z.size(0)), *learned = indices(tensor(tokens), z.size(1));
        const float* gradients = tensor(of_tokens).data_ptr<float>();
        const float* of_entropies = of_entropy ? tensor(of_entropy).data_ptr<float>() : nullptr;
        // Tokens of the same row add up in their order.
        std::vector<std::vector<ludus::Token>> of_rows(z.size(0));
        for (int64_t i = 0; i < tensor(rows).size(0); i++) {
            of_rows[of[i]].push_back({learned[i], gradients[i]});
        }
        TORCH_CHECK(z.is_contiguous(), "logits in one piece");
        const Tensor gradient = wide ? z.detach() : z.detach().view(at::kBFloat16).narrow(1, 0, z.size(1));
        over(z.size(0), [&](int64_t row) {
            auto* to = static_cast<char*>(gradient.data_ptr()) + row * gradient.stride(0) * gradient.element_size();
            const auto& own = of_rows[row];
            kernels().logits_gradient(
                distribution(z, known, temperature, row), own.data(), static_cast<int64_t>(own.size()),
                of_entropies ? of_entropies[row] : 0, {to, wide, gradient.stride(0)});
        });
        *made = new Tensor(gradient);
    });
}
