// How an error crosses to Rust.
#pragma once

#include <cstring>
#include <exception>

#include <c10/util/Exception.h>

namespace ludus {

/// Runs something and returns null, or what went wrong as a text for `free`. No exception gets past it.
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
