// SPDX-License-Identifier: MIT
//
// Channels between cores. A bridge has its own type, so the wiring of a network shows where it crosses cores.
//
//   bridge<T> b(home);   a channel that lives on its reader's core, `home`
//   b.rx()   in<T>           an ordinary reading end, also for ALT
//   b.tx()   bridge_out<T>   a writing end; its copies may be on any core and take turns
//
// An output is synchronous, as on a channel. It costs one mail to the reader's core and one back.
#pragma once

#include <cstdint>
#include <source_location>
#include <utility>

#include "csp/channel.hpp"
#include "csp/crosses_cores.hpp"
#include "csp/detail/crossing.hpp"

namespace csp {

/// A turn at the writing end of a bridge, with the functions of out<T>. It ends with its scope.
template <class T>
class [[nodiscard("the claim ends with this scope")]] claimed_bridge_out {
  public:
    explicit claimed_bridge_out(detail::crossing<T>& over) : over_(&over) { over.add_writer(); }
    claimed_bridge_out(claimed_bridge_out&& other) noexcept : over_(std::exchange(other.over_, nullptr)) {}
    claimed_bridge_out& operator=(claimed_bridge_out&&) = delete;
    ~claimed_bridge_out()
    {
        if (over_ == nullptr) return;
        over_->release_turn();
        over_->drop_writer();
    }
    auto output(T message, std::source_location where = std::source_location::current())
    {
        return detail::bridge_output_awaiter<T, detail::sharing::one>(*over_, std::move(message), where);
    }

  private:
    detail::crossing<T>* over_;
};

/// A writing end of a bridge. It may be copied, and its copies may be on any core.
template <crosses_cores T>
class bridge_out {
  public:
    bridge_out() = default;
    explicit bridge_out(detail::crossing<T>& over) noexcept : over_(&over) {}
    bridge_out(const bridge_out& other) : over_(other.over_)
    {
        if (over_ != nullptr) over_->add_writer();
    }
    bridge_out(bridge_out&& other) noexcept : over_(std::exchange(other.over_, nullptr)) {}
    bridge_out& operator=(bridge_out other) noexcept
    {
        std::swap(over_, other.over_);
        return *this;
    }
    ~bridge_out()
    {
        if (over_ != nullptr) over_->drop_writer();
    }

    /// Waits until the reader has the message. False: the reading end is gone and the message was destroyed.
    auto output(T message, std::source_location where = std::source_location::current())
    {
        return detail::bridge_output_awaiter<T, detail::sharing::many>(*over_, std::move(message), where);
    }
    /// Waits for a turn. During a turn no other writer's message comes between those of this one.
    auto claim(std::source_location where = std::source_location::current())
    {
        return detail::bridge_claim_awaiter<T>(*over_, where);
    }
    /// Whether the reading end still exists. For a writer that would otherwise make an expensive message in vain. The
    /// reading end may be destroyed before the output, which then returns false.
    auto has_reader(std::source_location where = std::source_location::current())
    {
        return detail::reader_question<T>(*over_, where);
    }

  private:
    detail::crossing<T>* over_ = nullptr;
};

/// A channel whose writers may be on other cores than its reader. As with a chan, ends that were never handed out are
/// closed when it is destroyed.
template <crosses_cores T>
class bridge {
  public:
    explicit bridge(core& reader_home, std::source_location made = std::source_location::current())
        : over_(new detail::crossing<T>(reader_home, made))
    {
    }
    bridge(bridge&& other) noexcept
        : over_(std::exchange(other.over_, nullptr)), reading_(other.reading_), writing_(other.writing_)
    {
    }
    bridge& operator=(bridge&&) = delete;
    ~bridge()
    {
        if (over_ == nullptr) return;
        if (writing_ == handed_out::no) over_->drop_writer();
        if (reading_ == handed_out::no) {
            over_->drop_unread();
        } else {
            over_->let_go();
        }
    }

    /// The reading end, for a process on the reader's core.
    [[nodiscard]] in<T> rx()
    {
        CSP_CHECK(reading_ == handed_out::no, "the reading end was handed out already");
        reading_ = handed_out::yes;
        return in<T>(over_->link());
    }
    /// A writing end. When the last one is destroyed, the bridge is closed.
    [[nodiscard]] bridge_out<T> tx()
    {
        if (std::exchange(writing_, handed_out::yes) == handed_out::yes) over_->add_writer();
        return bridge_out<T>(*over_);
    }

  private:
    enum class handed_out : std::uint8_t { no, yes };
    detail::crossing<T>* over_;
    handed_out reading_ = handed_out::no;
    handed_out writing_ = handed_out::no;
};

}  // namespace csp
