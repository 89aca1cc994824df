// SPDX-License-Identifier: MIT
//
// Runs a network: on this thread, or on several cores with a thread each.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "csp/core.hpp"
#include "csp/forking.hpp"
#include "csp/process.hpp"

namespace csp {

enum class outcome : std::uint8_t {
    finished,
    faulted,   // the first process ended by an exception
    deadlock,  // processes wait, but none is ready and no event can arrive; the post-mortem was printed
};

/// The cores of a program, with their neighbours.
class kernel {
  public:
    struct options {
        unsigned cores = 1;
        duration spin{0};            // see core::options
        bool ends_by_fault = false;  // see core::options
        bool pinned = false;         // bind the thread of core n to the n-th processor that this process may use
    };
    /// A neighbour, or an error message that says what the system refused.
    using made_neighbour = std::expected<std::unique_ptr<neighbour>, std::string>;
    /// Makes a core's neighbour, on the thread of that core. Without one, cores sleep by themselves.
    using neighbour_maker = std::function<made_neighbour(core&)>;

    explicit kernel(options how, neighbour_maker make_neighbour = {});
    kernel(const kernel&) = delete;
    kernel& operator=(const kernel&) = delete;
    ~kernel();

    [[nodiscard]] unsigned cores() const { return static_cast<unsigned>(cores_.size()); }
    [[nodiscard]] core& at(unsigned index) { return *cores_[index]; }

    /// Makes the threads of the cores and their neighbours. Returns an error message if the system refuses one of them;
    /// then the kernel cannot run. No process runs before run(), so the kernel may be destroyed after an error.
    [[nodiscard]] std::expected<void, std::string> prepare();

    /// Runs `first` on core 0, which is this thread, until it and all its forks have ended. Calls prepare() if it has
    /// not been called. May be called once. REQUIRES: prepare() succeeds.
    outcome run(process&& first);

    /// Makes every core print its post-mortem to standard error. Safe in a signal handler.
    void request_post_mortem() noexcept;

    /// From now on this signal, for example SIGQUIT, makes every core print its post-mortem. For one kernel of a
    /// program.
    void print_post_mortem_on(int signal);

  private:
    class crew;
    void deliver_the_rest();

    std::vector<std::unique_ptr<core>> cores_;
    options how_;
    neighbour_maker make_neighbour_;
    std::unique_ptr<crew> crew_;  // from prepare() to the end of run()
};

/// Runs a network on one core: all that main() of a small program needs.
outcome run(process&& first);

}  // namespace csp
