// Products of matrices: the one setting of libtorch's that tch has no name for, and products of bfloat16 that come out the same
// for every number of rows. See src/products.rs.

#include <array>
#include <optional>

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "linear.h"
#include "tensors.h"

#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace ludus {

#if defined(__x86_64__) && defined(__linux__)
extern const LinearKernel linear_amx;
extern const LinearKernel linear_avx512bf16;

/// Tiles are given to a process that asks for them (`ARCH_REQ_XCOMP_PERM`, of their data).
static bool may_use_tiles() {
    constexpr long REQUEST = 0x1023, TILE_DATA = 18;
    return syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
}

const LinearKernel* const* linear_kernels() {
    static const auto found = []() -> std::array<const LinearKernel*, 3> {
        const bool has_vectors = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bf16");
        if (!has_vectors) {
            return {};
        }
        const bool has_tiles = __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16");
        if (!has_tiles || !may_use_tiles()) {
            return {&linear_avx512bf16};
        }
        return {&linear_amx, &linear_avx512bf16};
    }();
    return found.data();
}
#else
const LinearKernel* const* linear_kernels() {
    static const LinearKernel* const none = nullptr;
    return &none;
}
#endif

} // namespace ludus

namespace {

using at::Tensor;
using ludus::in_rows;
using ludus::is_learned_from;
using ludus::tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Rows of a part that one thread multiplies.
constexpr int64_t ROWS_A_PART = 256;
/// Outputs of a part are a multiple of this.
constexpr int64_t OUTPUTS_STEP = 64;
/// About as many multiplications are worth another thread.
constexpr int64_t WORK_A_THREAD = 1 << 20;

int64_t parts_of(int64_t whole, int64_t part) {
    return (whole + part - 1) / part;
}

const uint16_t* numbers(const Tensor& tensor) {
    return static_cast<const uint16_t*>(tensor.data_ptr());
}

/// `states` `[rows, inner]`, `weight` `[outputs, inner]` and `bias` `[outputs]`, if there is one, of bfloat16: `[rows, outputs]`
/// in `kind`.
Tensor multiplied(
    const ludus::LinearKernel& kernel, const Tensor& states, const Tensor& weight, const std::optional<Tensor>& bias,
    at::ScalarType kind) {
    const Tensor x = in_rows(states), w = in_rows(weight), b = bias ? bias->contiguous() : Tensor();
    Tensor product = at::empty({x.size(0), w.size(0)}, x.options().dtype(kind));
    const ludus::Linear whole = {
        numbers(x), x.stride(0), numbers(w), w.stride(0), b.defined() ? numbers(b) : nullptr, product.data_ptr(),
        product.stride(0), kind == at::kFloat, x.size(0), w.size(0), x.size(1),
    };
    const int64_t work = whole.rows * whole.outputs * whole.inner;
    const int64_t threads = std::min<int64_t>(at::get_num_threads(), parts_of(work, WORK_A_THREAD));
    const int64_t row_parts = parts_of(whole.rows, ROWS_A_PART);
    const int64_t wanted = std::max<int64_t>(1, parts_of(threads, std::max<int64_t>(1, row_parts)));
    const int64_t outputs_a_part = parts_of(parts_of(whole.outputs, wanted), OUTPUTS_STEP) * OUTPUTS_STEP;
    const int64_t output_parts = parts_of(whole.outputs, std::max<int64_t>(1, outputs_a_part));
    const int64_t grain = threads <= 1 ? row_parts * output_parts : 1;
    at::parallel_for(0, row_parts * output_parts, grain, [&](int64_t begin, int64_t end) {
        ludus::Linear part = whole;
        part.rows = std::min(whole.rows, ROWS_A_PART);
        const Tensor memory = at::empty({kernel.scratch(part)}, at::kByte);
        for (int64_t index = begin; index < end; index++) {
            const int64_t row = index / output_parts * ROWS_A_PART, output = index % output_parts * outputs_a_part;
            part.rows = std::min(ROWS_A_PART, whole.rows - row);
            part.outputs = std::min(outputs_a_part, whole.outputs - output);
            part.states = whole.states + row * whole.states_stride;
            part.weight = whole.weight + output * whole.weight_stride;
            part.bias = whole.bias ? whole.bias + output : nullptr;
            const int64_t at = (row * whole.product_stride + output) * product.element_size();
            part.product = static_cast<char*>(whole.product) + at;
            kernel.multiply(part, memory.data_ptr());
        }
    });
    return product;
}

const ludus::LinearKernel& fastest() {
    return **ludus::linear_kernels();
}

struct Linear : torch::autograd::Function<Linear> {
    static Tensor forward(
        AutogradContext* context, const Tensor& states, const Tensor& weight, const std::optional<Tensor>& bias) {
        context->save_for_backward({states, weight});
        context->saved_data["has_bias"] = bias.has_value();
        return multiplied(fastest(), states, weight, bias, states.scalar_type());
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const Tensor &states = saved[0], &weight = saved[1], &of_product = gradients[0];
        return {
            context->needs_input_grad(0) ? of_product.mm(weight) : Tensor(),
            context->needs_input_grad(1) ? of_product.t().mm(states) : Tensor(),
            context->saved_data["has_bias"].toBool() ? of_product.sum(0) : Tensor(),
        };
    }
};

} // namespace

/// Gives products of float32 matrices on a CPU to oneDNN, which may round their factors to bfloat16 where the processor has
/// AMX.
LUDUS_EXPORTED void ludus_products_by_onednn() {
    at::globalContext().setFloat32Precision(
        at::Float32Backend::MKLDNN, at::Float32Op::MATMUL, at::Float32Precision::BF16);
}

/// The name of a kernel, the fastest one's first; null behind the last one.
LUDUS_EXPORTED const char* ludus_products_kernel(int index) {
    const ludus::LinearKernel* kernel = ludus::linear_kernels()[index];
    return kernel ? kernel->name : nullptr;
}

LUDUS_EXPORTED char* ludus_products_linear(void* states, void* weight, void* bias, void** made) {
    return ludus::guarded([&] {
        const Tensor &x = tensor(states), &w = tensor(weight);
        const std::optional<Tensor> b = bias ? std::optional(tensor(bias)) : std::nullopt;
        const bool learned_from = is_learned_from({x, w, b ? *b : w});
        *made = new Tensor(learned_from ? Linear::apply(x, w, b) : multiplied(fastest(), x, w, b, x.scalar_type()));
    });
}

LUDUS_EXPORTED char* ludus_products_wide(int kernel, void* states, void* weight, void** made) {
    return ludus::guarded([&] {
        const at::NoGradGuard none_is_learned;
        const ludus::LinearKernel& chosen = *ludus::linear_kernels()[kernel];
        *made = new Tensor(multiplied(chosen, tensor(states), tensor(weight), std::nullopt, at::kFloat));
    });
}
