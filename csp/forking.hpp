// SPDX-License-Identifier: MIT
//
// FORK: starts processes that run in parallel with their starter, any number and at any time. Each belongs to a
// `forking`. They are joined at the latest when the process with the forking ends.
//
//   forking workers;
//   workers.start(page_worker(requests, to_backend));
//   ...
//   co_await workers.join();
#pragma once

#include "csp/par.hpp"

namespace csp {

/// Owns the processes started by it. If it is destroyed before they have ended, they become part of its own process:
/// that process counts as ended only when they have ended too.
class forking {
  public:
    /// `told` says where a fault of one of the processes is reported.
    explicit forking(faults told = faults::escalate) : family_(new detail::family(told)) {}
    forking(const forking&) = delete;
    forking& operator=(const forking&) = delete;
    ~forking();

    void start(process&& p) { detail::start(std::move(p), *family_); }
    /// Starts `p` on another core of the kernel. The channel ends that it reads from must belong to that core.
    void start_on(core& other, process&& p);

    [[nodiscard]] std::uint32_t living() const { return family_->living; }
    [[nodiscard]] std::uint32_t faulted() const { return family_->faulted; }

    /// Waits until all have ended.
    auto join(std::source_location where = std::source_location::current())
    {
        return detail::join_awaiter(*family_, where);
    }
    /// Waits until a fault is reported to this forking, or all have ended. REQUIRES: faults::heard.
    auto until_fault(std::source_location where = std::source_location::current())
    {
        CSP_CHECK(family_->told == faults::heard, "only a forking with faults::heard can wait for a fault");
        return detail::join_awaiter(*family_, where, detail::join_awaiter::until::fault_or_end);
    }

  private:
    detail::family* family_;
};

}  // namespace csp
