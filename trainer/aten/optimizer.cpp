// AdamW by libtorch's own operation for it, which tch has no name for. See src/optimizer.rs.

#include <vector>

#include <ATen/ATen.h>
#include <ATen/ops/_fused_adamw.h>

#include "tensors.h"

/// Steps `count` parameters, all on one device, with their gradients and both moments. `updates` counts this one.
LUDUS_EXPORTED char* ludus_optimizer_adamw(
    int64_t count, void** parameters, void** gradients, void** first, void** second, int64_t updates,
    double learning_rate, double beta1, double beta2, double weight_decay, double epsilon) {
    return ludus::guarded([&] {
        const at::NoGradGuard none_is_learned;
        const auto all = [&](void** raw) {
            std::vector<at::Tensor> tensors;
            for (int64_t i = 0; i < count; i++) {
                tensors.push_back(ludus::tensor(raw[i]));
            }
            return tensors;
        };
        const auto stepped = all(parameters);
        if (stepped.empty()) {
            return;
        }
        const auto made = at::full({}, static_cast<double>(updates), stepped[0].options().dtype(at::kFloat));
        const std::vector<at::Tensor> none, steps(stepped.size(), made);
        at::_fused_adamw_(
            stepped, all(gradients), all(first), all(second), none, steps, learning_rate, beta1, beta2, weight_decay,
            epsilon, false, false);
    });
}
