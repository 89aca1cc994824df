// SPDX-License-Identifier: MIT
#include "csp/core.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "csp/detail/family.hpp"
#include "csp/detail/rendezvous.hpp"
#include "csp/post_mortem.hpp"
#include "csp/process.hpp"

namespace csp {
namespace {

// After this number of switches the core checks its mail, its timers and its neighbour again. At the speed of a channel
// that is about 2 microseconds, far less than a network client could notice.
constexpr int round_length = 256;

/// Tells the processor that this is a busy-waiting loop.
inline void pause()
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

void fault_to_stderr(const record& r, const char* what) noexcept
{
    const std::string_view name = plain_name(r.name);  // not a string, because memory may have run out
    std::fprintf(stderr, "process %.*s faulted: %s\n", static_cast<int>(name.size()), name.data(), what);
}

}  // namespace

constinit thread_local core* core::here_ = nullptr;

void contract_broken(const char* condition, const char* what, const char* file, int line) noexcept
{
    std::fprintf(stderr, "%s:%d: contract broken: %s (%s)\n", file, line, what, condition);
    if (const core* c = core::here_or_null()) print_post_mortem(*c);
    std::abort();
}

// ---- timers

timer::~timer()
{
    if (pending()) [[unlikely]]
        core::here().timers().cancel(*this);
}

void detail::timer_queue::place(std::size_t position, const entry& e)
{
    heap_[position] = e;
    e.who->position_ = static_cast<std::uint32_t>(position);
}

void detail::timer_queue::rise(std::size_t position, entry e)
{
    while (position > 0) {
        const std::size_t parent = (position - 1) / 4;
        if (!sooner(e, heap_[parent])) break;
        place(position, heap_[parent]);
        position = parent;
    }
    place(position, e);
}

void detail::timer_queue::sink(std::size_t position, entry e)
{
    for (;;) {
        const std::size_t first = position * 4 + 1;
        if (first >= heap_.size()) break;
        std::size_t least = first;
        for (std::size_t child = first + 1; child < std::min(first + 4, heap_.size()); ++child) {
            if (sooner(heap_[child], heap_[least])) least = child;
        }
        if (!sooner(heap_[least], e)) break;
        place(position, heap_[least]);
        position = least;
    }
    place(position, e);
}

void detail::timer_queue::make_room(std::size_t for_any, std::size_t for_reserved)
{
    const std::size_t needed = for_any + for_reserved;
    if (needed > heap_.capacity()) heap_.reserve(std::max(needed, 2 * heap_.capacity()));
}

void detail::timer_queue::reserve(std::size_t timers)
{
    make_room(any_, reserved_ + timers);
    reserved_ += timers;
}

void detail::timer_queue::set(timer& t, time_point at)
{
    CSP_CHECK(!t.pending(), "a timer is set once at a time");
    if (t.room_ == room::any) {
        make_room(any_ + 1, reserved_);
        ++any_;
    }
    heap_.emplace_back();
    rise(heap_.size() - 1, {at, set_so_far_++, &t});
}

void detail::timer_queue::cancel(timer& t) noexcept
{
    if (!t.pending()) return;
    if (t.room_ == room::any) --any_;
    const std::size_t hole = std::exchange(t.position_, timer::not_queued);
    const entry last = heap_.back();
    heap_.pop_back();
    if (hole == heap_.size()) return;
    if (hole > 0 && sooner(last, heap_[(hole - 1) / 4])) {
        rise(hole, last);
    } else {
        sink(hole, last);
    }
}

void detail::timer_queue::expire(time_point now)
{
    while (!heap_.empty() && heap_.front().at <= now) {
        timer& due = *heap_.front().who;
        cancel(due);
        due.expired_(due);
    }
}

// ---- the core

core& core::sibling(unsigned index) const
{
    CSP_CHECK(siblings_ != nullptr && index < siblings_->size(), "the kernel has no core of this index");
    return *(*siblings_)[index];
}

core::core(options how) : how_(how), random_(how.seed), fault_listener_(fault_to_stderr) { read_clock(); }

core::~core() { CSP_CHECK(population_ == 0, "a core is destroyed only after all its processes have ended"); }

void core::post(detail::mail& m) noexcept
{
    detail::mail* top = mailbox_.load(std::memory_order_relaxed);
    do {
        m.next = top;
        // Release: pairs with the acquire in collect_mail(), for everything written before the call. Sequentially
        // consistent as well, so that it is ordered before the load of sleeping_ below: either this thread sees that
        // the core sleeps, or the core, which sets sleeping_ before its last check of the mailbox in wait(), sees the
        // mail.
    } while (!mailbox_.compare_exchange_weak(top, &m, std::memory_order_seq_cst, std::memory_order_relaxed));
    if (sleeping_.load(std::memory_order_seq_cst) && sleeping_.exchange(false, std::memory_order_seq_cst)) {
        outside_->wake();
    }
}

bool core::collect_mail()
{
    if (mailbox_.load(std::memory_order_relaxed) == nullptr) return false;
    // Acquire: pairs with the release in post().
    detail::mail* newest = mailbox_.exchange(nullptr, std::memory_order_acquire);
    detail::mail* in_order = nullptr;
    while (newest != nullptr) {
        detail::mail* const next = newest->next;
        newest->next = in_order;
        in_order = newest;
        newest = next;
    }
    while (in_order != nullptr) {
        detail::mail& m = *std::exchange(in_order, in_order->next);
        m.deliver(m);
    }
    return true;
}

void core::read_clock()
{
    if (!how_.virtual_time) now_ = std::chrono::steady_clock::now();
    clock_read_ = true;
}

void core::begin_anywhere(detail::place_of_alt& place, std::uintptr_t name, std::size_t all)
{
    place.name_ = name;
    const auto guards = static_cast<std::uint32_t>(all);
    place.next_ = random_below(guards);
    place.left_ = how_.shuffled ? 1 : detail::place_of_alt::rounds * guards + 1;
}

void core::enter(record& r)
{
    r.home = this;
    r.number = static_cast<std::uint32_t>(++started_);
    r.older = youngest_;
    (youngest_ != nullptr ? youngest_->younger : oldest_) = &r;
    youngest_ = &r;
    ++population_;
    ready(r);
}

void core::leave(record& r) noexcept
{
    (r.older != nullptr ? r.older->younger : oldest_) = r.younger;
    (r.younger != nullptr ? r.younger->older : youngest_) = r.older;
    --population_;
}

inline record& core::take_next()
{
    detail::mail& first = *queue_;
    queue_ = first.next;
    if (queue_ == nullptr) queue_end_ = &queue_;
    return static_cast<record&>(first);
}

record& core::take_at_random()
{
    constexpr std::uint32_t farthest = 128;  // walking through a queue of 100 000 would take too long
    std::uint32_t length = 0;
    for (const detail::mail* m = queue_; m != nullptr && length < farthest; m = m->next) ++length;
    detail::mail** link = &queue_;
    for (std::uint32_t skip = random_below(length); skip > 0; --skip) link = &(*link)->next;
    detail::mail* const drawn = *link;
    *link = drawn->next;
    if (*link == nullptr) queue_end_ = link;
    return static_cast<record&>(*drawn);
}

inline void core::run(record& next)
{
    running_ = &next;
    next.state = wait::nothing;
    // A process waits in its own frame or in a step. The address of its own frame is computed from `next`, while the
    // resume point must be loaded, and the first instructions of the process depend on the address. With a branch the
    // processor predicts that it is the own frame, and need not wait for the load.
    std::coroutine_handle<> self = detail::frame_of(next);
    if (next.resume_point == self) [[likely]] {
        __asm__("" : "+r"(self));  // keeps the compiler from merging the branches, which do the same
        self.resume();
    } else {
        next.resume_point.resume();
    }
}

bool core::run_round()
{
    clock_read_ = false;
    bool happened = collect_mail();
    // Relaxed: the flag publishes no other data. It is loaded first, because an exchange would cost 5 ns per round.
    if (post_mortem_requested_.load(std::memory_order_relaxed)) [[unlikely]] {
        post_mortem_requested_.store(false, std::memory_order_relaxed);
        print_post_mortem(*this);
    }
    if (!timers_.empty()) {
        read_clock();
        timers_.expire(now_);
    }
    happened = happened || has_ready();
    if (how_.shuffled) {
        for (int left = round_length; left > 0 && has_ready(); --left) run(take_at_random());
    } else {
        for (int left = round_length; left > 0 && has_ready(); --left) run(take_next());
    }
    running_ = nullptr;
    if (outside_ != nullptr && outside_->expects_events()) outside_->poll();
    return happened || has_ready();
}

bool core::watch_mailbox() const
{
    if (how_.spin == duration::zero()) return false;
    const auto look_a_while = [this] {
        for (int i = 0; i < 64; ++i) {
            if (mail_waits()) return true;
            pause();
        }
        return false;
    };
    // First without the clock: reading it takes as long as an answer from another core.
    if (look_a_while()) return true;
    const time_point enough = std::chrono::steady_clock::now() + how_.spin;
    do {
        if (look_a_while()) return true;
    } while (std::chrono::steady_clock::now() < enough);
    return false;
}

void core::wait(time_point until)
{
    if (!timers_.empty()) until = std::min(until, timers_.soonest());
    // Sequentially consistent, and before the check of the mailbox: see post().
    sleeping_.store(true, std::memory_order_seq_cst);
    if (mailbox_.load(std::memory_order_seq_cst) == nullptr) outside_->wait(until);
    sleeping_.store(false, std::memory_order_seq_cst);
    read_clock();
}

bool core::expects_anything() const
{
    return has_ready() || mail_waits() || !timers_.empty() || (outside_ != nullptr && outside_->expects_events());
}

void core::advance(time_point to)
{
    CSP_CHECK(how_.virtual_time, "only virtual time can be advanced");
    now_ = to;
}

/// Removes a waiting input, output or claim from its channel. Other operations remove themselves when destroyed.
void core::forget_wait(const record& r)
{
    if (r.state == wait::input || r.state == wait::output || r.state == wait::extended || r.state == wait::claim) {
        const_cast<detail::channel_base*>(static_cast<const detail::channel_base*>(r.awaits))->forget(r);
    }
}

void core::end_by_fault(record& r)
{
    forget_wait(r);
    leave(r);
    // The record is destroyed with the frame, so a copy takes its place. If the frame contains a forking, that makes
    // its family the owner (see forking.cpp), and the family learns of the end.
    record in_its_place;
    in_its_place.owner = r.owner;
    in_its_place.name = r.name;
    running_ = &in_its_place;
    detail::destroy_frame(r);
    running_ = nullptr;
    in_its_place.owner->ended(in_its_place.name);
}

void core::end_living()
{
    const residence here(*this);
    while (youngest_ != nullptr) {
        forget_ready();  // processes that the last end made ready do not run
        record& r = *youngest_;
        forget_wait(r);
        running_ = &r;
        leave(r);
        detail::destroy_frame(r);
    }
    running_ = nullptr;
    forget_ready();
}

namespace {

/// The families that delete themselves when their last process has ended. end_all() must delete them, because a process
/// that it ends does not report its end.
using self_deleting = std::unordered_set<detail::family*>;

void collect_self_deleting(const core& c, self_deleting& into)
{
    for (const record* r = c.oldest(); r != nullptr; r = r->younger) {
        for (detail::family* f = r->owner; f->heir != nullptr && into.insert(f).second;) f = f->heir;
    }
}

}  // namespace

void core::end_all()
{
    self_deleting families;
    collect_self_deleting(*this, families);
    ending_all_ = true;
    end_living();
    for (detail::family* f : families) detail::family::discard(f);
    const residence here(*this);
    while (collect_mail()) {  // an end of a bridge may have sent the mail that frees the bridge
    }
}

void core::end_all(std::span<const std::unique_ptr<core>> cores)
{
    self_deleting families;
    for (const auto& c : cores) {
        collect_self_deleting(*c, families);
        c->ending_all_ = true;
    }
    for (const auto& c : cores) c->end_living();
    for (detail::family* f : families) detail::family::discard(f);
}

void detail::make_ready_elsewhere(record& r) noexcept
{
    if (const core* here = core::here_or_null(); here != nullptr && here->ending_all()) return;
    r.home->post(r);
}

void core::fault_unheard(const char* name) const noexcept
{
    if (!how_.ends_by_fault) return;
    const std::string_view plain = plain_name(name);
    std::fprintf(stderr, "the program ends: it cannot go on without %.*s\n", static_cast<int>(plain.size()),
                 plain.data());
    std::_Exit(EXIT_FAILURE);
}

void core::request_post_mortem() noexcept
{
    // Relaxed: the flag publishes no other data. wake() is safe in a signal handler: it writes to an eventfd.
    post_mortem_requested_.store(true, std::memory_order_relaxed);
    if (outside_ != nullptr) outside_->wake();
}

}  // namespace csp
