// The one setting of libtorch's that tch has no name for.

#include <ATen/Context.h>

/// Gives products of float32 matrices on a CPU to oneDNN, which may round their factors to bfloat16 where the processor has
/// AMX. See src/products.rs.
extern "C" void ludus_products_by_onednn() {
    at::globalContext().setFloat32Precision(
        at::Float32Backend::MKLDNN, at::Float32Op::MATMUL, at::Float32Precision::BF16);
}
