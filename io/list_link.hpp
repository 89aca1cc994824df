// SPDX-License-Identifier: MIT
#pragma once

namespace io::detail {

/// Something that may be in one list; a list is a link too, its head. What ends leaves its list. `List` tells the lists
/// of one kind from those of another, since an object may be in several.
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
    /// As the last one of the list that starts at `head`. REQUIRES: it is in none.
    void append_to(list_link& head)
    {
        previous = head.previous;
        next = &head;
        previous->next = this;
        head.previous = this;
    }
};

}  // namespace io::detail
