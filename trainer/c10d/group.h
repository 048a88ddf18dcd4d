// What group.cpp and nccl.cpp share: how ranks are joined.
#pragma once

#include <chrono>

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "../aten/guarded.h"

namespace ludus {

/// Ranks meet at a store; backends move tensors between them.
struct Group {
    c10::intrusive_ptr<c10d::Store> store;
    /// Gloo, for tensors in the memory of the host.
    c10::intrusive_ptr<c10d::Backend> host;
    /// NCCL, for tensors on a GPU. None where the ranks compute on CPUs.
    c10::intrusive_ptr<c10d::Backend> device;

    c10d::Backend& of(const at::Tensor& tensor) {
        TORCH_CHECK(tensor.is_cpu() || device, "the ranks have no NCCL for a tensor on ", tensor.device());
        return tensor.is_cpu() ? *host : *device;
    }
};

} // namespace ludus
