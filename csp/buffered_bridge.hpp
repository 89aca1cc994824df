// SPDX-License-Identifier: MIT
//
// A buffer between two cores.
//
//   buffered_bridge<T> b(home, 1000);   room for 1000 messages between one writer and one reader
//   b.rx()   buffered_in<T>             input() and ALT
//   b.tx()   buffered_out<T>            output() waits only for room
//
// A side wakes the other one only if it sleeps, so a stream of messages crosses in batches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <utility>

#include "csp/crosses_cores.hpp"
#include "csp/detail/operation.hpp"
#include "csp/detail/stream.hpp"

namespace csp {

/// The reading end of a buffered bridge. It stays on its core.
template <crosses_cores T>
class buffered_in {
  public:
    explicit buffered_in(detail::stream<T>& over) noexcept : over_(&over) {}
    buffered_in(buffered_in&& other) noexcept : over_(std::exchange(other.over_, nullptr)) {}
    buffered_in& operator=(buffered_in&& other) noexcept
    {
        std::swap(over_, other.over_);
        return *this;
    }
    ~buffered_in()
    {
        if (over_ != nullptr) over_->drop_reader();
    }

    /// Waits for a message. Empty: the writing end is gone, and every message was received.
    auto input(std::source_location where = std::source_location::current())
    {
        return detail::stream_input_awaiter<T>(*over_, where);
    }
    [[nodiscard]] const void* guarded() const { return over_; }

    /// For ALT.
    class guard {
      public:
        explicit guard(const buffered_in& end) : over_(end.over_) {}
        [[nodiscard]] bool ready() const { return over_->ready_to_input(); }
        [[nodiscard]] const void* guarded() const { return over_; }
        void enable(alternative_operation& alt) { over_->listen(alt); }
        void disable() noexcept { over_->stop_listening(); }

      private:
        detail::stream<T>* over_;
    };

  private:
    detail::stream<T>* over_;
};

/// The writing end of a buffered bridge. It may move from core to core.
template <crosses_cores T>
class buffered_out {
  public:
    explicit buffered_out(detail::stream<T>& over) noexcept : over_(&over) {}
    buffered_out(buffered_out&& other) noexcept : over_(std::exchange(other.over_, nullptr)) {}
    buffered_out& operator=(buffered_out&& other) noexcept
    {
        std::swap(over_, other.over_);
        return *this;
    }
    ~buffered_out()
    {
        if (over_ != nullptr) over_->drop_writer();
    }

    /// Waits until there is room for the message. True: it is in the buffer, and the reader will get it unless its end
    /// is destroyed first. False: the reading end is gone and the message was destroyed.
    auto output(T message, std::source_location where = std::source_location::current())
    {
        return detail::stream_output_awaiter<T>(*over_, std::move(message), where);
    }

  private:
    detail::stream<T>* over_;
};

template <class T>
inline constexpr bool stays_on_its_core<buffered_in<T>> = true;

/// A buffer between a writer on any core and a reader on `reader_home`, with room for at least `capacity` messages.
template <crosses_cores T>
class buffered_bridge {
  public:
    buffered_bridge(core& reader_home, std::size_t capacity,
                    std::source_location made = std::source_location::current())
        : over_(new detail::stream<T>(reader_home, capacity, made))
    {
        CSP_CHECK(capacity > 0, "a buffer has room for one message at least");
    }
    buffered_bridge(buffered_bridge&& other) noexcept
        : over_(std::exchange(other.over_, nullptr)), reading_(other.reading_), writing_(other.writing_)
    {
    }
    buffered_bridge& operator=(buffered_bridge&&) = delete;
    ~buffered_bridge()
    {
        if (over_ == nullptr) return;
        if (writing_ == handed_out::no) over_->drop_writer();
        if (reading_ == handed_out::no) over_->drop_reader();
        over_->let_go();
    }

    /// The reading end, for a process on the reader's core.
    [[nodiscard]] buffered_in<T> rx()
    {
        CSP_CHECK(reading_ == handed_out::no, "the reading end was handed out already");
        reading_ = handed_out::yes;
        return buffered_in<T>(*over_);
    }
    [[nodiscard]] buffered_out<T> tx()
    {
        CSP_CHECK(writing_ == handed_out::no, "the writing end was handed out already");
        writing_ = handed_out::yes;
        return buffered_out<T>(*over_);
    }

  private:
    enum class handed_out : std::uint8_t { no, yes };
    detail::stream<T>* over_;
    handed_out reading_ = handed_out::no;
    handed_out writing_ = handed_out::no;
};

}  // namespace csp
