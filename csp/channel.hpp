// SPDX-License-Identifier: MIT
//
// Channels: unbuffered and synchronous. When output() returns, the reader has the message. The party that comes second
// moves the message from the writer's frame to the reader's, makes the first party ready and continues to run. So a
// communication costs one switch and never allocates.
//
//   chan<T> c;                    a channel; hands out its ends
//   c.rx()  in<T>                 the only reading end    c.shared_rx()  shared_in<T>    its copies take turns
//   c.tx()  out<T>                the only writing end    c.shared_tx()  shared_out<T>
//
// When the last writing end is destroyed, input() returns an empty optional; when the last reading end is destroyed,
// output() returns false. All ends of a channel are on one core (between cores, use a bridge: bridge.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <source_location>
#include <utility>

#include "csp/core.hpp"
#include "csp/detail/communication.hpp"
#include "csp/detail/rendezvous.hpp"
#include "csp/mobile.hpp"

namespace csp {

/// The message of an extended input, occam's `??`. The writer waits until this object is destroyed. Empty if the
/// channel is closed.
template <class T>
class [[nodiscard("the writer is released when this scope ends")]] extended {
  public:
    extended(std::optional<T>&& message, detail::operation* writer) noexcept
        : message_(std::move(message)), writer_(writer)
    {
    }
    extended(extended&& other) noexcept
        : message_(std::move(other.message_)), writer_(std::exchange(other.writer_, nullptr))
    {
    }
    extended& operator=(extended&&) = delete;
    ~extended()
    {
        if (writer_ != nullptr && !core::here().ending_all()) writer_->complete();
    }
    explicit operator bool() const { return message_.has_value(); }
    T& operator*() { return *message_; }
    T* operator->() { return &*message_; }

  private:
    std::optional<T> message_;
    detail::operation* writer_;
};

/// The reading end of a channel. Move-only. When it is destroyed, outputs return false.
template <mobile T>
class in {
  public:
    in() = default;
    explicit in(detail::channel<T>& c) noexcept : channel_(&c) {}
    in(in&& other) noexcept : channel_(std::exchange(other.channel_, nullptr)) {}
    in& operator=(in&& other) noexcept
    {
        std::swap(channel_, other.channel_);
        return *this;
    }
    ~in()
    {
        if (channel_ != nullptr) channel_->drop_reader();
    }

    /// Waits for a message. Empty: all writing ends are gone, and every message was received.
    auto input(std::source_location where = std::source_location::current())
    {
        return detail::input_awaiter<T, detail::sharing::one>(*channel_, where);
    }
    auto extended_input(std::source_location where = std::source_location::current())
    {
        return detail::extended_awaiter<T>(*channel_, where);
    }
    explicit operator bool() const { return channel_ != nullptr; }
    [[nodiscard]] detail::channel_base* guarded() const { return channel_; }

  private:
    detail::channel<T>* channel_ = nullptr;
};

/// The writing end of a channel. Move-only. When it is destroyed, inputs return empty.
template <mobile T>
class out {
  public:
    out() = default;
    explicit out(detail::channel<T>& c) noexcept : channel_(&c) {}
    out(out&& other) noexcept : channel_(std::exchange(other.channel_, nullptr)) {}
    out& operator=(out&& other) noexcept
    {
        std::swap(channel_, other.channel_);
        return *this;
    }
    ~out()
    {
        if (channel_ != nullptr) channel_->drop_writer();
    }

    /// Waits until the reader has the message. False: the reading end is gone and the message was destroyed.
    auto output(T message, std::source_location where = std::source_location::current())
    {
        return detail::output_awaiter<T, detail::sharing::one>(*channel_, std::move(message), where);
    }
    explicit operator bool() const { return channel_ != nullptr; }

  private:
    detail::channel<T>* channel_ = nullptr;
};

/// A turn at a shared reading end, with the functions of in<T>. It ends with its scope.
template <class T>
class [[nodiscard("the claim ends with this scope")]] claimed_in {
  public:
    explicit claimed_in(detail::channel<T>& c) : channel_(&c) { c.add_reader(); }
    claimed_in(claimed_in&& other) noexcept : channel_(std::exchange(other.channel_, nullptr)) {}
    claimed_in& operator=(claimed_in&&) = delete;
    ~claimed_in()
    {
        if (channel_ == nullptr) return;
        channel_->release_reading();
        channel_->drop_reader();
    }
    auto input(std::source_location where = std::source_location::current())
    {
        return detail::input_awaiter<T, detail::sharing::one>(*channel_, where);
    }
    auto extended_input(std::source_location where = std::source_location::current())
    {
        return detail::extended_awaiter<T>(*channel_, where);
    }
    [[nodiscard]] detail::channel_base* guarded() const { return channel_; }

  private:
    detail::channel<T>* channel_;
};

/// A turn at a shared writing end, with the functions of out<T>. It ends with its scope.
template <class T>
class [[nodiscard("the claim ends with this scope")]] claimed_out {
  public:
    explicit claimed_out(detail::channel<T>& c) : channel_(&c) { c.add_writer(); }
    claimed_out(claimed_out&& other) noexcept : channel_(std::exchange(other.channel_, nullptr)) {}
    claimed_out& operator=(claimed_out&&) = delete;
    ~claimed_out()
    {
        if (channel_ == nullptr) return;
        channel_->release_writing();
        channel_->drop_writer();
    }
    auto output(T message, std::source_location where = std::source_location::current())
    {
        return detail::output_awaiter<T, detail::sharing::one>(*channel_, std::move(message), where);
    }

  private:
    detail::channel<T>* channel_;
};

/// A reading end with several holders. Each message goes to the holder that has waited longest.
template <mobile T>
class shared_in {
  public:
    explicit shared_in(detail::channel<T>& c) noexcept : channel_(&c) {}
    shared_in(const shared_in& other) : channel_(other.channel_) { channel_->add_reader(); }
    shared_in(shared_in&& other) noexcept : channel_(std::exchange(other.channel_, nullptr)) {}
    shared_in& operator=(shared_in other) noexcept
    {
        std::swap(channel_, other.channel_);
        return *this;
    }
    ~shared_in()
    {
        if (channel_ != nullptr) channel_->drop_reader();
    }
    /// Claims, inputs one message and releases.
    auto input(std::source_location where = std::source_location::current())
    {
        return detail::input_awaiter<T, detail::sharing::many>(*channel_, where);
    }
    /// Waits for a turn, during which the holder can take several messages or use the end in an ALT.
    auto claim(std::source_location where = std::source_location::current())
    {
        return detail::claim_awaiter<T, claimed_in<T>>(*channel_, where);
    }

  private:
    detail::channel<T>* channel_;
};

/// A writing end with several holders.
template <mobile T>
class shared_out {
  public:
    explicit shared_out(detail::channel<T>& c) noexcept : channel_(&c) {}
    shared_out(const shared_out& other) : channel_(other.channel_) { channel_->add_writer(); }
    shared_out(shared_out&& other) noexcept : channel_(std::exchange(other.channel_, nullptr)) {}
    shared_out& operator=(shared_out other) noexcept
    {
        std::swap(channel_, other.channel_);
        return *this;
    }
    ~shared_out()
    {
        if (channel_ != nullptr) channel_->drop_writer();
    }
    /// Claims, outputs one message and releases.
    auto output(T message, std::source_location where = std::source_location::current())
    {
        return detail::output_awaiter<T, detail::sharing::many>(*channel_, std::move(message), where);
    }
    /// Waits for a turn. During a turn no other writer's message comes between those of this one.
    auto claim(std::source_location where = std::source_location::current())
    {
        return detail::claim_awaiter<T, claimed_out<T>>(*channel_, where);
    }

  private:
    detail::channel<T>* channel_;
};

/// A channel that hands out its ends. Ends that were never handed out are closed when it is destroyed, so that no
/// process waits for them in vain. It does not hold the ends that it has handed out: the channel may close while its
/// chan exists.
template <mobile T>
class chan {
  public:
    explicit chan(std::source_location made = std::source_location::current()) : channel_(new detail::channel<T>(made))
    {
    }
    chan(chan&& other) noexcept
        : channel_(std::exchange(other.channel_, nullptr)), reading_(other.reading_), writing_(other.writing_)
    {
    }
    chan& operator=(chan&&) = delete;
    ~chan()
    {
        if (channel_ == nullptr) return;
        if (writing_ == handed_out::none) channel_->drop_writer();
        if (reading_ == handed_out::none) channel_->drop_reader();
        channel_->drop_chan();
    }

    [[nodiscard]] in<T> rx()
    {
        CSP_CHECK(reading_ == handed_out::none, "the reading end was handed out already");
        reading_ = handed_out::single;
        return in<T>(*channel_);
    }
    [[nodiscard]] out<T> tx()
    {
        CSP_CHECK(writing_ == handed_out::none, "the writing end was handed out already");
        writing_ = handed_out::single;
        return out<T>(*channel_);
    }
    [[nodiscard]] shared_in<T> shared_rx()
    {
        CSP_CHECK(reading_ != handed_out::single, "the single reading end was handed out already");
        if (reading_ == handed_out::shared) channel_->add_reader();
        reading_ = handed_out::shared;
        return shared_in<T>(*channel_);
    }
    [[nodiscard]] shared_out<T> shared_tx()
    {
        CSP_CHECK(writing_ != handed_out::single, "the single writing end was handed out already");
        if (writing_ == handed_out::shared) channel_->add_writer();
        writing_ = handed_out::shared;
        return shared_out<T>(*channel_);
    }

  private:
    enum class handed_out : std::uint8_t { none, single, shared };
    detail::channel<T>* channel_;
    handed_out reading_ = handed_out::none;
    handed_out writing_ = handed_out::none;
};

}  // namespace csp
