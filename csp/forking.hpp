// SPDX-License-Identifier: MIT
//
// FORK: starts processes that run beside their starter, as many and when it likes. Every fork has an owner: the scope
// of a `forking`, which is joined at the latest when its process ends.
//
//   forking workers;
//   workers.start(page_worker(requests, to_backend));
//   ...
//   co_await workers.join();
#pragma once

#include "csp/par.hpp"

namespace csp {

/// Owns the processes started in it. When it is destroyed before they have ended, whoever waits for the end of its
/// process waits for them too: nobody learns that a process has ended while its forks still run.
class forking {
  public:
    /// `told`: where a fault of a fork is reported.
    explicit forking(faults told = faults::escalate) : family_(new detail::family(told)) {}
    forking(const forking&) = delete;
    forking& operator=(const forking&) = delete;
    ~forking();

    void start(process&& p) { detail::start(std::move(p), *family_); }
    /// Starts `p` on another core of the kernel. Everything that it reads from must be there already or go with it.
    void start_on(core& other, process&& p);

    [[nodiscard]] std::uint32_t living() const { return family_->living; }
    [[nodiscard]] std::uint32_t faulted() const { return family_->faulted; }

    /// Waits until all have ended.
    auto join(std::source_location where = std::source_location::current())
    {
        return detail::join_awaiter(*family_, where);
    }
    /// Waits until one has faulted, or one below them, or all have ended. REQUIRES: faults::heard.
    auto until_fault(std::source_location where = std::source_location::current())
    {
        CSP_CHECK(family_->told == faults::heard, "only who hears of faults can wait for one");
        return detail::join_awaiter(*family_, where, detail::join_awaiter::until::fault_or_end);
    }

  private:
    detail::family* family_;
};

}  // namespace csp
