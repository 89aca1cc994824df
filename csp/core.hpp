// SPDX-License-Identifier: MIT
//
// The scheduler of one processor core. A process runs on the core where it was started and never moves to another, so
// nothing in this file needs a lock. Other threads access only the mailbox.
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

/// What a process waits for. It says to what `record::awaits` points; the post-mortem prints both.
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

/// A message that another core puts into the mailbox of a core. The receiving core calls `deliver`.
struct mail {
    mail* next = nullptr;
    void (*deliver)(mail&) noexcept = nullptr;
};

}  // namespace detail

/// What the runtime knows of a process: occam's workspace descriptor. It is the first part of the process's frame.
/// `next` links the run queue while the process is ready. If another core makes the process ready, the record itself is
/// the mail to its core: `next` links the mailbox then, and delivering it appends the process to the run queue.
struct record : detail::mail {
    record() noexcept { deliver = make_ready_here; }
    static void make_ready_here(detail::mail& m) noexcept;

    // `awaits` and `where` are kept apart. They are copied from two adjacent fields; if they were adjacent here too,
    // the compiler would copy both with one wide load just after two narrow stores, which a processor cannot forward.
    std::coroutine_handle<> resume_point;
    const void* awaits = nullptr;  // a channel, a family, a barrier, or for wait::kernel the call's name
    core* home = nullptr;
    std::uint32_t number = 0;  // counts the processes of its core
    wait state = wait::nothing;
    bool faulted = false;        // a switch reads up to here: 64 bytes, with the frame's own two pointers
    std::source_location where;  // of the co_await in which it waits
    detail::family* owner = nullptr;
    record* older = nullptr;  // links of the core's list of living processes
    record* younger = nullptr;
    const char* name = nullptr;  // as the compiler spells the coroutine, or as given with process::named
};

/// Whether setting a timer may allocate memory.
enum class room : std::uint8_t {
    any,      // it may, and then it may throw
    reserved  // no: timer_queue::reserve() has reserved a place in the queue
};

/// Calls a function at a given time. Not movable, because the core's queue points to it while it is pending.
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

/// The pending timers, soonest first: a heap with four children per node. Each entry points to its timer, and each
/// timer has its position in the heap, so cancelling one of 100 000 timers touches few cache lines.
class timer_queue {
  public:
    void set(timer& t, time_point at);
    void cancel(timer& t) noexcept;
    /// Reserves places for this number of timers with room::reserved, until release().
    void reserve(std::size_t timers);
    void release(std::size_t timers) noexcept { reserved_ -= timers; }
    [[nodiscard]] bool empty() const { return heap_.empty(); }
    [[nodiscard]] time_point soonest() const { return heap_.front().at; }
    /// Runs every timer that is due at `now`.
    void expire(time_point now);

  private:
    struct entry {
        time_point at;
        std::uint64_t order;  // timers for the same time expire in the order in which they were set
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

/// A pseudo-random number generator (wyrand), good enough for fair choices.
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

/// The guard at which a fair ALT begins its search: the one after the guard that it took last. So a guard that stays
/// ready is taken within as many choices as there are guards.
///
/// The core remembers the places of recent ALTs under a name that is not quite unique. If the place of an ALT has been
/// overwritten, the ALT begins at a random guard. It also does so from time to time in any case: otherwise two ALTs
/// with the same name could set each other's place so that one guard is never reached.
class place_of_alt {
  public:
    place_of_alt() = default;

    [[nodiscard]] std::size_t next() const { return next_; }
    void took(std::size_t position) { next_ = position + 1; }

  private:
    friend class csp::core;
    static constexpr std::uint32_t rounds = 16;  // over all guards, between two random beginnings

    std::uintptr_t name_ = 0;
    std::size_t next_ = 0;
    std::uint32_t left_ = 0;
};

}  // namespace detail

/// The source of events from outside the network of processes. An I/O engine implements it; csp itself has one that
/// only sleeps. All functions except wake() are called by the core that owns it.
class neighbour {
  public:
    neighbour() = default;
    neighbour(const neighbour&) = delete;
    neighbour& operator=(const neighbour&) = delete;
    virtual ~neighbour() = default;

    /// Makes the processes ready whose events have arrived. Does not block.
    virtual void poll() = 0;
    /// Blocks until an event arrives, until `until`, or until wake() is called; then does the same as poll().
    virtual void wait(time_point until) = 0;
    /// Ends the present wait(), or else the next one. May be called from any thread.
    virtual void wake() noexcept = 0;
    /// Whether an event may still arrive. If not, and no process is ready, nothing can happen in the network any more.
    [[nodiscard]] virtual bool expects_events() const = 0;
};

/// The scheduler of one thread. Processes run in FIFO order, as in occam, or in random order in tests.
class core {
  public:
    struct options {
        unsigned index = 0;
        bool virtual_time = false;  // time moves only by advance()
        bool shuffled = false;      // run ready processes in random order
        std::uint64_t seed = 0x9E3779B97F4A7C15U;
        duration spin{0};            // how long an idle core polls its mailbox before it sleeps
        bool ends_by_fault = false;  // a fault that is reported to no process ends the program, with exit code 1
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

    /// Puts `m` into the mailbox and wakes the core if it sleeps. May be called from any thread.
    void post(detail::mail& m) noexcept;

    /// Adds a new process to the list of living processes, and makes it ready.
    void enter(record& r);
    /// Removes a process from the list of living processes.
    void leave(record& r) noexcept;
    [[nodiscard]] std::size_t population() const { return population_; }
    [[nodiscard]] std::uint64_t started() const { return started_; }
    [[nodiscard]] const record* oldest() const { return oldest_; }

    /// The monotonic time. The clock is read at most once in a round of the scheduler.
    [[nodiscard]] time_point now()
    {
        if (!clock_read_) read_clock();
        return now_;
    }
    [[nodiscard]] detail::timer_queue& timers() { return timers_; }
    /// A uniformly distributed number below `n`. The sequence depends only on the seed, so tests are repeatable.
    [[nodiscard]] std::uint32_t random_below(std::uint32_t n) { return random_.below(n); }

    /// The place of a fair ALT with `all` guards. With options::shuffled it is random each time.
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

    /// For the kernel: sets the cores that sibling() finds.
    void join(const std::vector<std::unique_ptr<core>>& all) { siblings_ = &all; }

    /// Delivers mail, runs the timers that are due, and then runs ready processes, at most the length of a round.
    /// Returns whether it did any of these or a process is ready.
    bool run_round();
    /// Polls the mailbox for the time options::spin, when no process is ready. Returns whether mail has arrived.
    [[nodiscard]] bool watch_mailbox() const;
    /// Sleeps until there is mail, a timer is due, the neighbour has an event, or until `until`.
    void wait(time_point until);
    /// Whether something can still happen on this core without mail from another core.
    [[nodiscard]] bool expects_anything() const;
    [[nodiscard]] bool mail_waits() const { return mailbox_.load(std::memory_order_seq_cst) != nullptr; }

    /// Delivers all mail. Returns whether there was any.
    bool collect_mail();

    /// Virtual time only.
    void advance(time_point to);

    /// Ends all living processes where they wait, the youngest first. Their frames are destroyed, which closes their
    /// channel ends, but no process learns of it. For networks in a deadlock. The first form is for a single core, the
    /// second for all cores of a kernel after their threads have stopped.
    void end_all();
    static void end_all(std::span<const std::unique_ptr<core>> cores);
    /// Ends one process as if it had faulted where it waits: its ends close, and its family learns of the fault. For
    /// tests. REQUIRES: it waits, and not for the kernel.
    void end_by_fault(record& r);
    [[nodiscard]] bool ending_all() const { return ending_all_; }

    /// Is called for each fault, with the process and the text of the exception. The default writes a line to standard
    /// error.
    using fault_listener = void (*)(const record&, const char* what) noexcept;
    void set_fault_listener(fault_listener f) { fault_listener_ = f; }
    void report_fault(const record& r, const char* what) const noexcept { fault_listener_(r, what); }
    /// A fault has reached the outermost family, so no process learns of it. Ends the program if
    /// options::ends_by_fault.
    void fault_unheard(const char* name) const noexcept;

    /// Makes the core print its post-mortem at its next round. May be called from any thread and any signal handler.
    void request_post_mortem() noexcept;

  private:
    // These two require has_ready().
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

    detail::mail* queue_ = nullptr;  // of records, linked by mail::next
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

    // The mailbox is a stack: any thread pushes, and the core takes all at once. While `sleeping_` is false the core
    // checks its mailbox itself; if it is true, the first thread that pushes mail sets it to false and wakes the core.
    alignas(64) std::atomic<detail::mail*> mailbox_ = nullptr;
    std::atomic<bool> sleeping_ = false;
    std::atomic<bool> post_mortem_requested_ = false;

    // Last, so that the members which every switch uses share few cache lines.
    std::array<detail::place_of_alt, 64> places_;
};

/// Where a fault of a process is reported, besides the fault listener.
enum class faults : std::uint8_t {
    escalate,  // to the family of the starter, as if the starter had faulted; and so on upwards
    heard,     // to the starter, which can wait for it
    contained  // to no process
};

namespace detail {
void make_ready_elsewhere(record& r) noexcept;
}

/// Makes a waiting process ready, on its own core. May be called from any core.
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

/// Records that the running process waits, for what and at which line. Call it in await_suspend, with the handle given
/// there. The code that completes the wait then calls make_ready() with this record.
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
