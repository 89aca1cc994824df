// SPDX-License-Identifier: MIT
//
// A kernel for tests: one thread, virtual time, and a random choice among the ready processes. Each seed gives another
// interleaving, and the same seed gives the same one again.
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

    /// Runs until no process is ready. Time does not advance. Returns the processes that still wait.
    std::vector<living_process> run_until_quiescent()
    {
        settle();
        return census(core_);
    }

    /// Advances the time by `d`, and runs the processes that become ready meanwhile.
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

    /// Runs until all processes have ended, or no process is ready and no timer is set. Time advances to the next timer
    /// whenever no process is ready. Returns the processes that still wait.
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
