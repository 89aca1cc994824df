// SPDX-License-Identifier: MIT
//
// Channels: unbuffered and synchronous. When output() returns, the reader has the message. Whichever party comes
// second moves the message straight from the writer's frame to the reader's, makes the first party ready and goes on
// running; so a communication costs one switch and never allocates.
//
//   chan<T> c;                    a channel; hands out its ends
//   c.rx()  in<T>                 the only reading end    c.shared_rx()  shared_in<T>    copies claim in turn
//   c.tx()  out<T>                the only writing end    c.shared_tx()  shared_out<T>
//
// Closing is an event of the channel: when the last writing end is gone input() yields an empty optional, when the
// last reading end is gone output() yields false. All ends of a channel live on one core (for two, see bridge.hpp).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>
#include <utility>

#include "csp/core.hpp"
#include "csp/mobile.hpp"

namespace csp {

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

/// A process waiting in an ALT, on this core. Guards that become ready fire it, once.
struct alternative_operation : operation {
    bool fired = false;
    void fire()
    {
        if (fired) return;
        fired = true;
        core::here().ready(*who);
    }
};

/// The part of a channel that does not depend on what it carries.
class channel_base {
  public:
    explicit channel_base(std::source_location made) : made_(made) {}
    channel_base(const channel_base&) = delete;
    channel_base& operator=(const channel_base&) = delete;

    /// Whether input() would not wait: a message waits, or none can come any more.
    [[nodiscard]] bool ready_to_input() const { return waiting_ >= party::writers; }

    void enable(alternative_operation& alt)
    {
        CSP_CHECK(waiting_ == party::nobody, "a channel has one reader at a time: claim a shared end to ALT on it");
        waiting_ = party::alternative;
        queue_.begin_with(alt);
        last_reader_ = alt.who;
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

  protected:
    enum class party : std::uint8_t {
        nobody,
        readers,
        alternative,
        writers,
        end,  // nobody, and no writer can come any more
    };

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
    bool has_chan_ = true;       // the chan object lives, and may yet hand out an end or check that it must not
    std::uint32_t writers_ = 1;  // ends that live; the first of each is with the chan until it is handed out
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
        if (waiting_ == party::alternative) alternative().fire();
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

enum class sharing : std::uint8_t { one, many };

// ---- what co_await gets

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

    // For par(): the same in company. Yields whether there is something to wait for.
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

/// The message of an extended rendezvous, occam's `??`. The writer waits until this scope ends, however it ends.
/// Empty when the channel is closed.
template <class T>
class [[nodiscard("the writer is released when this scope ends")]] extended {
  public:
    extended(std::optional<T>&& message, operation* writer) noexcept : message_(std::move(message)), writer_(writer) {}
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
    operation* writer_;
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

// ---- ends

/// The reading end of a channel. Move-only; destroying it tells the writers.
template <mobile T>
class in {
  public:
    in() = default;
    explicit in(channel<T>& c) noexcept : channel_(&c) {}
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
        return input_awaiter<T, sharing::one>(*channel_, where);
    }
    auto extended_input(std::source_location where = std::source_location::current())
    {
        return extended_awaiter<T>(*channel_, where);
    }
    explicit operator bool() const { return channel_ != nullptr; }
    [[nodiscard]] channel_base* guarded() const { return channel_; }

  private:
    channel<T>* channel_ = nullptr;
};

/// The writing end of a channel. Move-only; destroying it ends the reader's input.
template <mobile T>
class out {
  public:
    out() = default;
    explicit out(channel<T>& c) noexcept : channel_(&c) {}
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
        return output_awaiter<T, sharing::one>(*channel_, std::move(message), where);
    }
    explicit operator bool() const { return channel_ != nullptr; }

  private:
    channel<T>* channel_ = nullptr;
};

/// A turn at a shared reading end, with the verbs of in<T>. It ends with its scope.
template <class T>
class [[nodiscard("the claim ends with this scope")]] claimed_in {
  public:
    explicit claimed_in(channel<T>& c) : channel_(&c) { c.add_reader(); }
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
        return input_awaiter<T, sharing::one>(*channel_, where);
    }
    auto extended_input(std::source_location where = std::source_location::current())
    {
        return extended_awaiter<T>(*channel_, where);
    }
    [[nodiscard]] channel_base* guarded() const { return channel_; }

  private:
    channel<T>* channel_;
};

/// A turn at a shared writing end, with the verbs of out<T>. It ends with its scope.
template <class T>
class [[nodiscard("the claim ends with this scope")]] claimed_out {
  public:
    explicit claimed_out(channel<T>& c) : channel_(&c) { c.add_writer(); }
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
        return output_awaiter<T, sharing::one>(*channel_, std::move(message), where);
    }

  private:
    channel<T>* channel_;
};

/// Waits for a turn: first come, first served.
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

/// A reading end that many hold. Each message goes to one of them: to whoever has waited longest.
template <mobile T>
class shared_in {
  public:
    explicit shared_in(channel<T>& c) noexcept : channel_(&c) {}
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
        return input_awaiter<T, sharing::many>(*channel_, where);
    }
    /// Waits for a turn, in which several messages can be taken or an ALT made.
    auto claim(std::source_location where = std::source_location::current())
    {
        return claim_awaiter<T, claimed_in<T>>(*channel_, where);
    }

  private:
    channel<T>* channel_;
};

/// A writing end that many hold.
template <mobile T>
class shared_out {
  public:
    explicit shared_out(channel<T>& c) noexcept : channel_(&c) {}
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
        return output_awaiter<T, sharing::many>(*channel_, std::move(message), where);
    }
    /// Waits for a turn, in which several messages can be sent with none of another writer's between.
    auto claim(std::source_location where = std::source_location::current())
    {
        return claim_awaiter<T, claimed_out<T>>(*channel_, where);
    }

  private:
    channel<T>* channel_;
};

/// A channel that hands out its ends. What it has not handed out closes when it goes, so a forgotten end cannot hang
/// the other side. Once an end is handed out, this keeps none itself: a channel closes while its chan still lives.
template <mobile T>
class chan {
  public:
    explicit chan(std::source_location made = std::source_location::current()) : channel_(new channel<T>(made)) {}
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
    channel<T>* channel_;
    handed_out reading_ = handed_out::none;
    handed_out writing_ = handed_out::none;
};

}  // namespace csp
