// Products of matrices: the one setting of libtorch's that tch has no name for, and products of bfloat16 that come out the same
// for every number of rows. See src/products.rs.

#include <array>
#include <optional>

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "linear.h"
#include "tensors.h"

#include <dlfcn.h>

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
    static const bool may = __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16")
        && syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
    return may;
}

const LinearKernel* const* linear_kernels() {
    static const auto found = []() -> std::array<const LinearKernel*, 3> {
        const bool has_vectors = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bf16");
        if (!has_vectors) {
            return {};
        }
        if (!may_use_tiles()) {
            return {&linear_avx512bf16};
        }
        return {&linear_amx, &linear_avx512bf16};
    }();
    return found.data();
}
#else
static bool may_use_tiles() {
    return false;
}

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

/// `cblas_gemm_bf16bf16f32` as oneMKL's reference describes it. Its integers have 32 bits or 64, as MKL was linked; on x86-64 one
/// that is passed as 64 bits is right for both.
using Gemm = void (*)(
    int64_t layout, int64_t transposes_left, int64_t transposes_right, int64_t rows, int64_t columns, int64_t inner,
    float alpha, const void* left, int64_t left_stride, const void* right, int64_t right_stride, float beta, float* sum,
    int64_t sum_stride);

/// MKL's product, where it is there and fast.
Gemm wide_gemm() {
    static const auto found = ludus::may_use_tiles() ? dlsym(RTLD_DEFAULT, "cblas_gemm_bf16bf16f32") : nullptr;
    return reinterpret_cast<Gemm>(found);
}

/// A matrix as MKL reads it: rows that lie behind each other, or columns that do.
struct Factor {
    Tensor tensor;
    bool turned;
    /// Numbers from one row, or column, to the next.
    int64_t stride;

    explicit Factor(const Tensor& matrix) : tensor(matrix), turned(false), stride(matrix.stride(0)) {
        const int64_t rows = matrix.size(0), columns = matrix.size(1);
        if (matrix.stride(1) == 1 && stride >= std::max<int64_t>(1, columns)) {
            return;
        }
        if (matrix.stride(0) == 1 && matrix.stride(1) >= std::max<int64_t>(1, rows)) {
            turned = true;
            stride = matrix.stride(1);
            return;
        }
        tensor = matrix.contiguous();
        stride = std::max<int64_t>(1, columns);
    }
};

/// `sum = left right + beta sum`: of bfloat16, into float32.
void add_by_mkl(const Tensor& sum, const Tensor& left, const Tensor& right, float beta) {
    constexpr int64_t ROW_MAJOR = 101, AS_IT_IS = 111, TURNED = 112;
    const Factor l(left), r(right);
    wide_gemm()(
        ROW_MAJOR, l.turned ? TURNED : AS_IT_IS, r.turned ? TURNED : AS_IT_IS, left.size(0), right.size(1), left.size(1),
        1, l.tensor.data_ptr(), l.stride, r.tensor.data_ptr(), r.stride, beta, sum.data_ptr<float>(),
        std::max<int64_t>(1, right.size(1)));
}

bool is_for_mkl(const Tensor& left, const Tensor& right) {
    const auto fits = [](const Tensor& factor) { return factor.is_cpu() && factor.scalar_type() == at::kBFloat16; };
    return wide_gemm() && fits(left) && fits(right);
}

/// `left right` in float32, of matrices of a narrow kind.
Tensor wide_product(const Tensor& left, const Tensor& right) {
    if (is_for_mkl(left, right)) {
        Tensor product = at::empty({left.size(0), right.size(1)}, left.options().dtype(at::kFloat));
        add_by_mkl(product, left, right, 0);
        return product;
    }
    if (left.is_cuda()) {
        return at::mm(left, right, at::kFloat);
    }
    return left.to(at::kFloat).mm(right.to(at::kFloat));
}

/// The same for a gradient, which may be rounded on the way where that is faster.
Tensor of_weight(const Tensor& of_product, const Tensor& states) {
    const Tensor left = of_product.t();
    const bool is_wide = left.is_cuda() || is_for_mkl(left, states);
    return is_wide ? wide_product(left, states) : left.mm(states).to(at::kFloat);
}

/// What multiplies forward: ours where there is a kernel, else libtorch.
bool has_kernel(const Tensor& states) {
    return states.is_cpu() && states.scalar_type() == at::kBFloat16 && *ludus::linear_kernels();
}

Tensor multiplied(const Tensor& states, const Tensor& weight, const std::optional<Tensor>& bias) {
    if (has_kernel(states)) {
        return multiplied(**ludus::linear_kernels(), states, weight, bias, at::kBFloat16);
    }
    return at::linear(states, weight, bias);
}

/// Forward in the narrow kind; backward the weight's gradient goes to its float32 master, in float32.
struct Linear : torch::autograd::Function<Linear> {
    static Tensor forward(
        AutogradContext* context, const Tensor& states, const Tensor& master, const Tensor& weight,
        const std::optional<Tensor>& bias_master, const std::optional<Tensor>& bias) {
        context->save_for_backward({states, weight});
        context->saved_data["has_bias"] = bias.has_value();
        return multiplied(states, weight, bias);
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const Tensor &states = saved[0], &weight = saved[1], &of_product = gradients[0];
        const bool has_bias = context->saved_data["has_bias"].toBool();
        return {
            context->needs_input_grad(0) ? of_product.mm(weight) : Tensor(),
            context->needs_input_grad(1) ? of_weight(of_product, states) : Tensor(),
            Tensor(),
            has_bias ? of_product.sum(at::IntArrayRef{0}, false, at::kFloat) : Tensor(),
            Tensor(),
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

/// Masters are null where nothing is learned, and biases where there is none.
LUDUS_EXPORTED char* ludus_products_linear(
    void* states, void* master, void* weight, void* bias_master, void* bias, void** made) {
    return ludus::guarded([&] {
        const auto some = [](void* raw) { return raw ? std::optional(tensor(raw)) : std::nullopt; };
        const Tensor &x = tensor(states), &w = tensor(weight);
        const bool learned_from = is_learned_from({x, master ? tensor(master) : x});
        // Of a frozen weight the states' gradient alone is wanted.
        *made = new Tensor(
            learned_from ? Linear::apply(x, master ? tensor(master) : w, w, some(bias_master), some(bias))
                         : multiplied(x, w, some(bias)));
    });
}

LUDUS_EXPORTED bool ludus_products_has_wide_gemm() {
    return wide_gemm() != nullptr;
}

/// `sum += left right`, of bfloat16 into float32, where there is a product for it.
LUDUS_EXPORTED char* ludus_products_add(void* sum, void* left, void* right) {
    return ludus::guarded([&] {
        const at::NoGradGuard none_is_learned;
        const Tensor &s = tensor(sum), &l = tensor(left), &r = tensor(right);
        if (is_for_mkl(l, r) && s.is_contiguous()) {
            add_by_mkl(s, l, r, 1);
        } else {
            s.add_(wide_product(l, r));
        }
    });
}

LUDUS_EXPORTED char* ludus_products_product(void* left, void* right, void** made) {
    return ludus::guarded([&] {
        const at::NoGradGuard none_is_learned;
        *made = new Tensor(wide_product(tensor(left), tensor(right)));
    });
}

/// `states weight^T` in float32, by a kernel.
LUDUS_EXPORTED char* ludus_products_wide(int kernel, void* states, void* weight, void** made) {
    return ludus::guarded([&] {
        const at::NoGradGuard none_is_learned;
        const ludus::LinearKernel& chosen = *ludus::linear_kernels()[kernel];
        *made = new Tensor(multiplied(chosen, tensor(states), tensor(weight), std::nullopt, at::kFloat));
    });
}
