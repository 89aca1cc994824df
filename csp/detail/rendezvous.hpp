// SPDX-License-Identifier: MIT
//
// How a message goes over. Whichever party comes second finds the first one's operation in the channel and moves the
// message between the two frames; the first one waits with its operation queued. Read channel::offer and
// wait_for_reader, then accept and wait_for_writer, which are the same for the other side. The rest is turns at shared
// ends, extended inputs and closing, all kept off the path of an ordinary communication.
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

    /// Whether input() would not wait: a message waits, or none can come any more.
    [[nodiscard]] bool ready_to_input() const { return waiting_ >= party::writers; }
    [[nodiscard]] bool has_message() const { return waiting_ == party::writers; }
    [[nodiscard]] bool closed() const { return waiting_ == party::end; }

    /// `alt` is fired by a message. Not by the closing of the channel, which only ends its waiting here.
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

    /// Removes what `who` waits for here, without its taking place.
    void forget(const record& who);

    [[nodiscard]] std::source_location made() const { return made_; }
    [[nodiscard]] const record* last_reader() const { return last_reader_; }
    [[nodiscard]] const record* last_writer() const { return last_writer_; }
    /// Its writers may live on other cores, of whom nothing is known here.
    void be_bridged() { bridged_ = true; }
    [[nodiscard]] bool bridged() const { return bridged_; }
    [[nodiscard]] std::uint32_t readers() const { return readers_; }
    [[nodiscard]] std::uint32_t writers() const { return writers_; }

    /// The turns of a shared side. Taken into use by the first claim; most channels never have one.
    struct turns {
        operation_queue line;  // claims and plain communications, in the order they came
        bool claimed = false;
        [[nodiscard]] bool idle() const { return !claimed && line.empty(); }
    };
    struct turns_of_both_sides : pooled {
        turns reading;
        turns writing;
    };
    /// Takes the turns from `spare`, if it has none yet and there is one. For a claim that arrives by mail, where an
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
        end,  // nobody, and no writer can come any more
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

    // 64 bytes, and what every communication reads comes first: a ring of 1000 processes, whose channels are never in
    // the nearest cache, gains 1 ns a hop.
    operation_queue queue_;  // of readers or of writers or one ALT, as waiting_ says; meaningful while it says so
    party waiting_ = party::nobody;
    bool bridged_ = false;
    bool closes_silently_ = false;  // meaningful while an ALT waits
    bool has_chan_ = true;          // the chan object lives, and may yet hand out an end or check that it must not
    std::uint32_t writers_ = 1;     // ends that live; the first of each is with the chan until it is handed out
    std::uint32_t readers_ = 1;
    turns_of_both_sides* turns_ = nullptr;
    // For the post-mortem; each may have ended since. But an ordinary operation is alone at its side, so while one
    // waits this is who: known without a look into its frame, which a run of many processes has not in the nearest
    // cache.
    record* last_reader_ = nullptr;
    record* last_writer_ = nullptr;
    std::source_location made_;
};

template <class T>
struct output_operation : operation {
    T message;
    explicit output_operation(T&& m) noexcept : message(std::move(m)) {}
};

/// Where a message arrives. A std::optional of a small T would be returned by one load just after the two stores that
/// filled it, which a processor cannot forward: some 4 ns a message.
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
    operation* writer = nullptr;  // held
    extended_operation() { this->become(operation::extended); }
};

template <class T>
class channel : public channel_base, public pooled {
  public:
    using channel_base::channel_base;

    // An arriving party first offers or accepts, and only when that yields false waits.

    // Both are inlined by order: left to itself the compiler calls them in a process of several communications, and
    // the call with its spills made commstime 3 ns slower.

    /// True: done, and whether op is accepted says how. False: the writer must wait.
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
            core::here().ready(*last_reader_);  // see there
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

    /// True: done; no message means that none will come any more. False: the reader must wait.
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

    // The shared sides: as above, but in turn with those who claimed before.

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

    // Ends come and go.

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
        // A waiting reader finds no message, which is how it learns of the end.
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

    // The message has gone over, and one of the two parties is out of the ordinary. These two save the registers that
    // they use: then a process that only communicates has none to save whenever it is resumed.

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

    /// Lets in from the line whoever may go now: plain communications until a claim, or one claim alone.
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
