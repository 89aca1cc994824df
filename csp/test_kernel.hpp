// SPDX-License-Identifier: MIT
//
// A kernel for tests: one thread, virtual time, and a seeded choice among what is ready, so that a test meets
// another interleaving under every seed and the same one again under the same seed.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "csp/core.hpp"
#include "csp/forking.hpp"
#include "csp/post_mortem.hpp"
#include "csp/process.hpp"

namespace csp {

class test_kernel {
  public:
    explicit test_kernel(std::uint64_t seed)
        : core_({.virtual_time = true, .shuffled = true, .seed = seed}), here_(core_)
    {
    }
    test_kernel(const test_kernel&) = delete;
    test_kernel& operator=(const test_kernel&) = delete;
    ~test_kernel() { core_.end_all(); }

    void start(process&& p) { detail::start(std::move(p), network_); }

    /// Runs until nobody is ready. Time stands still. Yields who still waits, and for what.
    std::vector<living_process> run_until_quiescent()
    {
        settle();
        return census(core_);
    }

    /// Lets time pass, running what each moment makes ready.
    std::vector<living_process> run_for(duration d)
    {
        const time_point end = core_.now() + d;
        settle();
        while (!core_.timers().empty() && core_.timers().soonest() <= end) {
            core_.advance(core_.timers().soonest());
            settle();
        }
        core_.advance(end);
        return run_until_quiescent();
    }

    /// Runs, with time passing as fast as anybody waits for it, until all have ended or only the dead wait.
    std::vector<living_process> run()
    {
        settle();
        while (!core_.timers().empty()) {
            core_.advance(core_.timers().soonest());
            settle();
        }
        return census(core_);
    }

    [[nodiscard]] bool all_ended() const { return core_.population() == 0; }
    [[nodiscard]] std::uint32_t faulted() const { return network_.faulted; }
    [[nodiscard]] core& on() { return core_; }
    [[nodiscard]] std::string post_mortem() const { return csp::post_mortem(core_); }

  private:
    void settle()
    {
        while (core_.run_round()) {
        }
    }

    core core_;
    core::residence here_;
    detail::family network_;
};

}  // namespace csp
