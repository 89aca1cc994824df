// SPDX-License-Identifier: MIT
//
// The scheduler of one processor core. A process lives on the core where it was started and never leaves it, so
// nothing on this page needs a lock; only the mailbox is touched by other threads.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <source_location>
#include <span>
#include <vector>

#include "csp/check.hpp"
#include "csp/frame_pool.hpp"

namespace csp {

class core;
namespace detail {
struct family;
class timer_queue;
}  // namespace detail

using duration = std::chrono::nanoseconds;
using time_point = std::chrono::time_point<std::chrono::steady_clock, duration>;

/// What a process is doing when it does not run; each tells the post-mortem how to read `record::awaits`.
enum class wait : std::uint8_t {
    nothing,
    input,
    output,
    outputs,  // several at once
    extended,
    alternative,
    claim,
    timer,
    join,
    barrier,
    bridge,
    kernel
};

namespace detail {

/// Something that another core puts into a core's mailbox; `deliver` runs on the core that receives it.
struct mail {
    mail* next = nullptr;
    void (*deliver)(mail&) noexcept = nullptr;
};

}  // namespace detail

/// What the runtime knows of a process: occam's workspace descriptor. It is the first part of the process's frame.
/// While the process is ready, `next` links the run queue; while word for it crosses to its core, the mailbox, and to
/// deliver it is to make it ready.
struct record : detail::mail {
    record() noexcept { deliver = make_ready_here; }
    static void make_ready_here(detail::mail& m) noexcept;

    // `awaits` and `where` do not stand together: they are copied from fields that do, and a copy of both at once
    // would be one wide load just after two narrow stores, which a processor cannot forward.
    std::coroutine_handle<> resume_point;
    const void* awaits = nullptr;  // a channel, a family, a barrier, or for wait::kernel the call's name
    core* home = nullptr;
    std::uint32_t number = 0;  // counts the processes of its core
    wait state = wait::nothing;
    bool faulted = false;        // so far, with the frame's own two pointers, the 64 bytes that a switch reads
    std::source_location where;  // of the co_await in which it waits
    detail::family* owner = nullptr;
    record* older = nullptr;  // neighbours in the core's list of the living
    record* younger = nullptr;
    const char* name = nullptr;  // as the compiler spells the coroutine, or as given with process::named
};

/// Where a pending timer's place in the queue comes from.
enum class room : std::uint8_t {
    any,      // setting it may need memory
    reserved  // by timer_queue::reserve(), so that setting it cannot fail
};

/// A moment at which something happens; kept in the core's queue while it is pending. Not movable: the queue points
/// at it.
class timer {
  public:
    explicit timer(void (*expired)(timer&) noexcept, room from = room::any) : expired_(expired), room_(from) {}
    timer(const timer&) = delete;
    timer& operator=(const timer&) = delete;
    ~timer();

    [[nodiscard]] bool pending() const { return position_ != not_queued; }

  private:
    friend class detail::timer_queue;
    static constexpr std::uint32_t not_queued = ~std::uint32_t{0};
    void (*expired_)(timer&) noexcept;
    std::uint32_t position_ = not_queued;
    room room_;
};

namespace detail {

/// Pending timers, the soonest first: a heap of four children a node, whose entries know their timers and whose
/// timers know their place, so that cancelling one of 100 000 touches a handful of cache lines.
class timer_queue {
  public:
    void set(timer& t, time_point at);
    void cancel(timer& t) noexcept;
    /// Keeps room for so many timers of room::reserved, until release().
    void reserve(std::size_t timers);
    void release(std::size_t timers) noexcept { reserved_ -= timers; }
    [[nodiscard]] bool empty() const { return heap_.empty(); }
    [[nodiscard]] time_point soonest() const { return heap_.front().at; }
    /// Runs every timer that is due at `now`.
    void expire(time_point now);

  private:
    struct entry {
        time_point at;
        std::uint64_t order;  // equal moments expire in the order they were set
        timer* who;
    };
    [[nodiscard]] static bool sooner(const entry& a, const entry& b)
    {
        return a.at != b.at ? a.at < b.at : a.order < b.order;
    }
    void make_room(std::size_t for_any, std::size_t for_reserved);
    void place(std::size_t position, const entry& e);
    void rise(std::size_t position, entry e);
    void sink(std::size_t position, entry e);

    std::vector<entry> heap_;
    std::size_t any_ = 0;       // pending timers without reserved room
    std::size_t reserved_ = 0;  // ENSURES: the capacity of the heap is at least any_ + reserved_
    std::uint64_t set_so_far_ = 0;
};

/// Numbers from a seed, good enough to be fair with: wyrand's step.
class random_numbers {
  public:
    explicit random_numbers(std::uint64_t seed) : state_(seed) {}
    /// Uniformly distributed below `n`, by Lemire's reduction without the rejection: its bias is below n / 2^32.
    [[nodiscard]] std::uint32_t below(std::uint32_t n)
    {
        state_ += 0xA0761D6478BD642FU;
        const auto product = static_cast<uint128>(state_) * (state_ ^ 0xE7037ED1A0B428DBU);
        const auto mixed =
            static_cast<std::uint32_t>(static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product));
        return static_cast<std::uint32_t>((std::uint64_t{mixed} * n) >> 32);
    }

  private:
    __extension__ using uint128 = unsigned __int128;
    std::uint64_t state_;
};

/// Where a fair ALT begins to look at its guards: behind the one that it took last. So they take turns, and one that
/// stays ready is taken within as many choices as there are guards.
///
/// The core keeps the places of the ALTs that it has met last, by a name that is not quite unique. An ALT whose place
/// was lost begins anywhere. So does one now and then in any case; otherwise two that are taken for one could set each
/// other's place so that a guard never has its turn.
class place_of_alt {
  public:
    place_of_alt() = default;

    [[nodiscard]] std::size_t next() const { return next_; }
    void took(std::size_t position) { next_ = position + 1; }

  private:
    friend class csp::core;
    static constexpr std::uint32_t rounds = 16;  // of turns, between two choices that begin anywhere

    std::uintptr_t name_ = 0;
    std::size_t next_ = 0;
    std::uint32_t left_ = 0;
};

}  // namespace detail

/// What lies outside the network of processes: the kernel's events. An I/O engine implements it; csp itself has one
/// that only sleeps. All but wake() are called by the core that owns it.
class neighbour {
  public:
    neighbour() = default;
    neighbour(const neighbour&) = delete;
    neighbour& operator=(const neighbour&) = delete;
    virtual ~neighbour() = default;

    /// Makes ready every process whose event has come, and does not block.
    virtual void poll() = 0;
    /// Blocks until an event has come, `until` is reached or wake() was called, then does as poll().
    virtual void wait(time_point until) = 0;
    /// Ends a wait() under way or the next one. From any thread.
    virtual void wake() noexcept = 0;
    /// Whether an event may yet come. When false and no process is ready, the network has gone quiet for good.
    [[nodiscard]] virtual bool expects_events() const = 0;
};

/// One scheduler. FIFO, as occam's; with a seed (in tests) the next process is drawn at random instead.
class core {
  public:
    struct options {
        unsigned index = 0;
        bool virtual_time = false;  // time moves only by advance()
        bool shuffled = false;      // draw the next process at random
        std::uint64_t seed = 0x9E3779B97F4A7C15U;
        duration spin{0};            // how long an idle core watches its mailbox before it sleeps
        bool ends_by_fault = false;  // a fault that nobody hears of ends the program, with exit code 1
    };

    explicit core(options how);
    core(const core&) = delete;
    core& operator=(const core&) = delete;
    ~core();

    /// The core of this thread. REQUIRES: the thread runs one.
    [[nodiscard]] static core& here() { return *here_; }
    [[nodiscard]] static core* here_or_null() { return here_; }
    /// Makes this the core of the calling thread, until the returned guard is destroyed.
    class residence {
      public:
        explicit residence(core& c) : previous_(here_) { here_ = &c; }
        residence(const residence&) = delete;
        residence& operator=(const residence&) = delete;
        ~residence() { here_ = previous_; }

      private:
        core* previous_;
    };

    [[nodiscard]] unsigned index() const { return how_.index; }
    /// The core of that index in the same kernel. REQUIRES: a kernel runs this core, and has that many.
    [[nodiscard]] core& sibling(unsigned index) const;
    [[nodiscard]] record* running() const { return running_; }

    /// Appends a process of this core to the run queue.
    void ready(record& r)
    {
        r.next = nullptr;
        *queue_end_ = &r;
        queue_end_ = &r.next;
    }
    [[nodiscard]] bool has_ready() const { return queue_ != nullptr; }

    /// Puts `m` into the mailbox and wakes the core if it sleeps. From any thread.
    void post(detail::mail& m) noexcept;

    /// Makes a started process one of this core's living, and ready.
    void enter(record& r);
    /// Takes an ending process out of the living.
    void leave(record& r) noexcept;
    [[nodiscard]] std::size_t population() const { return population_; }
    [[nodiscard]] std::uint64_t started() const { return started_; }
    [[nodiscard]] const record* oldest() const { return oldest_; }

    /// The time, taken at most once a round of the scheduler: monotonic, at most a round old.
    [[nodiscard]] time_point now()
    {
        if (!clock_read_) read_clock();
        return now_;
    }
    [[nodiscard]] detail::timer_queue& timers() { return timers_; }
    /// A uniformly distributed number below `n`; from the seed, so a test's choices can be repeated.
    [[nodiscard]] std::uint32_t random_below(std::uint32_t n) { return random_.below(n); }

    /// The place of a fair ALT over `all` guards. With options::shuffled it is drawn each time.
    [[nodiscard]] detail::place_of_alt& place_of(std::uintptr_t name, std::size_t all)
    {
        detail::place_of_alt& place =
            places_[static_cast<std::size_t>(std::uint64_t{name} * 0x9E3779B97F4A7C15U >> 58)];
        if (place.name_ != name || place.left_ == 0) [[unlikely]]
            begin_anywhere(place, name, all);
        --place.left_;
        if (place.next_ >= all) place.next_ = 0;
        return place;
    }

    [[nodiscard]] neighbour* outside() const { return outside_; }
    void set_outside(neighbour* n) { outside_ = n; }

    /// For the kernel: who the siblings are.
    void join(const std::vector<std::unique_ptr<core>>& all) { siblings_ = &all; }

    /// Runs what is ready, at most a round of it, with the mail and the timers that came in before.
    /// Returns whether anything happened.
    bool run_round();
    /// Nothing is ready: watches the mailbox for as long as options::spin says. Yields whether mail has come.
    [[nodiscard]] bool watch_mailbox() const;
    /// Nothing is ready: sleeps and waits for mail, timers or the neighbour until `until` at the latest.
    void wait(time_point until);
    /// Whether something can still happen without another core's doing.
    [[nodiscard]] bool expects_anything() const;
    [[nodiscard]] bool mail_waits() const { return mailbox_.load(std::memory_order_seq_cst) != nullptr; }

    /// Delivers what is in the mailbox. Yields whether there was anything.
    bool collect_mail();

    /// Virtual time only.
    void advance(time_point to);

    /// Ends every living process where it waits, the youngest first: its frame is destroyed and its ends close, and
    /// nobody is told. For networks that have gone quiet and will never end by themselves. The first form is for a
    /// core that is alone, the second for several whose threads have stopped.
    void end_all();
    static void end_all(std::span<const std::unique_ptr<core>> cores);
    /// Ends one where it waits, as if it had faulted there: its ends close and its owner is told. For tests.
    /// REQUIRES: it waits, and not for the kernel.
    void end_by_fault(record& r);
    [[nodiscard]] bool ending_all() const { return ending_all_; }

    /// Hears of every process that ended by an exception: its name, and what the exception said. The default writes
    /// a line to standard error.
    using fault_listener = void (*)(const record&, const char* what) noexcept;
    void set_fault_listener(fault_listener f) { fault_listener_ = f; }
    void report_fault(const record& r, const char* what) const noexcept { fault_listener_(r, what); }
    /// A fault has been reported to a family that has none above it.
    void fault_unheard(const char* name) const noexcept;

    /// Asked for by a signal handler, done by the core at its next round. From any thread and any handler.
    void request_post_mortem() noexcept;

  private:
    // REQUIRE: has_ready().
    record& take_next();
    record& take_at_random();
    void run(record& next);
    void read_clock();
    void begin_anywhere(detail::place_of_alt& place, std::uintptr_t name, std::size_t all);
    void end_living();
    static void forget_wait(const record& r);
    void forget_ready()
    {
        queue_ = nullptr;
        queue_end_ = &queue_;
    }

    static constinit thread_local core* here_;

    detail::mail* queue_ = nullptr;  // records only; linked through their mail part
    detail::mail** queue_end_ = &queue_;
    record* running_ = nullptr;
    time_point now_;
    options how_;
    detail::random_numbers random_;
    detail::timer_queue timers_;
    neighbour* outside_ = nullptr;
    const std::vector<std::unique_ptr<core>>* siblings_ = nullptr;
    record* oldest_ = nullptr;
    record* youngest_ = nullptr;
    std::size_t population_ = 0;
    std::uint64_t started_ = 0;
    fault_listener fault_listener_;
    bool clock_read_ = false;  // in this round
    bool ending_all_ = false;

    // The mailbox: a stack that many push and one takes whole. States of `sleeping_`: false, the core looks at its
    // mailbox by itself; true, whoever pushes must wake it (and only the first who finds it true does).
    alignas(64) std::atomic<detail::mail*> mailbox_ = nullptr;
    std::atomic<bool> sleeping_ = false;
    std::atomic<bool> post_mortem_requested_ = false;

    // Far from the others, which every switch needs.
    std::array<detail::place_of_alt, 64> places_;
};

/// Where a fault in a family is reported, besides the fault listener.
enum class faults : std::uint8_t {
    escalate,  // the family of the starter, as if the starter had faulted itself; so on, until somebody hears
    heard,     // the starter, which waits until there is one
    contained  // nobody: the starter can do without
};

namespace detail {
void make_ready_elsewhere(record& r) noexcept;
}

/// Makes a waiting process ready, on whatever core it lives.
inline void make_ready(record& r)
{
    core& home = *r.home;
    if (&home == core::here_or_null()) [[likely]] {
        home.ready(r);
    } else {
        detail::make_ready_elsewhere(r);
    }
}

inline void record::make_ready_here(detail::mail& m) noexcept { core::here().ready(static_cast<record&>(m)); }

/// Notes where and for what a process, which is the running one, is about to wait. Call it in await_suspend, with the
/// handle given there; then hand the record to whoever will make_ready() it.
inline void park(record& self, std::coroutine_handle<> resume_point, wait state, const void* awaits,
                 std::source_location where)
{
    self.resume_point = resume_point;
    self.state = state;
    self.awaits = awaits;
    self.where = where;
}
inline record& park(std::coroutine_handle<> resume_point, wait state, const void* awaits, std::source_location where)
{
    record& self = *core::here().running();
    park(self, resume_point, state, awaits, where);
    return self;
}

}  // namespace csp
