// SPDX-License-Identifier: MIT
//
// The buffer of a buffered bridge: a ring that one core writes and another reads.
#pragma once

#include <atomic>
#include <bit>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>
#include <utility>

#include "csp/core.hpp"
#include "csp/detail/operation.hpp"

namespace csp::detail {

/// The ring between the two ends of a buffered bridge. The writer counts the messages written, the reader those read.
/// Each side keeps a copy of the other's count, and reads the count itself only if the ring is full or empty by this
/// copy.
template <class T>
class stream {
  public:
    stream(core& reader_home, std::size_t capacity, std::source_location made)
        : home_(reader_home),
          made_(made),
          // Twice the requested capacity: the reader publishes its count only every half ring, so up to half of the
          // slots may be free without the writer's knowledge.
          size_(std::bit_ceil(capacity) * 2),
          slots_(new slot[size_])
    {
    }
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;

    [[nodiscard]] const std::source_location* made() const { return &made_; }

    // -- the writer's side

    [[nodiscard]] bool reader_gone() const
    {
        // Acquire: pairs with the store in drop_reader(). Missing it is harmless: the output then counts as made
        // before.
        return reader_gone_.load(std::memory_order_acquire);
    }
    [[nodiscard]] bool has_room()
    {
        if (at_ - reported_as_seen_ < size_) return true;
        // Sequentially consistent: the check in wait_for_room() after the announcement that the writer waits. As an
        // acquire it pairs with report(): the slot is empty.
        reported_as_seen_ = reported_.load(std::memory_order_seq_cst);
        return at_ - reported_as_seen_ < size_;
    }
    /// REQUIRES: has_room().
    void write(T&& message)
    {
        std::construct_at(&slots_[at_ & (size_ - 1)].message, std::move(message));
        ++at_;
        // Release: pairs with the reader's loads of written_, for the message. Sequentially consistent for the line
        // after it: either the writer sees that the reader sleeps, or the reader, which checks once more after
        // announcing that it sleeps, sees the message.
        written_.store(at_, std::memory_order_seq_cst);
        call_a_sleeper();
    }
    /// Returns whether `writer` must wait. It is made ready when there is room or the reading end is destroyed.
    bool wait_for_room(record& writer)
    {
        waiting_writer_ = &writer;
        // Release for the line above. Sequentially consistent with report() and drop_reader(): either they see that the
        // writer waits, or the writer sees what they did.
        waits_to_write_.store(at_ + 1, std::memory_order_seq_cst);
        if (!has_room() && !reader_gone_.load(std::memory_order_seq_cst)) return true;
        return !stop_waiting();  // if the reader has reset waits_to_write_, it also makes the writer ready
    }
    bool stop_waiting()
    {
        // Relaxed: it only decides whether the reader or the writer itself ends the waiting.
        return waits_to_write_.exchange(0, std::memory_order_relaxed) != 0;
    }
    void drop_writer()
    {
        writer_gone_.store(true, std::memory_order_seq_cst);  // as written_ in write()
        call_a_sleeper();
        let_go();
    }

    // -- the reader's side

    /// Whether input() would return at once: there is a message, or the writing end is destroyed.
    [[nodiscard]] bool ready_to_input()
    {
        if (has_message()) return true;
        // Sequentially consistent: part of the second check in attend(). As an acquire it pairs with drop_writer().
        if (!writer_gone_.load(std::memory_order_seq_cst)) return false;
        (void)has_message();  // once more, for messages written after the first check and before the end
        return true;
    }
    std::optional<T> read()
    {
        if (taken_ == written_as_seen_) return std::nullopt;
        T& message = slots_[taken_ & (size_ - 1)].message;
        std::optional<T> result(std::move(message));
        std::destroy_at(&message);
        if ((++taken_ & (size_ / 2 - 1)) == 0) report();
        return result;
    }
    /// Fires `who` as soon as ready_to_input(), possibly at once.
    void listen(alternative_operation& who)
    {
        CSP_CHECK(listener_ == nullptr, "a bridge has one reader at a time");
        listener_ = &who;
        attend();
    }
    void stop_listening() noexcept
    {
        listener_ = nullptr;
        auto asleep = attention::asleep;
        // Relaxed: no other data depends on it. If the writer has called already, its mail finds no listener.
        reader_.compare_exchange_strong(asleep, attention::awake, std::memory_order_relaxed);
    }
    void drop_reader()
    {
        reader_gone_.store(true, std::memory_order_seq_cst);  // see wait_for_room()
        // Acquire: pairs with wait_for_room(), for waiting_writer_.
        if (waits_to_write_.exchange(0, std::memory_order_acq_rel) != 0) make_ready(*waiting_writer_);
        let_go();
    }

    // -- fairness: an end that never has to wait must still let the other processes of its core run

    [[nodiscard]] bool writer_may_go_on() { return (++outputs_in_a_row_ & (longest_run - 1)) != 0; }
    [[nodiscard]] bool reader_may_go_on() { return (++inputs_in_a_row_ & (longest_run - 1)) != 0; }

    void let_go()
    {
        // Release and acquire pair with each other: the last accesses of the others happen before the deletion.
        if (holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

  private:
    static constexpr std::uint32_t longest_run = 256;

    union slot {
        slot() noexcept {}
        ~slot() {}
        T message;
    };
    /// The reader as the writer sees it. Only the reader sets awake and asleep, only the writer turns asleep to called.
    enum class attention : std::uint8_t {
        awake,   // looks by itself before it waits
        asleep,  // must be called
        called,  // the call is in its core's mailbox
    };
    struct call_mail : mail {
        stream* of;
        explicit call_mail(stream& s) : mail{nullptr, deliver_it}, of(&s) {}
        static void deliver_it(mail& m) noexcept { static_cast<call_mail&>(m).of->called(); }
    };

    ~stream()
    {
        written_as_seen_ = written_.load(std::memory_order_relaxed);  // relaxed: let_go() has ordered everything
        while (taken_ != written_as_seen_) std::destroy_at(&slots_[taken_++ & (size_ - 1)].message);
    }

    void call_a_sleeper()
    {
        // Sequentially consistent, after the store of what there is to see: see write().
        if (reader_.load(std::memory_order_seq_cst) != attention::asleep) [[likely]]
            return;
        auto asleep = attention::asleep;
        // Relaxed: the mailbox publishes the data. The exchange only ensures that the writer calls once.
        if (!reader_.compare_exchange_strong(asleep, attention::called, std::memory_order_relaxed)) return;
        holders_.fetch_add(1, std::memory_order_relaxed);  // for the mail; the writer is a holder, so this exists
        home_.post(call_);
    }
    void called()
    {
        reader_.store(attention::awake, std::memory_order_relaxed);  // the writer does nothing from called
        if (listener_ != nullptr) attend();
        let_go();
    }
    void attend()
    {
        if (ready_to_input()) {
            listener_->fire();
            return;
        }
        report();
        // Relaxed: only the reader leaves this state, in called(), which checks again.
        if (reader_.load(std::memory_order_relaxed) == attention::called) return;
        // Sequentially consistent, and then a second check: see write() and drop_writer().
        reader_.store(attention::asleep, std::memory_order_seq_cst);
        if (ready_to_input()) listener_->fire();
    }
    bool has_message()
    {
        if (taken_ != written_as_seen_) return true;
        // Acquire: pairs with write(), for the messages. Sequentially consistent for the second check in attend().
        written_as_seen_ = written_.load(std::memory_order_seq_cst);
        return taken_ != written_as_seen_;
    }
    void report()
    {
        // Release: pairs with has_room(), for the emptied slots. Sequentially consistent with wait_for_room().
        reported_.store(taken_, std::memory_order_seq_cst);
        std::uint64_t waits = waits_to_write_.load(std::memory_order_seq_cst);  // after the store
        // The writer may have seen this count already and filled the ring again. Then it waits for the next report.
        if (waits == 0 || waits - 1 - taken_ >= size_) return;
        // Acquire: pairs with wait_for_room(), for waiting_writer_. If it fails, the writer has found room itself.
        if (waits_to_write_.compare_exchange_strong(waits, 0, std::memory_order_acquire, std::memory_order_relaxed)) {
            make_ready(*waiting_writer_);
        }
    }

    // Four cache lines: constants, what the writer writes, what the reader writes, and what changes only when an end
    // sleeps or is destroyed.
    core& home_;
    std::source_location made_;
    std::size_t size_;
    std::unique_ptr<slot[]> slots_;

    alignas(64) std::atomic<std::uint64_t> written_ = 0;
    std::uint64_t at_ = 0;
    std::uint64_t reported_as_seen_ = 0;
    std::uint32_t outputs_in_a_row_ = 0;

    alignas(64) std::atomic<std::uint64_t> reported_ = 0;
    std::uint64_t taken_ = 0;
    std::uint64_t written_as_seen_ = 0;
    alternative_operation* listener_ = nullptr;
    std::uint32_t inputs_in_a_row_ = 0;

    alignas(64) std::atomic<attention> reader_ = attention::awake;
    std::atomic<bool> reader_gone_ = false;
    std::atomic<bool> writer_gone_ = false;
    std::atomic<std::uint64_t> waits_to_write_ = 0;  // 0: the writer does not wait; n + 1: it waits to write the n-th
    record* waiting_writer_ = nullptr;               // meaningful while that is not 0
    std::atomic<std::uint32_t> holders_ = 3;         // both ends and the bridge; while it is under way, the call
    call_mail call_{*this};
};

template <class T>
class [[nodiscard("await it")]] stream_output_awaiter {
  public:
    stream_output_awaiter(stream<T>& over, T&& message, std::source_location where) noexcept
        : over_(over), message_(std::move(message)), where_(where)
    {
    }
    stream_output_awaiter(const stream_output_awaiter&) = delete;
    stream_output_awaiter& operator=(const stream_output_awaiter&) = delete;
    ~stream_output_awaiter()
    {
        if (waiting_) [[unlikely]]
            over_.stop_waiting();  // only in core::end_all()
    }
    bool await_ready() { return over_.reader_gone() || (over_.has_room() && over_.writer_may_go_on()); }
    void await_suspend(std::coroutine_handle<> self)
    {
        record& writer = park(self, wait::bridge, over_.made(), where_);
        if (over_.has_room() || !over_.wait_for_room(writer)) {
            make_ready(writer);
        } else {
            waiting_ = true;
        }
    }
    bool await_resume()
    {
        waiting_ = false;
        if (over_.reader_gone()) return false;
        over_.write(std::move(message_));
        return true;
    }

  private:
    stream<T>& over_;
    T message_;
    std::source_location where_;
    bool waiting_ = false;
};

template <class T>
class [[nodiscard("await it")]] stream_input_awaiter : alternative_operation {
  public:
    stream_input_awaiter(stream<T>& over, std::source_location where) noexcept : over_(over), where_(where) {}
    stream_input_awaiter(const stream_input_awaiter&) = delete;
    stream_input_awaiter& operator=(const stream_input_awaiter&) = delete;
    ~stream_input_awaiter()
    {
        if (waiting_) [[unlikely]]
            over_.stop_listening();  // only in core::end_all()
    }
    bool await_ready() { return over_.ready_to_input() && over_.reader_may_go_on(); }
    void await_suspend(std::coroutine_handle<> self)
    {
        who = &park(self, wait::bridge, over_.made(), where_);
        waiting_ = true;
        over_.listen(*this);
    }
    std::optional<T> await_resume()
    {
        if (std::exchange(waiting_, false)) over_.stop_listening();
        return over_.read();
    }

  private:
    stream<T>& over_;
    std::source_location where_;
    bool waiting_ = false;
};

}  // namespace csp::detail
