// What happens to a gradient outside of a walk back. See src/gradients.rs.
//
// The function returns null, or a text that says what went wrong.

#include "gradients.h"

#include "tensors.h"

LUDUS_EXPORTED char* ludus_gradients_begin(void* parameter) {
    return ludus::guarded([&] {
        at::Tensor& gradient = ludus::tensor(parameter).mutable_grad();
        if (!gradient.defined()) {
            const at::NoGradGuard none_is_learned;
            gradient = at::zeros_like(ludus::tensor(parameter));
        }
    });
}
