// Rows of logits: their distribution, a token drawn from it, and their gradient.
#pragma once

#include "../kernels.h"
#include "sizes.h"
#include "vectors.h"

namespace {

using ludus::Distribution;
using ludus::Rows;
using ludus::Token;

/// Numbers of a row that are added up in float32; their sums are in double.
constexpr int64_t ADDED = 1024;
/// Parts of a row whose shares are known when a token is drawn, at most.
constexpr int64_t PARTS = 256;
/// Numbers of a gradient that exist at one time.
constexpr int64_t WRITTEN = 512;

/// The first numbers of a row from here; minus infinity behind them.
inline Floats load_logits(const float* from, int64_t count) {
    if (count >= LANES) {
        return load(from);
    }
    Floats numbers = all(-__builtin_inff());
    for (int64_t i = 0; i < count; i++) {
        numbers[i] = from[i];
    }
    return numbers;
}

void measure(Distribution& row) {
    Floats highest = all(-__builtin_inff());
    for (int64_t i = 0; i < row.width; i += LANES) {
        const Floats logits = load_logits(row.logits + i, row.width - i);
        highest = logits > highest ? logits : highest;
    }
    const float most = largest(highest);
    // Of exp(x), and of x exp(x), where the greatest x is 0.
    double sums = 0, weighted = 0;
    for (int64_t first = 0; first < row.width; first += ADDED) {
        const int64_t end = smaller(row.width, first + ADDED);
        Floats powers{}, products{};
        for (int64_t i = first; i < end; i += LANES) {
            // Behind the last one stands what adds nothing.
            Floats x = (load_logits(row.logits + i, end - i) - most) * row.sharpness;
            x = x < -1e4f ? all(-1e4f) : x;
            const Floats power = x < -87.0f ? Floats{} : exp(x);
            powers += power;
            products += power * x;
        }
        sums += sum(powers);
        weighted += sum(products);
    }
    const double log_sum = __builtin_log(sums);
    row.most = most;
    row.log_sum = static_cast<float>(log_sum);
    row.entropy = static_cast<float>(log_sum - weighted / sums);
}

/// One after the other by itself, wherever it is asked for: what was sampled and what is learned from agree to the last bit.
float log_probability(const Distribution& row, int64_t token) {
    return (row.logits[token] - row.most) * row.sharpness - row.log_sum;
}

inline Floats log_probabilities(const Distribution& row, Floats logits) {
    return (logits - row.most) * row.sharpness - row.log_sum;
}

/// Probabilities; those that float32 cannot tell from 0 are 0.
inline Floats probabilities(Floats logarithms) {
    return logarithms < -87.0f ? Floats{} : exp(logarithms);
}

int64_t draw(const Distribution& row, double share) {
    const int64_t part = whole(row.width / PARTS > ADDED ? row.width / PARTS + 1 : ADDED);
    double shares[PARTS + 1], total = 0;
    for (int64_t index = 0, first = 0; first < row.width; index++, first += part) {
        const int64_t end = smaller(row.width, first + part);
        Floats added{};
        for (int64_t i = first; i < end; i += LANES) {
            added += probabilities(log_probabilities(row, load_logits(row.logits + i, end - i)));
        }
        shares[index] = sum(added);
        total += shares[index];
    }
    // The part in which the token lies, or the last one with any.
    const double sought = share * total;
    double before = 0;
    int64_t chosen = -1;
    for (int64_t index = 0; index * part < row.width && !(chosen >= 0 && sought < before + shares[chosen]); index++) {
        if (shares[index] > 0) {
            before += chosen >= 0 ? shares[chosen] : 0;
            chosen = index;
        }
    }
    if (chosen < 0) {
        return row.width - 1;
    }
    double left = sought - before;
    int64_t last = chosen * part;
    const int64_t end = smaller(row.width, last + part);
    for (int64_t first = last; first < end; first += LANES) {
        const Floats found = probabilities(log_probabilities(row, load_logits(row.logits + first, end - first)));
        for (int64_t lane = 0; lane < smaller(LANES, end - first); lane++) {
            if (found[lane] > 0) {
                last = first + lane;
                if (left < found[lane]) {
                    return last;
                }
                left -= found[lane];
            }
        }
    }
    // One by one they may come to a little less than their sum did.
    return last;
}

/// See src/distribution.rs.
template <typename T>
void write_logits_gradient(const Distribution& row, const Token* tokens, int64_t count, float of_entropy, T* to) {
    float of_row = 0;
    for (int64_t i = 0; i < count; i++) {
        of_row += tokens[i].gradient;
    }
    float written[WRITTEN];
    for (int64_t first = 0; first < row.width; first += WRITTEN) {
        const int64_t width = smaller(WRITTEN, row.width - first);
        for (int64_t i = 0; i < width; i += LANES) {
            const Floats logarithms = log_probabilities(row, load_some(row.logits + first + i, width - i));
            const Floats of_all = (logarithms + row.entropy) * of_entropy + of_row;
            store(written + i, -(probabilities(logarithms) * of_all * row.sharpness));
        }
        for (int64_t i = 0; i < count; i++) {
            const int64_t at = tokens[i].token - first;
            if (at >= 0 && at < width) {
                written[at] += tokens[i].gradient * row.sharpness;
            }
        }
        for (int64_t i = 0; i < width; i += LANES) {
            store_some(to + first + i, load(written + i), width - i);
        }
    }
}

void logits_gradient(const Distribution& row, const Token* tokens, int64_t count, float of_entropy, Rows to) {
    if (to.wide) {
        write_logits_gradient(row, tokens, count, of_entropy, static_cast<float*>(to.data));
    } else {
        write_logits_gradient(row, tokens, count, of_entropy, static_cast<Narrow*>(to.data));
    }
}

} // namespace
