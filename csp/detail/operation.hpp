// SPDX-License-Identifier: MIT
//
// Who takes part in a communication, or waits for its turn to.
#pragma once

#include <cstdint>

#include "csp/core.hpp"

namespace csp {
namespace detail {

/// One party at a channel. Lives in the frame of the process that may have to wait, so waiting allocates nothing. Of
/// its members only the flags have a value from the start: most operations never wait and need no other.
struct operation {
    // What is out of the ordinary. Most operations have none of these, and one look tells.
    enum flag : std::uint8_t {
        extended = 1,    // a reader that will hold its writer
        is_claim = 2,    // waits for a turn, not for a communication
        held = 4,        // a writer whose message the reader has, and who waits for the reader's scope to end
        in_company = 8,  // one of several communications of a PAR
        in_turn = 16,    // of a shared end: others may wait beside it, or for their turn
        from_afar = 32,  // its process lives on another core
    };

    operation* next;          // when queued
    record* who;              // known from the co_await on
    std::uint32_t* together;  // when in company: how many of it are still to come
    std::uint8_t flags = 0;
    bool accepted = false;  // a writer whose message the reader has; no flag, so that the reader need only store it

    operation() {}
    operation(const operation&) = delete;
    operation& operator=(const operation&) = delete;
    ~operation() = default;

    /// For the co_await of a process or of a step of it.
    void made_by(record& r) { who = &r; }

    [[nodiscard]] bool is_ordinary() const { return flags == 0; }
    [[nodiscard]] bool is(flag f) const { return (flags & f) != 0; }
    void become(flag f) { flags = static_cast<std::uint8_t>(flags | f); }

    void complete()
    {
        if (!is(in_company) || --*together == 0) make_ready(*who);
    }
};

/// First in, first out.
class operation_queue {
  public:
    [[nodiscard]] bool empty() const { return first_ == nullptr; }
    [[nodiscard]] operation& first() const { return *first_; }
    /// REQUIRES: empty.
    void begin_with(operation& op)
    {
        op.next = nullptr;
        first_ = last_ = &op;
    }
    void push(operation& op)
    {
        op.next = nullptr;
        (first_ == nullptr ? first_ : last_->next) = &op;
        last_ = &op;
    }
    operation& pop()
    {
        operation& op = *first_;
        first_ = op.next;
        return op;
    }
    void forget(const record& who);

  private:
    operation* first_ = nullptr;
    operation* last_ = nullptr;  // meaningful only while not empty
};

}  // namespace detail

/// A process waiting in an ALT, on this core. Guards that become ready fire it, once.
struct alternative_operation : detail::operation {
    bool fired = false;
    void fire()
    {
        if (fired) return;
        fired = true;
        core::here().ready(*who);
    }
};

}  // namespace csp
