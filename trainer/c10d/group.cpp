// The thin way from Rust to libtorch's own c10d: ranks that are joined, and what they do together.
//
// Every function returns null, or a text that says what went wrong, for ludus_c10d_free. Tensors are those of tch, which
// holds a `torch::Tensor*`. What ranks do together they do in the same order on each.
//
// Of Gloo's headers only names of classes are used, behind pointers: its code is inside libtorch. So those that Debian ships
// will do, whatever their age.

#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "group.h"

using ludus::Group;
using ludus::guarded;
using Works = std::vector<c10::intrusive_ptr<c10d::Work>>;

namespace {

void wait_for(const Works& works) {
    for (const auto& work : works) {
        work->wait();
    }
}

c10::intrusive_ptr<c10d::Work> sum_of(Group& group, const at::Tensor& tensor) {
    std::vector<at::Tensor> tensors{tensor};
    c10d::AllreduceOptions options;
    options.reduceOp = c10d::ReduceOp::SUM;
    return group.of(tensor).allreduce(tensors, options);
}

/// Gradients that are summed together.
struct Bucket {
    /// All its gradients, one behind the other: they are views of it.
    at::Tensor sum;
    /// How many of them are not final yet.
    size_t missing;
    size_t parameters;
};

/// Sums gradients over ranks, a bucket at a time, each as soon as its gradients are final.
struct Reducer {
    std::shared_ptr<Group> group;
    std::vector<at::Tensor> parameters;
    std::vector<Bucket> buckets;
    /// The bucket of each parameter.
    std::vector<size_t> places;
    /// On a GPU gradients come in a thread of autograd's.
    std::mutex mutex;
    /// Whether gradients that come are final ones.
    bool walking = false;
    std::vector<bool> final;
    /// Buckets are begun in their order, so that all ranks begin the same one.
    Works begun;
    std::string error;

    void gradient_is_final(size_t parameter) {
        std::lock_guard<std::mutex> lock(mutex);
        if (!walking || final[parameter]) {
            return;
        }
        final[parameter] = true;
        buckets[places[parameter]].missing -= 1;
        // An exception would come out of the backward pass, as a panic.
        if (char* text = guarded([&] { begin_complete_ones(); })) {
            error = text;
            free(text);
            walking = false;
        }
    }

    void begin_complete_ones() {
        while (begun.size() < buckets.size() && buckets[begun.size()].missing == 0) {
            begun.push_back(sum_of(*group, buckets[begun.size()].sum));
        }
    }
};

struct TellReducer : torch::autograd::PostAccumulateGradHook {
    TellReducer(Reducer* reducer, size_t parameter) : reducer(reducer), parameter(parameter) {}
    void operator()(const torch::autograd::Variable&) override { reducer->gradient_is_final(parameter); }
    Reducer* reducer;
    size_t parameter;
};

} // namespace

extern "C" {

void ludus_c10d_free(char* text) { free(text); }

/// Meets the other ranks at a host's port. `serves` says whether this rank opens that port; `prefix` keeps the attempts of a
/// torchrun apart. An operation fails where another rank keeps it waiting for longer than `timeout_s`.
char* ludus_c10d_join(
    const char* host,
    uint16_t port,
    bool serves,
    const char* prefix,
    int rank,
    int ranks,
    int64_t timeout_s,
    std::shared_ptr<Group>** joined) {
    return guarded([&] {
        c10d::TCPStoreOptions options;
        options.port = port;
        options.isServer = serves;
        options.numWorkers = ranks;
        options.waitWorkers = false;
        // Ranks are started together; one that is not there by then does not come.
        options.timeout = std::chrono::minutes(5);
        auto store = c10::make_intrusive<c10d::TCPStore>(host, options);
        auto group = std::make_shared<Group>();
        group->store = c10::make_intrusive<c10d::PrefixStore>(prefix, store);
        // It looks at GLOO_SOCKET_IFNAME, as torch does.
        auto gloo = c10d::ProcessGroupGloo::Options::create_default(std::chrono::seconds(timeout_s));
        auto own = c10::make_intrusive<c10d::PrefixStore>("gloo", group->store);
        group->host = c10::make_intrusive<c10d::ProcessGroupGloo>(own, rank, ranks, gloo);
        *joined = new std::shared_ptr<Group>(std::move(group));
    });
}

/// Where NCCL is to be put. It comes in a library of its own.
Group* ludus_c10d_group(std::shared_ptr<Group>* group) { return group->get(); }

/// Parts from the others. All that was begun has to be over.
void ludus_c10d_leave(std::shared_ptr<Group>* group) { delete group; }

/// Puts the sum over all ranks into a tensor.
char* ludus_c10d_sum(std::shared_ptr<Group>* group, at::Tensor* tensor) {
    return guarded([&] { wait_for({sum_of(**group, *tensor)}); });
}

/// Copies each tensor from the rank that has it to all others.
char* ludus_c10d_broadcast(std::shared_ptr<Group>* group, at::Tensor** tensors, const int* from, size_t count) {
    return guarded([&] {
        Works works;
        for (size_t index = 0; index < count; index += 1) {
            // A parameter is a leaf that requires a gradient: it is written to behind autograd's back.
            std::vector<at::Tensor> one{tensors[index]->detach()};
            c10d::BroadcastOptions options;
            options.rootRank = from[index];
            works.push_back((*group)->of(one[0]).broadcast(one, options));
        }
        wait_for(works);
    });
}

/// Sends a tensor in the memory of the host to one rank.
char* ludus_c10d_send(std::shared_ptr<Group>* group, at::Tensor* tensor, int to) {
    return guarded([&] {
        std::vector<at::Tensor> one{*tensor};
        (*group)->host->send(one, to, 0)->wait();
    });
}

/// Receives a tensor that one rank sends.
char* ludus_c10d_receive(std::shared_ptr<Group>* group, at::Tensor* tensor, int from) {
    return guarded([&] {
        std::vector<at::Tensor> one{*tensor};
        (*group)->host->recv(one, from, 0)->wait();
    });
}

/// Makes the gradients of parameters views of buckets, zeros at first, and asks to be told of each. `places` are the
/// buckets of the parameters.
char* ludus_c10d_reducer(
    std::shared_ptr<Group>* group,
    at::Tensor** parameters,
    const size_t* places,
    size_t count,
    size_t buckets,
    Reducer** made) {
    return guarded([&] {
        auto reducer = std::make_unique<Reducer>();
        reducer->group = *group;
        reducer->places.assign(places, places + count);
        std::vector<int64_t> sizes(buckets, 0);
        for (size_t index = 0; index < count; index += 1) {
            reducer->parameters.push_back(*parameters[index]);
            sizes.at(places[index]) += parameters[index]->numel();
        }
        for (int64_t size : sizes) {
            auto options = at::TensorOptions(parameters[0]->options()).requires_grad(false);
            reducer->buckets.push_back({at::zeros({size}, options), 0, 0});
        }
        std::vector<int64_t> filled(buckets, 0);
        for (size_t index = 0; index < count; index += 1) {
            at::Tensor& parameter = reducer->parameters[index];
            Bucket& bucket = reducer->buckets[places[index]];
            int64_t& start = filled[places[index]];
            parameter.mutable_grad() = bucket.sum.narrow(0, start, parameter.numel()).view(parameter.sizes());
            start += parameter.numel();
            bucket.parameters += 1;
            auto hook = std::make_unique<TellReducer>(reducer.get(), index);
            torch::autograd::impl::set_post_acc_grad_hooks(parameter, std::move(hook));
        }
        *made = reducer.release();
    });
}

/// From now on a gradient that comes is final. Those of the parameters named are so already.
void ludus_c10d_reducer_begin(Reducer* reducer, const size_t* already, size_t count) {
    {
        std::lock_guard<std::mutex> lock(reducer->mutex);
        reducer->walking = true;
        reducer->error.clear();
        reducer->begun.clear();
        reducer->final.assign(reducer->parameters.size(), false);
        for (Bucket& bucket : reducer->buckets) {
            bucket.missing = bucket.parameters;
        }
    }
    for (size_t index = 0; index < count; index += 1) {
        reducer->gradient_is_final(already[index]);
    }
}

/// Sums what is left, and waits until all gradients are sums over all ranks. `early` is told how many buckets were begun
/// while gradients still came.
char* ludus_c10d_reducer_finish(Reducer* reducer, size_t* early) {
    return guarded([&] {
        std::lock_guard<std::mutex> lock(reducer->mutex);
        TORCH_CHECK(reducer->error.empty(), reducer->error);
        reducer->walking = false;
        *early = reducer->begun.size();
        while (reducer->begun.size() < reducer->buckets.size()) {
            reducer->begun.push_back(sum_of(*reducer->group, reducer->buckets[reducer->begun.size()].sum));
        }
        wait_for(reducer->begun);
        reducer->begun.clear();
    });
}

/// Takes the hooks away. Gradients stay.
void ludus_c10d_reducer_free(Reducer* reducer) {
    guarded([&] {
        for (at::Tensor& parameter : reducer->parameters) {
            torch::autograd::impl::set_post_acc_grad_hooks(parameter, nullptr);
        }
    });
    delete reducer;
}

} // extern "C"
