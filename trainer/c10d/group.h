// What group.cpp and nccl.cpp share: how ranks are joined, and how an error crosses to Rust.
#pragma once

#include <chrono>
#include <cstring>
#include <exception>

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

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

/// Runs something and returns null, or what went wrong as a text for ludus_c10d_free. No exception gets past it.
template <typename F>
char* guarded(F run) noexcept {
    try {
        run();
        return nullptr;
    } catch (const c10::Error& error) {
        // Without the stack, which is for people who build libtorch.
        return strdup(error.what_without_backtrace());
    } catch (const std::exception& error) {
        return strdup(error.what());
    } catch (...) {
        return strdup("an unknown error");
    }
}

} // namespace ludus
