// SPDX-License-Identifier: MIT
//
// How a channel transfers a message. The party that comes first queues its operation in the channel and waits. The
// second one finds this operation and moves the message between the two frames. Read channel::offer and wait_for_reader
// first, then accept and wait_for_writer, which do the same for the other side. The rest implements turns at shared
// ends, extended inputs and closing, and is kept out of the path of an ordinary communication.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>
#include <utility>

#include "csp/core.hpp"
#include "csp/detail/operation.hpp"
#include "csp/frame_pool.hpp"

namespace csp::detail {

/// The part of a channel that does not depend on what it carries.
class channel_base {
  public:
    explicit channel_base(std::source_location made) : made_(made) {}
    channel_base(const channel_base&) = delete;
    channel_base& operator=(const channel_base&) = delete;

    /// Whether input() would return at once: a message waits, or the channel is closed.
    [[nodiscard]] bool ready_to_input() const { return waiting_ >= party::writers; }
    [[nodiscard]] bool has_message() const { return waiting_ == party::writers; }
    [[nodiscard]] bool closed() const { return waiting_ == party::end; }

    /// As enable(), but only a message fires `alt`, and not the closing of the channel.
    void enable_while_open(alternative_operation& alt)
    {
        enable(alt);
        closes_silently_ = true;
    }
    void enable(alternative_operation& alt)
    {
        CSP_CHECK(waiting_ == party::nobody, "a channel has one reader at a time: claim a shared end to ALT on it");
        waiting_ = party::alternative;
        queue_.begin_with(alt);
        last_reader_ = alt.who;
        closes_silently_ = false;
    }
    void disable() noexcept
    {
        if (waiting_ == party::alternative) waiting_ = party::nobody;
    }

    /// Removes the operations of `who`, which do not take place.
    void forget(const record& who);

    [[nodiscard]] std::source_location made() const { return made_; }
    [[nodiscard]] const record* last_reader() const { return last_reader_; }
    [[nodiscard]] const record* last_writer() const { return last_writer_; }
    /// Marks it as part of a bridge. Its writers may be on other cores, so the post-mortem cannot show them.
    void be_bridged() { bridged_ = true; }
    [[nodiscard]] bool bridged() const { return bridged_; }
    [[nodiscard]] std::uint32_t readers() const { return readers_; }
    [[nodiscard]] std::uint32_t writers() const { return writers_; }

    /// The turns of a shared side. Allocated by the first claim; most channels never need them.
    struct turns {
        operation_queue line;  // claims and plain communications, in the order of arrival
        bool claimed = false;
        [[nodiscard]] bool idle() const { return !claimed && line.empty(); }
    };
    struct turns_of_both_sides : pooled {
        turns reading;
        turns writing;
    };
    /// Takes the memory for turns from `spare`, if it has none yet. For a claim that arrives by mail: there an
    /// allocation must not fail.
    void adopt_turns(std::unique_ptr<turns_of_both_sides>& spare) noexcept
    {
        if (turns_ == nullptr) turns_ = spare.release();
    }

  protected:
    enum class party : std::uint8_t {
        nobody,
        readers,
        alternative,
        writers,
        end,  // closed: nobody waits, and there are no writers any more
    };

    ~channel_base() { delete turns_; }
    turns_of_both_sides& taking_turns()
    {
        if (turns_ == nullptr) turns_ = new turns_of_both_sides;
        return *turns_;
    }

    [[nodiscard]] alternative_operation& alternative() const
    {
        return static_cast<alternative_operation&>(queue_.first());
    }

    // 64 bytes, beginning with the members that every communication reads. This saves 1 ns per communication in a ring
    // of 1000 processes, whose channels do not fit into the first-level cache.
    operation_queue queue_;  // of readers, of writers, or one ALT: see waiting_; meaningful only while one waits
    party waiting_ = party::nobody;
    bool bridged_ = false;
    bool closes_silently_ = false;  // closing does not fire the ALT; meaningful while an ALT waits
    bool has_chan_ = true;          // the chan object exists and uses this
    std::uint32_t writers_ = 1;     // existing ends; until it is handed out, the chan has the first of each kind
    std::uint32_t readers_ = 1;
    turns_of_both_sides* turns_ = nullptr;
    // The last users, for the post-mortem; they may have ended since. An ordinary operation is the only one on its
    // side, so while it waits, this is its process. Taking it from here avoids a load from the frame, which is often
    // not in the first-level cache.
    record* last_reader_ = nullptr;
    record* last_writer_ = nullptr;
    std::source_location made_;
};

template <class T>
struct output_operation : operation {
    T message;
    explicit output_operation(T&& m) noexcept : message(std::move(m)) {}
};

/// The place of a message in the reader's frame. It is not a std::optional: one of a small T would be copied by one
/// wide load just after two narrow stores, which a processor cannot forward. That would cost about 4 ns per message.
template <class T>
class arrival {
  public:
    arrival() noexcept {}
    arrival(const arrival&) = delete;
    arrival& operator=(const arrival&) = delete;
    ~arrival()
    {
        if (full_) std::destroy_at(&message_);
    }
    void fill(T&& message) noexcept
    {
        std::construct_at(&message_, std::move(message));
        full_ = true;
    }
    std::optional<T> take() noexcept
    {
        if (full_) return std::optional<T>(std::move(message_));
        return std::nullopt;
    }

  private:
    union {
        T message_;
    };
    bool full_ = false;
};

template <class T>
struct input_operation : operation {
    arrival<T> message;
};

template <class T>
struct extended_operation : input_operation<T> {
    operation* writer = nullptr;  // the one that is held
    extended_operation() { this->become(operation::extended); }
};

template <class T>
class channel : public channel_base, public pooled {
  public:
    using channel_base::channel_base;

    // A party first calls offer() or accept(), and waits only if that returns false.

    // Both are always inlined. Otherwise the compiler makes calls of them in a process with several communications,
    // which made commstime 3 ns slower.

    /// Returns true if the output is done; op.accepted then says whether the reader has the message. Returns false if
    /// the writer must wait.
    [[gnu::always_inline]] bool offer(output_operation<T>& op)
    {
        last_writer_ = op.who;
        if (waiting_ == party::readers) {
            auto& reader = static_cast<input_operation<T>&>(queue_.first());
            reader.message.fill(std::move(op.message));
            op.accepted = true;
            if (!reader.is_ordinary()) [[unlikely]]
                return serve_reader(op);
            waiting_ = party::nobody;
            core::here().ready(*last_reader_);  // see last_reader_
            return true;
        }
        return readers_ == 0;
    }
    void wait_for_reader(output_operation<T>& op)
    {
        if (op.is(operation::held)) [[unlikely]]
            return;
        if (waiting_ == party::alternative) alternative().fire();
        wait_as(party::writers, op);
    }

    /// Returns true if the input is done; if it has no message, the channel is closed. Returns false if the reader must
    /// wait.
    [[gnu::always_inline]] bool accept(input_operation<T>& op)
    {
        last_reader_ = op.who;
        if (waiting_ == party::writers) {
            auto& writer = static_cast<output_operation<T>&>(queue_.first());
            op.message.fill(std::move(writer.message));
            writer.accepted = true;
            if (!writer.is_ordinary() || !op.is_ordinary()) [[unlikely]] {
                serve_writer(op);
            } else {
                waiting_ = party::nobody;
                core::here().ready(*last_writer_);
            }
            return true;
        }
        return waiting_ == party::end;
    }
    void wait_for_writer(input_operation<T>& op)
    {
        CSP_CHECK(waiting_ != party::alternative, "a channel has one reader at a time");
        wait_as(party::readers, op);
    }

    // The same for shared ends: an operation waits in line behind earlier claims.

    bool offer_in_turn(output_operation<T>& op)
    {
        if (turns_ != nullptr && !turns_->writing.idle()) [[unlikely]]
            return false;
        return offer(op);
    }
    void wait_for_reader_in_turn(output_operation<T>& op)
    {
        if (turns_ != nullptr && !turns_->writing.idle()) [[unlikely]] {
            turns_->writing.line.push(op);
        } else {
            wait_for_reader(op);
        }
    }
    bool accept_in_turn(input_operation<T>& op)
    {
        if (turns_ != nullptr && !turns_->reading.idle()) [[unlikely]]
            return false;
        return accept(op);
    }
    void wait_for_writer_in_turn(input_operation<T>& op)
    {
        if (turns_ != nullptr && !turns_->reading.idle()) [[unlikely]] {
            turns_->reading.line.push(op);
        } else {
            wait_for_writer(op);
        }
    }

    bool claim_writing() { return claim(taking_turns().writing, party::writers); }
    void wait_to_write(operation& op) { turns_->writing.line.push(op); }
    void release_writing()
    {
        turns_->writing.claimed = false;
        next_writers();
    }
    bool claim_reading() { return claim(taking_turns().reading, party::readers); }
    void wait_to_read(operation& op) { turns_->reading.line.push(op); }
    void release_reading()
    {
        turns_->reading.claimed = false;
        next_readers();
    }

    // Adding and removing ends.

    void add_writer()
    {
        CSP_CHECK(writers_ > 0, "all writing ends of this channel are gone: it is closed for good");
        ++writers_;
    }
    void add_reader()
    {
        CSP_CHECK(readers_ > 0, "all reading ends of this channel are gone: it is closed for good");
        ++readers_;
    }
    void drop_chan()
    {
        has_chan_ = false;
        free_if_unreachable();
    }
    void drop_writer()
    {
        if (--writers_ > 0) return;
        if (readers_ == 0) {
            free_if_unreachable();
            return;
        }
        if (waiting_ == party::alternative && !closes_silently_) alternative().fire();
        // A reader that is made ready without a message learns from this that the channel is closed.
        while (waiting_ == party::readers) {
            operation& reader = queue_.pop();
            if (queue_.empty()) readers_served();
            reader.complete();
        }
        waiting_ = party::end;
    }
    void drop_reader()
    {
        if (--readers_ > 0) return;
        if (writers_ == 0) {
            free_if_unreachable();
        } else {
            while (waiting_ == party::writers) {
                operation& writer = queue_.pop();
                if (queue_.empty()) writers_served();
                writer.complete();
            }
        }
    }

  private:
    void wait_as(party mine, operation& op)
    {
        if (waiting_ == mine) [[unlikely]] {
            queue_.push(op);
        } else {
            queue_.begin_with(op);
            waiting_ = mine;
        }
    }

    // Called after the message was moved, if one of the two operations is not ordinary. These two functions preserve
    // all registers, so that a process which only communicates need not save registers each time it is resumed.

    [[clang::preserve_most, gnu::noinline]] bool serve_reader(operation& op)
    {
        operation& reader = queue_.pop();
        if (queue_.empty()) readers_served();
        const bool holds = reader.is(operation::extended);
        if (holds) {
            op.become(operation::held);
            static_cast<extended_operation<T>&>(reader).writer = &op;
        }
        reader.complete();
        return !holds;
    }
    [[clang::preserve_most, gnu::noinline]] void serve_writer(operation& op)
    {
        operation& writer = queue_.pop();
        if (queue_.empty()) writers_served();
        if (op.is(operation::extended)) {
            static_cast<extended_operation<T>&>(op).writer = &writer;
        } else {
            writer.complete();
        }
    }
    void free_if_unreachable()
    {
        if (writers_ == 0 && readers_ == 0 && !has_chan_) delete this;
    }
    bool claim(turns& side, party mine)
    {
        if (!side.idle() || waiting_ == mine) return false;
        side.claimed = true;
        return true;
    }

    void readers_served()
    {
        waiting_ = party::nobody;
        if (turns_ != nullptr) [[unlikely]]
            next_readers();
    }
    void writers_served()
    {
        waiting_ = party::nobody;
        if (turns_ != nullptr) [[unlikely]]
            next_writers();
    }

    /// Starts the operations at the front of the line that may now take place: plain communications up to the next
    /// claim, or one claim.
    void next_writers()
    {
        turns& side = turns_->writing;
        while (!side.claimed && !side.line.empty()) {
            if (side.line.first().is(operation::is_claim)) {
                if (waiting_ == party::writers) return;
                side.claimed = true;
                side.line.pop().complete();
            } else {
                auto& op = static_cast<output_operation<T>&>(side.line.pop());
                if (offer(op)) {
                    op.complete();
                } else {
                    wait_for_reader(op);
                }
            }
        }
    }
    void next_readers()
    {
        turns& side = turns_->reading;
        while (!side.claimed && !side.line.empty()) {
            if (side.line.first().is(operation::is_claim)) {
                if (waiting_ == party::readers) return;
                side.claimed = true;
                side.line.pop().complete();
            } else {
                auto& op = static_cast<input_operation<T>&>(side.line.pop());
                if (accept(op)) {
                    op.complete();
                } else {
                    wait_for_writer(op);
                }
            }
        }
    }
};

}  // namespace csp::detail
