// SPDX-License-Identifier: MIT
//
// The awaitable operations of a channel's ends: input, output and claim.
#pragma once

#include <coroutine>
#include <cstdint>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

#include "csp/core.hpp"
#include "csp/detail/rendezvous.hpp"

namespace csp {

template <class T>
class extended;
template <class T>
class claimed_out;

namespace detail {

enum class sharing : std::uint8_t { one, many };

template <class T, sharing Sharing>
class [[nodiscard("await it")]] output_awaiter : output_operation<T> {
  public:
    output_awaiter(channel<T>& c, T&& message, std::source_location where) noexcept
        : output_operation<T>(std::move(message)), channel_(c), where_(where)
    {
        if constexpr (Sharing == sharing::many) this->become(operation::in_turn);
    }
    [[gnu::always_inline]] bool await_ready()
    {
        if constexpr (Sharing == sharing::many) return channel_.offer_in_turn(*this);
        return channel_.offer(*this);
    }
    void await_suspend(std::coroutine_handle<> self)
    {
        park(*this->who, self, wait::output, &channel_, where_);
        enqueue();
    }
    bool await_resume() const noexcept { return this->accepted; }
    using operation::made_by;

    // For par(): starts the output in parallel with others. Returns whether it has to wait.
    bool begin(record& who, std::uint32_t& together)
    {
        this->who = &who;
        if (await_ready()) return false;
        this->together = &together;
        this->become(operation::in_company);
        enqueue();
        return true;
    }
    void withdraw() noexcept
    {
        if (this->is(operation::in_company)) channel_.forget(*this->who);
    }

  private:
    void enqueue()
    {
        if constexpr (Sharing == sharing::many) {
            channel_.wait_for_reader_in_turn(*this);
        } else {
            channel_.wait_for_reader(*this);
        }
    }
    channel<T>& channel_;
    std::source_location where_;
};

template <class T, sharing Sharing>
class [[nodiscard("await it")]] input_awaiter : input_operation<T> {
  public:
    input_awaiter(channel<T>& c, std::source_location where) noexcept : channel_(c), where_(where)
    {
        if constexpr (Sharing == sharing::many) this->become(operation::in_turn);
    }
    [[gnu::always_inline]] bool await_ready()
    {
        if constexpr (Sharing == sharing::many) return channel_.accept_in_turn(*this);
        return channel_.accept(*this);
    }
    void await_suspend(std::coroutine_handle<> self)
    {
        park(*this->who, self, wait::input, &channel_, where_);
        if constexpr (Sharing == sharing::many) {
            channel_.wait_for_writer_in_turn(*this);
        } else {
            channel_.wait_for_writer(*this);
        }
    }
    std::optional<T> await_resume() noexcept { return this->message.take(); }
    using operation::made_by;

  private:
    channel<T>& channel_;
    std::source_location where_;
};

template <class T>
class [[nodiscard("await it")]] extended_awaiter : extended_operation<T> {
  public:
    extended_awaiter(channel<T>& c, std::source_location where) noexcept : channel_(c), where_(where) {}
    bool await_ready() { return channel_.accept(*this); }
    void await_suspend(std::coroutine_handle<> self)
    {
        park(*this->who, self, wait::extended, &channel_, where_);
        channel_.wait_for_writer(*this);
    }
    csp::extended<T> await_resume() noexcept { return {this->message.take(), this->writer}; }
    using operation::made_by;

  private:
    channel<T>& channel_;
    std::source_location where_;
};

/// Waits for a turn. Turns are given in the order of the claims.
template <class T, class Claimed>
class [[nodiscard("await it")]] claim_awaiter : operation {
    static constexpr bool writing = std::is_same_v<Claimed, claimed_out<T>>;

  public:
    claim_awaiter(channel<T>& c, std::source_location where) noexcept : channel_(c), where_(where)
    {
        become(operation::is_claim);
    }
    bool await_ready()
    {
        if constexpr (writing) return channel_.claim_writing();
        return channel_.claim_reading();
    }
    void await_suspend(std::coroutine_handle<> self)
    {
        park(*who, self, wait::claim, &channel_, where_);
        if constexpr (writing) {
            channel_.wait_to_write(*this);
        } else {
            channel_.wait_to_read(*this);
        }
    }
    Claimed await_resume() { return Claimed(channel_); }
    using operation::made_by;

  private:
    channel<T>& channel_;
    std::source_location where_;
};

}  // namespace detail
}  // namespace csp
