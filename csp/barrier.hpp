// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstdint>
#include <source_location>
#include <utility>

#include "csp/core.hpp"

namespace csp {

/// A barrier, at which all enrolled processes of one core wait for each other. Each process holds its own copy: copying
/// enrols one more process, and destroying a copy resigns.
class barrier {
  public:
    explicit barrier(std::source_location made = std::source_location::current()) : place_(new place{.made = made}) {}
    barrier(const barrier& other) noexcept : place_(other.place_) { ++place_->enrolled; }
    barrier(barrier&& other) noexcept : place_(std::exchange(other.place_, nullptr)) {}
    barrier& operator=(barrier other) noexcept
    {
        std::swap(place_, other.place_);
        return *this;
    }
    ~barrier()
    {
        if (place_ != nullptr) resign();
    }

    /// Waits until all enrolled processes wait here.
    auto sync(std::source_location where = std::source_location::current())
    {
        return awaiter{*place_, where, nullptr, nullptr};
    }

  private:
    struct awaiter;
    struct place {
        std::source_location made;
        std::uint32_t enrolled = 1;
        std::uint32_t waiting = 0;
        awaiter* first = nullptr;
    };
    struct [[nodiscard("await it")]] awaiter {
        place& at;
        std::source_location where;
        record* who;
        awaiter* next;

        [[nodiscard]] bool await_ready() const
        {
            if (at.waiting + 1 < at.enrolled) return false;
            release(at);
            return true;
        }
        void await_suspend(std::coroutine_handle<> self)
        {
            who = &park(self, wait::barrier, &at.made, where);
            next = std::exchange(at.first, this);
            ++at.waiting;
        }
        void await_resume() const noexcept {}
    };

    static void release(place& p)
    {
        p.waiting = 0;
        for (awaiter* a = std::exchange(p.first, nullptr); a != nullptr;) {
            awaiter* const next = a->next;
            make_ready(*a->who);
            a = next;
        }
    }
    void resign()
    {
        if (--place_->enrolled == 0) {
            delete place_;
        } else if (place_->waiting == place_->enrolled && !core::here().ending_all()) {
            release(*place_);
        }
    }

    place* place_;
};

}  // namespace csp
