// The states of tokens before the first layer. See src/embedding.rs.
//
// The function returns null, or a text that says what went wrong.

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "gradients.h"
#include "tensors.h"

namespace {

using at::Tensor;
using ludus::is_learned_from;
using ludus::tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Embed : torch::autograd::Function<Embed> {
    static Tensor forward(AutogradContext* context, const Tensor& embedding, const Tensor& tokens) {
        context->save_for_backward({embedding, tokens});
        return at::embedding(embedding, tokens);
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const Tensor &embedding = saved[0], &tokens = saved[1];
        const Tensor of_states = gradients[0].to(embedding.scalar_type());
        // One of its own would be as large as the vocabulary, for a few rows that are not zero.
        if (ludus::added_in_place(embedding, [&](Tensor& sum) { sum.index_add_(0, tokens, of_states); })) {
            return {Tensor(), Tensor()};
        }
        return {at::embedding_dense_backward(of_states, tokens, embedding.size(0), -1, false), Tensor()};
    }
};

} // namespace

/// The rows of `embedding` `[vocab, hidden]` that are those of `tokens` `[time]`.
LUDUS_EXPORTED char* ludus_embedding_of(void* embedding, void* tokens, void** made) {
    return ludus::guarded([&] {
        const Tensor &all = tensor(embedding), &asked = tensor(tokens);
        *made = new Tensor(is_learned_from({all}) ? Embed::apply(all, asked) : at::embedding(all, asked));
    });
}
