// SPDX-License-Identifier: MIT
//
// The parties of a communication.
#pragma once

#include <cstdint>

#include "csp/core.hpp"

namespace csp {
namespace detail {

/// One party at a channel. It is in the frame of its process, so waiting allocates nothing. Only the flags are
/// initialized, because most operations never wait and need no other member.
struct operation {
    // Most operations have none of these flags, which one comparison shows.
    enum flag : std::uint8_t {
        extended = 1,    // a reader that lets the writer wait until its scope ends
        is_claim = 2,    // waits for a turn, not for a communication
        held = 4,        // a writer that waits for the scope of an extended input to end
        in_company = 8,  // one of several communications of a PAR
        in_turn = 16,    // of a shared end, where several operations may wait
        from_afar = 32,  // its process is on another core
    };

    operation* next;          // when queued
    record* who;              // set by co_await
    std::uint32_t* together;  // if in_company: the number of its PAR's communications that are not yet complete
    std::uint8_t flags = 0;
    bool accepted = false;  // the reader has the message; not a flag, so that a reader sets it by one store

    operation() {}
    operation(const operation&) = delete;
    operation& operator=(const operation&) = delete;
    ~operation() = default;

    /// Called by the co_await of a process or of its steps.
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

/// A process of this core that waits in an ALT. The guards that become ready fire it; only the first call has an
/// effect.
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
