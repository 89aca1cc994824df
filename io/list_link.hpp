// SPDX-License-Identifier: MIT
#pragma once

namespace io::detail {

/// A member of a doubly linked list, whose head is also a list_link. The destructor removes it from its list. `List`
/// distinguishes lists of different kinds, since an object may be in several.
template <class List>
struct list_link {
    list_link* previous = this;
    list_link* next = this;

    list_link() = default;
    list_link(const list_link&) = delete;
    list_link& operator=(const list_link&) = delete;
    ~list_link() { unlink(); }

    [[nodiscard]] bool alone() const { return next == this; }
    void unlink()
    {
        previous->next = next;
        next->previous = previous;
        previous = next = this;
    }
    /// Adds it at the end of the list with this head. REQUIRES: it is in no list.
    void append_to(list_link& head)
    {
        previous = head.previous;
        next = &head;
        previous->next = this;
        head.previous = this;
    }
};

}  // namespace io::detail
