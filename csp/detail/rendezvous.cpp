// SPDX-License-Identifier: MIT
#include "csp/detail/rendezvous.hpp"

namespace csp::detail {

void operation_queue::forget(const record& who)
{
    operation* last_kept = nullptr;
    for (operation** link = &first_; *link != nullptr;) {
        if ((*link)->who == &who) {
            *link = (*link)->next;
        } else {
            last_kept = *link;
            link = &(*link)->next;
        }
    }
    last_ = last_kept;
}

void channel_base::forget(const record& who)
{
    if (waiting_ == party::readers || waiting_ == party::writers) {
        queue_.forget(who);
        if (queue_.empty()) waiting_ = party::nobody;
    }
    if (turns_ == nullptr) return;
    turns_->reading.line.forget(who);
    turns_->writing.line.forget(who);
}

}  // namespace csp::detail
