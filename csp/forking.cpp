// SPDX-License-Identifier: MIT
#include "csp/forking.hpp"

namespace csp {

forking::~forking()
{
    // While all processes are ended (core::end_all), those on other cores do not report their end.
    if (family_->living == 0 || family_->home->ending_all()) {
        delete family_;
        return;
    }
    // The processes of this family outlive it. Their family takes the place of the running process: it becomes the
    // owner of that process, and reports to the previous owner when the last of them has ended.
    record& self = *family_->home->running();
    family_->heir = std::exchange(self.owner, family_);
    family_->parent = nullptr;
    ++family_->living;
}

void forking::start_on(core& other, process&& p)
{
    auto* const member = new detail::remote_member(*family_, other);
    record& r = detail::released(std::move(p));
    r.owner = member;
    ++family_->living;
    r.home = &other;
    // The other core adds it to its list of living processes when this mail is delivered. Later mail makes it ready.
    r.deliver = [](detail::mail& m) noexcept {
        m.deliver = record::make_ready_here;
        core::here().enter(static_cast<record&>(m));
    };
    other.post(r);
}

}  // namespace csp
