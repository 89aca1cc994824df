// SPDX-License-Identifier: MIT
//
// How an output crosses a bridge: it is sent as mail to the reader's core, where it takes part in the communication of
// an ordinary channel. A mail back makes the writer ready.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <source_location>
#include <utility>

#include "csp/core.hpp"
#include "csp/detail/communication.hpp"
#include "csp/detail/rendezvous.hpp"

namespace csp {

template <class T>
class claimed_bridge_out;

namespace detail {

/// The shared state of the ends of a bridge. Only the reader's core accesses the channel `link_`.
template <class T>
class crossing : public pooled {
  public:
    crossing(core& reader_home, std::source_location made)
        : home_(reader_home), link_(*new channel<T>(made)), made_(made)
    {
        link_.drop_chan();
        link_.be_bridged();
    }
    crossing(const crossing&) = delete;
    crossing& operator=(const crossing&) = delete;

    [[nodiscard]] core& home() const { return home_; }
    [[nodiscard]] bool is_here() const { return &home_ == core::here_or_null(); }
    [[nodiscard]] channel<T>& link() const { return link_; }
    [[nodiscard]] const std::source_location* made() const { return &made_; }

    void add_writer()
    {
        // Relaxed: the caller holds an end already, and reads nothing that depends on the count.
        const std::uint32_t before = writers_.fetch_add(1, std::memory_order_relaxed);
        CSP_CHECK(before > 0, "all writing ends of this bridge are gone: it is closed for good");
    }
    void drop_writer()
    {
        // Release and acquire pair with each other: everything that other ends did happens before the last one closes.
        if (writers_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
        if (is_here()) {
            close();
        } else {
            home_.post(closing_);
        }
    }
    void release_turn()
    {
        if (is_here()) {
            link_.release_writing();
        } else {
            home_.post(releasing_);  // one mail is enough: the next turn begins only after its delivery
        }
    }
    /// The bridge is destroyed, together with a reading end that was never handed out.
    void drop_unread()
    {
        if (is_here()) {
            link_.drop_reader();
            let_go();
        } else {
            home_.post(unread_);
        }
    }
    void let_go()
    {
        // Release and acquire pair with each other: the other holder's last access happens before the deletion.
        if (holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

  private:
    struct notice : mail {
        crossing* of;
        notice(crossing& c, void (*deliver)(mail&) noexcept) : mail{nullptr, deliver}, of(&c) {}
    };
    void close()
    {
        link_.drop_writer();
        let_go();
    }

    core& home_;
    channel<T>& link_;
    std::source_location made_;
    std::atomic<std::uint32_t> writers_ = 1;  // until it is handed out, the bridge has the first one
    std::atomic<std::uint32_t> holders_ = 2;  // the bridge, and the writing side until it has closed
    notice closing_{*this, [](mail& m) noexcept { static_cast<notice&>(m).of->close(); }};
    notice releasing_{*this, [](mail& m) noexcept { static_cast<notice&>(m).of->link_.release_writing(); }};
    notice unread_{*this, [](mail& m) noexcept {
                       crossing* const of = static_cast<notice&>(m).of;
                       of->link_.drop_reader();
                       of->let_go();
                   }};
};

/// A request that a writer sends to the reader's core as mail. `Errand` is an operation with arrive(), which performs
/// it and returns whether it is done, and enqueue(), which makes it wait in the channel. It is in the writer's frame.
/// The mail back is the writer's record.
template <class Errand>
struct parcel : mail {
    Errand* holds = nullptr;
    void send(core& to, Errand& errand)
    {
        holds = &errand;
        deliver = [](mail& m) noexcept {
            Errand& arrived = *static_cast<parcel&>(m).holds;
            if (arrived.arrive()) {
                arrived.complete();
            } else {
                arrived.enqueue();
            }
        };
        to.post(*this);  // last, because the process may be made ready from now on
    }
};

template <class T, sharing Sharing>
class [[nodiscard("await it")]] bridge_output_awaiter : output_operation<T> {
  public:
    bridge_output_awaiter(crossing<T>& over, T&& message, std::source_location where) noexcept
        : output_operation<T>(std::move(message)), over_(over), where_(where)
    {
        if (!over.is_here()) this->become(operation::from_afar);
        if constexpr (Sharing == sharing::many) this->become(operation::in_turn);
    }
    bridge_output_awaiter(const bridge_output_awaiter&) = delete;
    bridge_output_awaiter& operator=(const bridge_output_awaiter&) = delete;
    ~bridge_output_awaiter()
    {
        if (waiting_) over_.link().forget(*this->who);  // only in core::end_all()
    }
    bool await_ready() { return over_.is_here() && arrive(); }
    void await_suspend(std::coroutine_handle<> self)
    {
        park(*this->who, self, wait::bridge, over_.made(), where_);
        waiting_ = true;
        if (over_.is_here()) {
            enqueue();
        } else {
            parcel_.send(over_.home(), *this);
        }
    }
    bool await_resume() noexcept
    {
        waiting_ = false;
        return this->accepted;
    }
    using operation::made_by;

  private:
    friend parcel<bridge_output_awaiter>;
    bool arrive()
    {
        if constexpr (Sharing == sharing::many) return over_.link().offer_in_turn(*this);
        return over_.link().offer(*this);
    }
    void enqueue()
    {
        if constexpr (Sharing == sharing::many) {
            over_.link().wait_for_reader_in_turn(*this);
        } else {
            over_.link().wait_for_reader(*this);
        }
    }

    crossing<T>& over_;
    std::source_location where_;
    parcel<bridge_output_awaiter> parcel_;
    bool waiting_ = false;
};

template <class T>
class [[nodiscard("await it")]] bridge_claim_awaiter : operation {
  public:
    bridge_claim_awaiter(crossing<T>& over, std::source_location where) noexcept : over_(over), where_(where)
    {
        become(operation::is_claim);
    }
    bridge_claim_awaiter(const bridge_claim_awaiter&) = delete;
    bridge_claim_awaiter& operator=(const bridge_claim_awaiter&) = delete;
    ~bridge_claim_awaiter()
    {
        if (waiting_) over_.link().forget(*who);  // only in core::end_all()
    }
    bool await_ready() { return over_.is_here() && arrive(); }
    void await_suspend(std::coroutine_handle<> self)
    {
        // First, because it may throw, and then the claim must not have been made.
        if (!over_.is_here()) spare_ = std::make_unique<channel_base::turns_of_both_sides>();
        park(*who, self, wait::bridge, over_.made(), where_);
        waiting_ = true;
        if (over_.is_here()) {
            enqueue();
        } else {
            parcel_.send(over_.home(), *this);
        }
    }
    claimed_bridge_out<T> await_resume()
    {
        waiting_ = false;
        return claimed_bridge_out<T>(over_);
    }
    using operation::made_by;

  private:
    friend parcel<bridge_claim_awaiter>;
    bool arrive()
    {
        over_.link().adopt_turns(spare_);
        return over_.link().claim_writing();
    }
    void enqueue() { over_.link().wait_to_write(*this); }

    crossing<T>& over_;
    std::source_location where_;
    parcel<bridge_claim_awaiter> parcel_;
    std::unique_ptr<channel_base::turns_of_both_sides> spare_;  // in case this is the first claim of the channel
    bool waiting_ = false;
};

/// Asks the reader's core whether a reading end still exists.
template <class T>
class [[nodiscard("await it")]] reader_question : operation {
  public:
    reader_question(crossing<T>& over, std::source_location where) noexcept : over_(over), where_(where) {}
    reader_question(const reader_question&) = delete;
    reader_question& operator=(const reader_question&) = delete;

    bool await_ready() { return over_.is_here() && arrive(); }
    void await_suspend(std::coroutine_handle<> self)
    {
        who = &park(self, wait::bridge, over_.made(), where_);
        parcel_.send(over_.home(), *this);
    }
    [[nodiscard]] bool await_resume() const { return has_reader_; }

  private:
    friend parcel<reader_question>;
    bool arrive()
    {
        has_reader_ = over_.link().readers() > 0;
        return true;
    }
    static void enqueue() {}  // never called: arrive() always returns true

    crossing<T>& over_;
    std::source_location where_;
    parcel<reader_question> parcel_;
    bool has_reader_ = false;
};

}  // namespace detail
}  // namespace csp
