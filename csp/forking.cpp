// SPDX-License-Identifier: MIT
#include "csp/forking.hpp"

namespace csp {

forking::~forking()
{
    // When everything ends at once, those who still live elsewhere will tell nobody.
    if (family_->living == 0 || family_->home->ending_all()) {
        delete family_;
        return;
    }
    // The process has not ended for its owner until these have: it joins them, and the last of all tells the owner.
    record& self = *family_->home->running();
    family_->heir = std::exchange(self.owner, family_);
    family_->parent = nullptr;
    ++family_->living;
}

void forking::start_on(core& other, process&& p)
{
    auto* const member = new detail::remote_member(*family_, other);
    record& r = detail::released(p);
    r.owner = member;
    ++family_->living;
    r.home = &other;
    // Not yet one of the living there: that is what its delivery is for, this once.
    r.deliver = [](detail::mail& m) noexcept {
        m.deliver = record::make_ready_here;
        core::here().enter(static_cast<record&>(m));
    };
    other.post(r);
}

}  // namespace csp
