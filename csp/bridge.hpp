// SPDX-License-Identifier: MIT
//
// Channels from core to core. A crossing is a type of its own, so that it can be seen in the wiring.
//
//   bridge<T> b(home);                  a channel that lives on its reader's core, `home`
//   b.rx()   in<T>                      an ordinary reading end: ALT, closing and all else work as ever
//   b.tx()   bridge_out<T>              a writing end; copies of it may live on any core and are served in turn
//
//   buffered_bridge<T> b(home, 1000);   one writer and one reader, and room for messages between them
//   b.rx()   buffered_in<T>             input() and ALT
//   b.tx()   buffered_out<T>            output() waits only for room
//
// Over a bridge an output is as synchronous as ever: it costs one mail to the reader's core and one back. A buffered
// bridge wakes the other side only when it sleeps, so a stream of messages crosses in batches.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "csp/alt.hpp"
#include "csp/barrier.hpp"
#include "csp/channel.hpp"
#include "csp/frozen.hpp"

namespace csp {

// ---- what may cross

/// Types that belong to one core, because what they share with others there is not locked.
template <class T>
inline constexpr bool stays_on_its_core = false;
template <class T>
inline constexpr bool stays_on_its_core<in<T>> = true;
template <class T>
inline constexpr bool stays_on_its_core<out<T>> = true;
template <class T>
inline constexpr bool stays_on_its_core<shared_in<T>> = true;
template <class T>
inline constexpr bool stays_on_its_core<shared_out<T>> = true;
template <class T>
inline constexpr bool stays_on_its_core<chan<T>> = true;
template <class T>
inline constexpr bool stays_on_its_core<frozen<T>> = true;
template <>
inline constexpr bool stays_on_its_core<barrier> = true;
template <class T>
inline constexpr bool stays_on_its_core<std::optional<T>> = stays_on_its_core<T>;
template <class T, class Allocator>
inline constexpr bool stays_on_its_core<std::vector<T, Allocator>> = stays_on_its_core<T>;
template <class... T>
inline constexpr bool stays_on_its_core<std::variant<T...>> = (stays_on_its_core<T> || ...);
template <class... T>
inline constexpr bool stays_on_its_core<std::tuple<T...>> = (stays_on_its_core<T> || ...);
template <class A, class B>
inline constexpr bool stays_on_its_core<std::pair<A, B>> = stays_on_its_core<A> || stays_on_its_core<B>;

/// What may be sent over a bridge.
template <class T>
concept crosses_cores = mobile<T> && !stays_on_its_core<T>;

// ---- bridge

namespace detail {

/// What the ends of a bridge share. Of the channel, only its own core touches anything.
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
        // Relaxed: whoever copies an end or hands out the first holds one already, and nothing is read because of it.
        const std::uint32_t before = writers_.fetch_add(1, std::memory_order_relaxed);
        CSP_CHECK(before > 0, "all writing ends of this bridge are gone: it is closed for good");
    }
    void drop_writer()
    {
        // Release and acquire, with each other: what the other ends did is over before the last of them closes.
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
            home_.post(releasing_);  // delivered before anybody else is given the turn, so one mail is enough
        }
    }
    /// The bridge is gone, and with it a reading end that it still had.
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
        // Release and acquire, with each other: both are done with this before it is deleted.
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
    std::atomic<std::uint32_t> writers_ = 1;  // the first is with the bridge until it is handed out
    std::atomic<std::uint32_t> holders_ = 2;  // the bridge, and the writing side until it has closed
    notice closing_{*this, [](mail& m) noexcept { static_cast<notice&>(m).of->close(); }};
    notice releasing_{*this, [](mail& m) noexcept { static_cast<notice&>(m).of->link_.release_writing(); }};
    notice unread_{*this, [](mail& m) noexcept {
                       crossing* const of = static_cast<notice&>(m).of;
                       of->link_.drop_reader();
                       of->let_go();
                   }};
};

/// A writer's errand to the reader's core: `Errand` is an operation with arrive(), which says whether it is done, and
/// enqueue(). It lives in the writer's frame, and the word that it is done is the writer's own record.
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
        to.post(*this);  // last: from here on the frame may be resumed, though only after this process has suspended
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
        if (waiting_) over_.link().forget(*this->who);  // only when everything ends at once
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

}  // namespace detail

/// A turn at a bridge, with the verbs of out<T>. It ends with its scope.
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
        return detail::bridge_output_awaiter<T, sharing::one>(*over_, std::move(message), where);
    }

  private:
    detail::crossing<T>* over_;
};

namespace detail {

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
        if (waiting_) over_.link().forget(*who);  // only when everything ends at once
    }
    bool await_ready() { return over_.is_here() && arrive(); }
    void await_suspend(std::coroutine_handle<> self)
    {
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
    bool arrive() { return over_.link().claim_writing(); }
    void enqueue() { over_.link().wait_to_write(*this); }

    crossing<T>& over_;
    std::source_location where_;
    parcel<bridge_claim_awaiter> parcel_;
    bool waiting_ = false;
};

/// Asks the reader's core whether anybody can still read.
template <class T>
class [[nodiscard("await it")]] bridge_question : operation {
  public:
    bridge_question(crossing<T>& over, std::source_location where) noexcept : over_(over), where_(where) {}
    bridge_question(const bridge_question&) = delete;
    bridge_question& operator=(const bridge_question&) = delete;

    bool await_ready() { return over_.is_here() && arrive(); }
    void await_suspend(std::coroutine_handle<> self)
    {
        who = &park(self, wait::bridge, over_.made(), where_);
        parcel_.send(over_.home(), *this);
    }
    [[nodiscard]] bool await_resume() const { return has_reader_; }

  private:
    friend parcel<bridge_question>;
    bool arrive()
    {
        has_reader_ = over_.link().readers() > 0;
        return true;
    }
    static void enqueue() {}  // it is answered when it arrives

    crossing<T>& over_;
    std::source_location where_;
    parcel<bridge_question> parcel_;
    bool has_reader_ = false;
};

}  // namespace detail

/// A writing end of a bridge. It may be copied, and its copies may live on any core.
template <crosses_cores T>
class bridge_out {
  public:
    explicit bridge_out(detail::crossing<T>& over) noexcept : over_(&over) {}
    bridge_out(const bridge_out& other) : over_(other.over_) { over_->add_writer(); }
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
        return detail::bridge_output_awaiter<T, sharing::many>(*over_, std::move(message), where);
    }
    /// Waits for a turn, in which several messages can be sent with none of another writer's between.
    auto claim(std::source_location where = std::source_location::current())
    {
        return detail::bridge_claim_awaiter<T>(*over_, where);
    }
    /// Whether the reading end still lives: for a writer whose message would be dear to make, and is wanted by nobody
    /// else. It may be gone by the time of the output, which will say so.
    auto has_reader(std::source_location where = std::source_location::current())
    {
        return detail::bridge_question<T>(*over_, where);
    }

  private:
    detail::crossing<T>* over_;
};

/// A channel whose writers may live on other cores than its reader. Like a chan it closes when the ends that it has
/// handed out are gone, and what it has not handed out goes with it.
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

    /// The reading end, to be given to a process of the reader's core.
    [[nodiscard]] in<T> rx()
    {
        CSP_CHECK(reading_ == handed_out::no, "the reading end was handed out already");
        reading_ = handed_out::yes;
        return in<T>(over_->link());
    }
    /// A writing end. As with a chan, the last of them closes the bridge for good.
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

// ---- buffered bridge

namespace detail {

/// The ring between the two ends of a buffered bridge. The count of messages ever written belongs to the writer, the
/// count of those ever read to the reader; each looks at the other's only when, by what it last saw of it, the ring
/// is full or empty.
template <class T>
class stream {
  public:
    stream(core& reader_home, std::size_t capacity, std::source_location made)
        : home_(reader_home),
          made_(made),
          // Twice as much as asked for: the reader reports only every half ring, and what it has not reported yet
          // must not count against the writer.
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
        // Acquire: pairs with the store in drop_reader(). An output that misses it is as one made just before.
        return reader_gone_.load(std::memory_order_acquire);
    }
    [[nodiscard]] bool has_room()
    {
        if (at_ - reported_as_seen_ < size_) return true;
        // Sequentially consistent: the second half of wait_for_room()'s "I wait; is there still no room?". As an
        // acquire it pairs with report(): the slot has been emptied.
        reported_as_seen_ = reported_.load(std::memory_order_seq_cst);
        return at_ - reported_as_seen_ < size_;
    }
    /// REQUIRES: has_room().
    void write(T&& message)
    {
        std::construct_at(&slots_[at_ & (size_ - 1)].message, std::move(message));
        ++at_;
        // Release for the message, pairing with the loads of written_ by the reader. Sequentially consistent for the
        // line after it: either we see the reader asleep, or the reader, which looks once more after saying that it
        // sleeps, sees the message.
        written_.store(at_, std::memory_order_seq_cst);
        call_a_sleeper();
    }
    /// Yields whether `writer` must really wait; it is made ready when there is room or nobody reads any more.
    bool wait_for_room(record& writer)
    {
        waiting_writer_ = &writer;
        // Release for the line above. Sequentially consistent against report() and drop_reader(): they see us wait, or
        // we see what they did.
        waits_to_write_.store(at_ + 1, std::memory_order_seq_cst);
        if (!has_room() && !reader_gone_.load(std::memory_order_seq_cst)) return true;
        return !stop_waiting();  // if not we, the reader took it back, and its mail is under way
    }
    bool stop_waiting()
    {
        // Relaxed: against the reader's exchange, it only decides which of the two ends the waiting.
        return waits_to_write_.exchange(0, std::memory_order_relaxed) != 0;
    }
    void drop_writer()
    {
        writer_gone_.store(true, std::memory_order_seq_cst);  // as written_ in write()
        call_a_sleeper();
        let_go();
    }

    // -- the reader's side

    /// Whether input() would not wait: a message is there, or none can come any more.
    [[nodiscard]] bool ready_to_input()
    {
        if (has_message()) return true;
        // Sequentially consistent: part of attend()'s second look. As an acquire it pairs with drop_writer().
        if (!writer_gone_.load(std::memory_order_seq_cst)) return false;
        (void)has_message();  // one more look, for what was written between the first and the end
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
    /// `who` is fired when ready_to_input(), which may be at once.
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
        // Relaxed: nothing follows from it. If the writer has called already, its mail finds no listener.
        reader_.compare_exchange_strong(asleep, attention::awake, std::memory_order_relaxed);
    }
    void drop_reader()
    {
        reader_gone_.store(true, std::memory_order_seq_cst);  // against wait_for_room()
        // Acquire: of waiting_writer_, from wait_for_room().
        if (waits_to_write_.exchange(0, std::memory_order_acq_rel) != 0) make_ready(*waiting_writer_);
        let_go();
    }

    // -- fairness: a message that need not be waited for must not keep everybody else on the core waiting

    [[nodiscard]] bool writer_may_go_on() { return (++outputs_in_a_row_ & (longest_run - 1)) != 0; }
    [[nodiscard]] bool reader_may_go_on() { return (++inputs_in_a_row_ & (longest_run - 1)) != 0; }

    void let_go()
    {
        // Release and acquire, with each other: all are done with this before it is deleted.
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
        // Relaxed, for the reader learns everything through the mailbox; the exchange only decides that we call once.
        if (!reader_.compare_exchange_strong(asleep, attention::called, std::memory_order_relaxed)) return;
        holders_.fetch_add(1, std::memory_order_relaxed);  // the writer holds this itself, so it cannot vanish
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
        // Relaxed: only the reader leaves this state, in called(), which will look again.
        if (reader_.load(std::memory_order_relaxed) == attention::called) return;
        // Sequentially consistent, and then a second look: see write() and drop_writer().
        reader_.store(attention::asleep, std::memory_order_seq_cst);
        if (ready_to_input()) listener_->fire();
    }
    bool has_message()
    {
        if (taken_ != written_as_seen_) return true;
        // Acquire of the messages, pairing with write(); sequentially consistent for attend()'s second look.
        written_as_seen_ = written_.load(std::memory_order_seq_cst);
        return taken_ != written_as_seen_;
    }
    void report()
    {
        // Release: the slots are empty; pairs with has_room(). Sequentially consistent against wait_for_room().
        reported_.store(taken_, std::memory_order_seq_cst);
        std::uint64_t waits = waits_to_write_.load(std::memory_order_seq_cst);  // after the store
        // A writer that has seen this report and filled the ring again goes on waiting, for the next one.
        if (waits == 0 || waits - 1 - taken_ >= size_) return;
        // Acquire: of waiting_writer_, from wait_for_room(). If it fails, the writer itself has found the room.
        if (waits_to_write_.compare_exchange_strong(waits, 0, std::memory_order_acquire, std::memory_order_relaxed)) {
            make_ready(*waiting_writer_);
        }
    }

    // Four cache lines: what never changes, what the writer writes, what the reader writes, and what changes only when
    // somebody sleeps or leaves.
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
            over_.stop_waiting();  // only when everything ends at once
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
            over_.stop_listening();  // only when everything ends at once
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

}  // namespace detail

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
        [[nodiscard]] static std::size_t size() { return 1; }
        [[nodiscard]] std::uint32_t count_ready() const { return over_->ready_to_input() ? 1 : 0; }
        [[nodiscard]] selection ready_one(std::uint32_t /*k*/, std::size_t position) const { return {over_, position}; }
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

    /// Waits until there is room for the message. True: it is in the buffer, and only the reader's leaving can keep it
    /// from arriving. False: the reading end is gone and the message was destroyed.
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

    /// The reading end, to be given to a process of the reader's core.
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
