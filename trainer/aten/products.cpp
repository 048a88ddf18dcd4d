// Products of matrices: the one setting of libtorch's that tch has no name for, and products of bfloat16 that come out the same
// for every number of rows. See src/products.rs.

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include <ATen/Context.h>

#include "few.h"
#include "linear.h"
#include "parts.h"
#include "products.h"
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
extern const OuterKernel outer_amx;
extern const OuterKernel outer_avx512bf16;

/// Tiles are given to a process that asks for them (`ARCH_REQ_XCOMP_PERM`, of their data).
bool may_use_tiles() {
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

const OuterKernel* const* outer_kernels() {
    // Those of the same instructions.
    static const std::array<const OuterKernel*, 3> all = {&outer_amx, &outer_avx512bf16}, none = {};
    return !*linear_kernels() ? none.data() : all.data() + (may_use_tiles() ? 0 : 1);
}
#else
bool may_use_tiles() {
    return false;
}

const LinearKernel* const* linear_kernels() {
    static const LinearKernel* const none = nullptr;
    return &none;
}

const OuterKernel* const* outer_kernels() {
    static const OuterKernel* const none = nullptr;
    return &none;
}
#endif

} // namespace ludus

namespace {

using at::Tensor;
using ludus::Projection;
using ludus::in_rows;
using ludus::tensor;

const uint16_t* numbers(const Tensor& tensor) {
    return static_cast<const uint16_t*>(tensor.data_ptr());
}

/// What some projections make of the same `states` `[rows, inner]` of bfloat16: `[rows, outputs]` in `kind` each.
std::vector<Tensor> multiplied(
    const ludus::LinearKernel& kernel, const Tensor& states, const std::vector<Projection>& projections,
    at::ScalarType kind) {
    const Tensor x = in_rows(states);
    const int64_t rows = x.size(0), inner = x.size(1);
    std::vector<Tensor> products, kept;
    std::vector<ludus::Linear> wholes;
    int64_t outputs = 0;
    for (const auto& [weight, bias] : projections) {
        const Tensor w = in_rows(weight), b = bias ? bias->contiguous() : Tensor();
        const Tensor product = at::empty({rows, w.size(0)}, x.options().dtype(kind));
        wholes.push_back({
            numbers(x), x.stride(0), numbers(w), w.stride(0), b.defined() ? numbers(b) : nullptr, product.data_ptr(),
            product.stride(0), kind == at::kFloat, rows, w.size(0), inner,
        });
        outputs += w.size(0);
        products.push_back(product);
        kept.insert(kept.end(), {w, b});
    }
    const auto scratch = [&](int64_t rows) { return at::empty({kernel.scratch(rows, inner)}, at::kByte); };
    if (rows > ludus::ROWS_A_PART) {
        ludus::over_row_parts(rows, [&](int64_t first, int64_t count) {
            const Tensor memory = scratch(count);
            kernel.lay_out(ludus::rows_of(wholes[0], first, count), memory.data_ptr());
            for (const ludus::Linear& whole : wholes) {
                kernel.multiply(ludus::rows_of(whole, first, count), memory.data_ptr());
            }
        });
    } else if (rows > 0) {
        ludus::over_shares(rows * inner * outputs, [&](ludus::Share share) {
            const Tensor memory = scratch(rows);
            kernel.lay_out(wholes[0], memory.data_ptr());
            ludus::multiply_share(kernel, wholes, share, memory.data_ptr());
        });
    }
    return products;
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

} // namespace

namespace ludus {

std::vector<Tensor> multiplied(const Tensor& states, const std::vector<Projection>& projections) {
    // Ours where there is a kernel, else libtorch.
    if (states.is_cpu() && states.scalar_type() == at::kBFloat16 && *linear_kernels()) {
        return ::multiplied(**linear_kernels(), states, projections, at::kBFloat16);
    }
    if (are_few(states)) {
        return multiplied_few(states, projections);
    }
    std::vector<Tensor> products;
    for (const auto& [weight, bias] : projections) {
        products.push_back(at::linear(states, weight, bias));
    }
    return products;
}

WeightGradients::WeightGradients(const Tensor& states, int index)
    : states(in_rows(states)), kernel(outer_kernels()[index]) {
    if (!kernel || !states.is_cpu() || states.scalar_type() != at::kBFloat16 || states.size(0) == 0) {
        return;
    }
    // A number that is laid out costs about as much as so many multiplications.
    constexpr int64_t WORK = 8;
    const int64_t rows = states.size(0), inner = states.size(1);
    laid_out = at::empty({kernel->laid_out(rows, inner)}, at::kByte);
    OuterProducts of{};
    of.right = numbers(this->states);
    of.right_stride = this->states.stride(0);
    of.rows = rows;
    over_shares(rows * inner * WORK, [&](Share share) {
        const auto [first, last] = share.of_outputs(inner);
        kernel->lay_out(of, first, last, laid_out.data_ptr());
    });
}

void WeightGradients::by_kernel(const Tensor& sum, const Tensor& of_product, bool adds) const {
    const Tensor left = in_rows(of_product);
    const int64_t rows = left.size(0), outputs = left.size(1), inner = states.size(1);
    const OuterProducts of{
        numbers(left), left.stride(0), nullptr, 0, sum.data_ptr<float>(), sum.stride(0), rows, outputs, inner, adds};
    over_shares(rows * outputs * inner, [&](Share share) {
        const auto [first, last] = share.of_outputs(outputs);
        const Tensor memory = at::empty({kernel->scratch(rows)}, at::kByte);
        kernel->add(of, first, last, laid_out.data_ptr(), memory.data_ptr());
    });
}

Tensor WeightGradients::make(const Tensor& of_product) const {
    const Tensor left = of_product.t();
    if (laid_out.defined()) {
        const Tensor made = at::empty({of_product.size(1), states.size(1)}, states.options().dtype(at::kFloat));
        by_kernel(made, of_product, false);
        return made;
    }
    return left.is_cuda() ? wide_product(left, states) : left.mm(states).to(at::kFloat);
}

void WeightGradients::add(const Tensor& sum, const Tensor& of_product) const {
    if (laid_out.defined()) {
        by_kernel(sum, of_product, true);
    } else if (states.scalar_type() == at::kFloat) {
        sum.addmm_(of_product.t(), states);
    } else {
        sum.add_(make(of_product));
    }
}

} // namespace ludus

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

LUDUS_EXPORTED bool ludus_products_has_wide_gemm() {
    return wide_gemm() != nullptr;
}

/// `sum += left right`, of bfloat16 into float32, where there is a product for it.
LUDUS_EXPORTED char* ludus_products_add(void* sum, void* left, void* right) {
    return ludus::guarded([&] {
        const at::NoGradGuard none_is_learned;
        const Tensor &s = tensor(sum), &l = tensor(left), &r = tensor(right);
        const bool is_narrow = l.is_cpu() && l.scalar_type() == at::kBFloat16;
        if (*ludus::outer_kernels() && is_narrow && l.stride(0) == 1 && s.is_contiguous()) {
            ludus::WeightGradients(r).add(s, l.t());
        } else if (is_for_mkl(l, r) && s.is_contiguous()) {
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
        *made = new Tensor(multiplied(chosen, tensor(states), {{tensor(weight), std::nullopt}}, at::kFloat)[0]);
    });
}

/// `left^T right` in float32, by a kernel.
LUDUS_EXPORTED char* ludus_products_outer(int kernel, void* left, void* right, void** made) {
    return ludus::guarded([&] {
        const at::NoGradGuard none_is_learned;
        *made = new Tensor(ludus::WeightGradients(tensor(right), kernel).make(tensor(left)));
    });
}
