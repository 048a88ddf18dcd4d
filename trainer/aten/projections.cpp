// Projections of states, with what makes the states, as one operation with its gradient. See src/projections.rs.

#include <algorithm>
#include <optional>
#include <vector>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "fused.h"
#include "gradients.h"
#include "products.h"
#include "tensors.h"

namespace {

using at::Tensor;
using ludus::Projection;
using ludus::is_learned_from;
using ludus::tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// What enters products is made of something else: kept, or made once more on the way back, which is cheap beside a product.
struct Entering {
    enum How { AS_IT_IS, NORMED, GATED };
    int64_t how;
    double epsilon;

    /// Of the states; of those to be normed and the norm's weight; of a gate and what it lets through.
    Tensor make(at::TensorList of, at::ScalarType kind, Tensor* scales = nullptr) const {
        switch (how) {
        case NORMED:
            return ludus::normed(of[0], of[1], epsilon, kind, scales);
        case GATED:
            return ludus::gated(of[0], of[1]);
        default:
            return of[0];
        }
    }

    /// The gradients of what it was made of.
    variable_list backward(at::TensorList of, const Tensor& scales, const Tensor& gradient) const {
        switch (how) {
        case NORMED: {
            const auto [of_states, of_weight] = ludus::norm_backward(of[0], of[1], scales, gradient);
            return {of_states, of_weight};
        }
        case GATED: {
            const auto [of_gate, of_up] = ludus::gated_backward(of[0], of[1], gradient);
            return {of_gate, of_up};
        }
        default:
            return {gradient};
        }
    }
};

/// Forward in the kind of the weights; backward the gradients of weights and biases go to their float32 masters, in float32, those
/// of weights by being added up where they lie.
struct Linear : torch::autograd::Function<Linear> {
    /// As many masters as weights; biases, and their masters, of those projections that `has_bias` tells.
    static variable_list forward(
        AutogradContext* context, at::TensorList made_of, at::TensorList masters, at::TensorList weights,
        at::TensorList bias_masters, at::TensorList biases, const std::vector<bool>& has_bias,
        const Entering& entering) {
        std::vector<Projection> projections;
        c10::List<bool> biased;
        for (size_t i = 0, bias = 0; i < weights.size(); i++) {
            projections.push_back({weights[i], has_bias[i] ? std::optional(biases[bias++]) : std::nullopt});
            biased.push_back(has_bias[i]);
        }
        variable_list saved = made_of.vec();
        saved.insert(saved.end(), weights.begin(), weights.end());
        saved.insert(saved.end(), masters.begin(), masters.end());
        context->save_for_backward(saved);
        context->saved_data["has_bias"] = biased;
        context->saved_data["how"] = entering.how;
        context->saved_data["epsilon"] = entering.epsilon;
        return ludus::multiplied(entering.make(made_of, weights[0].scalar_type()), projections);
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const variable_list saved = context->get_saved_variables();
        const auto has_bias = context->saved_data["has_bias"].toBoolList();
        const Entering entering{context->saved_data["how"].toInt(), context->saved_data["epsilon"].toDouble()};
        const size_t count = gradients.size(), parts = saved.size() - 2 * count;
        const size_t biases = std::count(has_bias.begin(), has_bias.end(), true);
        const auto made_of = at::TensorList(saved).slice(0, parts), weights = at::TensorList(saved).slice(parts, count);
        const auto masters = at::TensorList(saved).slice(parts + count);
        Tensor scales;
        const Tensor states = entering.make(made_of, weights[0].scalar_type(), &scales);
        bool wanted = false;
        for (size_t part = 0; part < parts; part++) {
            wanted = wanted || context->needs_input_grad(part);
        }
        // Of what the states are made of, the masters, the weights, the biases' masters, the biases, and of two that are no tensors.
        variable_list found(parts + 2 * count + 2 * biases + 2);
        Tensor of_states;
        std::optional<ludus::WeightGradients> of_weights;
        for (size_t i = 0, bias = parts + 2 * count; i < count; i++) {
            const Tensor& of_product = gradients[i];
            if (wanted) {
                of_states = of_states.defined() ? of_states.addmm_(of_product, weights[i]) : of_product.mm(weights[i]);
            }
            if (context->needs_input_grad(parts + i)) {
                if (!of_weights) {
                    of_weights.emplace(states);
                }
                if (!ludus::added_in_place(masters[i], [&](Tensor& sum) { of_weights->add(sum, of_product); })) {
                    found[parts + i] = of_weights->make(of_product);
                }
            }
            if (has_bias[i]) {
                found[bias++] = of_product.sum(at::IntArrayRef{0}, false, at::kFloat);
            }
        }
        if (wanted) {
            const variable_list of_parts = entering.backward(made_of, scales, of_states);
            std::copy(of_parts.begin(), of_parts.end(), found.begin());
        }
        return found;
    }
};

} // namespace

/// What `count` projections make of the same states, which are made of one tensor or two (see `Entering`). Masters are null where
/// nothing is learned, and biases where there is none.
LUDUS_EXPORTED char* ludus_projections_linear(
    int how, void* first, void* second, double epsilon, int64_t count, void** masters, void** weights,
    void** bias_masters, void** biases, void** made) {
    return ludus::guarded([&] {
        const Entering entering{how, epsilon};
        std::vector<Tensor> made_of = {tensor(first)};
        if (second) {
            made_of.push_back(tensor(second));
        }
        std::vector<Projection> projections;
        std::vector<Tensor> all_masters, all_weights, all_bias_masters, all_biases;
        std::vector<bool> has_bias;
        for (int64_t i = 0; i < count; i++) {
            const Tensor& weight = tensor(weights[i]);
            projections.push_back({weight, biases[i] ? std::optional(tensor(biases[i])) : std::nullopt});
            // Of a frozen weight the states' gradient alone is wanted.
            all_masters.push_back(masters[i] ? tensor(masters[i]) : weight);
            all_weights.push_back(weight);
            has_bias.push_back(biases[i]);
            if (biases[i]) {
                all_bias_masters.push_back(tensor(bias_masters[i] ? bias_masters[i] : biases[i]));
                all_biases.push_back(tensor(biases[i]));
            }
        }
        const auto learned = [](const std::vector<Tensor>& tensors) {
            return std::any_of(tensors.begin(), tensors.end(), [](const Tensor& each) { return is_learned_from({each}); });
        };
        const variable_list products = learned(made_of) || learned(all_masters)
            ? Linear::apply(
                  at::TensorList(made_of), at::TensorList(all_masters), at::TensorList(all_weights),
                  at::TensorList(all_bias_masters), at::TensorList(all_biases), has_bias, entering)
            : ludus::multiplied(entering.make(made_of, all_weights[0].scalar_type()), projections);
        for (int64_t i = 0; i < count; i++) {
            made[i] = new Tensor(products[i]);
        }
    });
}
