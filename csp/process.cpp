// SPDX-License-Identifier: MIT
#include "csp/process.hpp"

#include <string_view>

#include "csp/detail/family.hpp"
#include "csp/post_mortem.hpp"

namespace csp {

void process::abandon() noexcept
{
    // Not a broken contract: it also happens after an exception between making and starting the process.
    const std::string_view name = plain_name(record_->name);
    std::fprintf(stderr, "process %.*s was made but never started\n", static_cast<int>(name.size()), name.data());
    record_->resume_point.destroy();
}

void report_fault() noexcept
{
    const core& here = core::here();
    try {
        throw;
    } catch (const std::exception& e) {
        here.report_fault(*here.running(), e.what());
    } catch (...) {
        here.report_fault(*here.running(), "an exception that is no std::exception");
    }
}

namespace detail {

void end_process(process_core& ending) noexcept
{
    family& owner = *ending.owner;
    const char* const fault = ending.faulted ? ending.name : nullptr;
    core::here().leave(ending);
    destroy_frame(ending);
    owner.ended(fault);
}

void process_core::unhandled_exception() noexcept
{
    faulted = true;
    report_fault();
}

}  // namespace detail
}  // namespace csp
