// NCCL for ranks that compute on GPUs, as a library of its own: it needs libtorch_cuda, which a program that computes on a CPU
// does not load.

#include <c10/cuda/CUDAGuard.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "group.h"

/// Joins the ranks of a group by NCCL too, each with a GPU of its own.
extern "C" __attribute__((visibility("default"))) char* ludus_nccl_join(
    ludus::Group* group, int rank, int ranks, int device, int64_t timeout_s) {
    return ludus::guarded([&] {
        c10::cuda::set_device(static_cast<c10::DeviceIndex>(device));
        auto options = c10d::ProcessGroupNCCL::Options::create();
        options->timeout = std::chrono::seconds(timeout_s);
        auto own = c10::make_intrusive<c10d::PrefixStore>("nccl", group->store);
        auto joined = c10::make_intrusive<c10d::ProcessGroupNCCL>(own, rank, ranks, options);
        // At once, so that a GPU that is taken or not there is noticed before anything is played.
        joined->eagerConnectSingleDevice(at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(device)));
        group->device = joined;
    });
}
