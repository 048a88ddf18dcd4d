// Numbers of rows and columns.
#pragma once

#include <cstdint>

namespace {

inline int64_t up(int64_t number, int64_t to) {
    return (number + to - 1) / to * to;
}

inline int64_t smaller(int64_t one, int64_t other) {
    return one < other ? one : other;
}

} // namespace
