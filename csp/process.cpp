// SPDX-License-Identifier: MIT
#include "csp/process.hpp"

#include "csp/post_mortem.hpp"

namespace csp {

void process::abandon() noexcept
{
    // Not a broken contract: an exception between making and starting a process comes by here too.
    std::fprintf(stderr, "process %s was made but never started\n", name_of(*record_).c_str());
    record_->resume_point.destroy();
}

namespace detail {

void end_process(process_core& ending) noexcept
{
    family& owner = *ending.owner;
    const bool faulted = ending.faulted;
    core::here().leave(ending);
    destroy_frame(ending);
    owner.ended(faulted);
}

void process_core::unhandled_exception() noexcept
{
    faulted = true;
    const core& here = core::here();
    try {
        throw;
    } catch (const std::exception& e) {
        here.report_fault(*this, e.what());
    } catch (...) {
        here.report_fault(*this, "an exception that is no std::exception");
    }
}

}  // namespace detail
}  // namespace csp
