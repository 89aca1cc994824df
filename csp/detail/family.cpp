// SPDX-License-Identifier: MIT
#include "csp/detail/family.hpp"

namespace csp::detail {

void family::wake_parent() noexcept
{
    joining = false;
    home->ready(*parent);
}

void family::hear(const char* fault) noexcept
{
    if (first_fault != nullptr) return;
    first_fault = fault;
    if (is_remote_member) return static_cast<remote_member*>(this)->pass_on_fault(fault);
    if (told == faults::heard) {
        if (joining && until_fault) wake_parent();
    } else if (told == faults::escalate) {
        family* const above = parent != nullptr ? parent->owner : heir;
        if (above != nullptr) {
            above->hear(fault);
        } else {
            home->fault_unheard(fault);
        }
    }
}

void family::ended(const char* fault) noexcept
{
    if (is_remote_member) [[unlikely]]
        return static_cast<remote_member*>(this)->pass_on_end(fault);
    if (fault != nullptr) {
        ++faulted;
        hear(fault);
    }
    if (--living > 0) return;
    if (heir != nullptr) {
        family* const next = std::exchange(heir, nullptr);
        const char* const any_fault = told == faults::contained ? nullptr : first_fault;
        delete this;
        next->ended(any_fault);
    } else if (joining) {
        wake_parent();
    }
}

void family::discard(family* f) noexcept
{
    if (f->is_remote_member) {
        delete static_cast<remote_member*>(f);
    } else {
        delete f;
    }
}

void remote_member::pass_on_fault(const char* name) noexcept
{
    fault_.fault = name;
    heir->home->post(fault_);
}

void remote_member::pass_on_end(const char* fault) noexcept
{
    end_.fault = fault;
    heir->home->post(end_);
}

void remote_member::fault_arrived(const notice& n) noexcept { n.from->heir->hear(n.fault); }

void remote_member::end_arrived(const notice& n) noexcept
{
    family& of = *n.from->heir;
    const char* const fault = n.fault;
    delete n.from;  // its fault, if it had one, was delivered before
    of.ended(fault);
}

}  // namespace csp::detail
