// SPDX-License-Identifier: MIT
#include "csp/kernel.hpp"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <latch>
#include <optional>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>

#include "csp/post_mortem.hpp"

namespace csp {
namespace {

/// A neighbour with no events of its own.
class sleeper : public neighbour {
  public:
    sleeper() : bell_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { CSP_CHECK(bell_ >= 0, "eventfd: no descriptor left"); }
    ~sleeper() override { close(bell_); }
    void poll() override {}
    void wait(time_point until) override
    {
        pollfd p{bell_, POLLIN, 0};
        if (until == time_point::max()) {
            ppoll(&p, 1, nullptr, nullptr);
        } else {
            const auto left = std::max(duration::zero(), until - std::chrono::steady_clock::now());
            const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
            const timespec t{seconds.count(), (left - seconds).count()};
            ppoll(&p, 1, &t, nullptr);
        }
        eventfd_t rings = 0;
        eventfd_read(bell_, &rings);
    }
    void wake() noexcept override { eventfd_write(bell_, 1); }
    [[nodiscard]] bool expects_events() const override { return false; }

  private:
    int bell_;
};

/// Binds this thread to the `nth` of the processors that it may use, until the end of the scope.
class binding {
  public:
    explicit binding(unsigned nth)
    {
        bound_ = sched_getaffinity(0, sizeof before_, &before_) == 0;
        if (!bound_) return;
        nth %= static_cast<unsigned>(CPU_COUNT(&before_));
        for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
            if (!CPU_ISSET(cpu, &before_) || nth-- > 0) continue;
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof one, &one);
            return;
        }
    }
    binding(const binding&) = delete;
    binding& operator=(const binding&) = delete;
    ~binding()
    {
        if (bound_) sched_setaffinity(0, sizeof before_, &before_);
    }

  private:
    cpu_set_t before_;
    bool bound_;
};

/// What the threads of a running kernel tell each other.
class shared_state {
  public:
    explicit shared_state(std::vector<std::unique_ptr<core>>& cores) : cores_(cores), activity_(cores.size()) {}

    [[nodiscard]] bool over() const { return over_.load(std::memory_order_acquire); }
    [[nodiscard]] bool deadlocked() const { return deadlocked_.load(std::memory_order_relaxed); }

    void end()
    {
        over_.store(true, std::memory_order_release);  // pairs with over(); what was written before is seen after
        for (const auto& c : cores_) c->outside()->wake();
    }

    /// A core has nothing ready and expects nothing. Yields whether that holds for all of them: then nothing can
    /// come any more, for mail is only sent by a core that acts.
    bool go_quiet()
    {
        // All sequentially consistent. A core that wakes to mail first becomes active and then takes the mail. So if
        // all are quiet, the mailboxes are found empty, and nobody became active meanwhile, no mail was under way.
        const std::uint64_t quiet = activity_.fetch_sub(1, std::memory_order_seq_cst) - 1;
        if (static_cast<std::uint32_t>(quiet) > 0) return false;
        for (const auto& c : cores_) {
            if (c->mail_waits()) return false;
        }
        if (activity_.load(std::memory_order_seq_cst) != quiet) return false;
        deadlocked_.store(true, std::memory_order_relaxed);  // published by end()
        return true;
    }
    void become_active() { activity_.fetch_add(one_awakening + 1, std::memory_order_seq_cst); }

  private:
    std::vector<std::unique_ptr<core>>& cores_;
    std::atomic<bool> over_ = false;
    std::atomic<bool> deadlocked_ = false;
    // Low half: how many cores are active. High half: how often one became active, for a core that wakes, sends mail
    // and is quiet again must not look as if it had never woken.
    static constexpr std::uint64_t one_awakening = std::uint64_t{1} << 32;
    std::atomic<std::uint64_t> activity_;
};

/// The life of a core's thread, until `is_over` or the whole network is quiet.
template <class Over>
void live(core& c, shared_state& shared, Over is_over)
{
    while (!is_over()) {
        if (c.run_round() || is_over()) continue;
        if (c.watch_mailbox()) continue;  // before the others need to know that this core is idle
        if (c.expects_anything()) {
            if (!c.has_ready() && !c.mail_waits()) c.wait(time_point::max());
        } else if (shared.go_quiet()) {
            return;
        } else {
            c.wait(time_point::max());
            shared.become_active();
        }
    }
}

/// The kernel that the signal of print_post_mortem_on is for: a handler has no other way to know.
std::atomic<kernel*> signalled = nullptr;

}  // namespace

kernel::kernel(options how, neighbour_maker make_neighbour) : how_(how), make_neighbour_(std::move(make_neighbour))
{
    CSP_CHECK(how.cores > 0, "a kernel has a core");
    for (unsigned i = 0; i < how.cores; ++i) {
        cores_.push_back(std::make_unique<core>(core::options{.index = i, .spin = how.spin}));
    }
    for (const auto& c : cores_) c->join(cores_);
}

kernel::~kernel()
{
    kernel* self = this;
    signalled.compare_exchange_strong(self, nullptr);
}

outcome kernel::run(process&& first)
{
    shared_state shared(cores_);
    std::latch all_have_neighbours(cores());
    std::latch all_have_stopped(cores());

    const auto life = [&](core& c, auto begin, auto is_over) {
        const core::residence here(c);
        std::optional<binding> to_its_processor;
        if (how_.pinned) to_its_processor.emplace(c.index());
        const std::unique_ptr<neighbour> outside = make_neighbour_ ? make_neighbour_(c) : std::make_unique<sleeper>();
        c.set_outside(outside.get());
        all_have_neighbours.arrive_and_wait();
        begin();
        live(c, shared, [&] { return shared.over() || is_over(); });
        shared.end();
        all_have_stopped.arrive_and_wait();  // until then a core may still be woken
        c.set_outside(nullptr);
    };

    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < cores(); ++i) {
        threads.emplace_back([&, i] { life(at(i), [] {}, [] { return false; }); });
    }

    // The family of the first process belongs to core 0, so it is made there.
    std::unique_ptr<family> network;
    life(
        at(0),
        [&] {
            network = std::make_unique<family>();
            start(std::move(first), *network);
        },
        [&] { return network->living == 0; });
    threads.clear();

    if (shared.deadlocked()) {
        std::fputs("the network has gone quiet: nothing is ready and nothing can come from outside\n", stderr);
        for (const auto& c : cores_) {
            if (c->population() > 0) std::fputs(post_mortem(*c).c_str(), stderr);
        }
        core::end_all(cores_);
    }
    deliver_the_rest();
    if (shared.deadlocked()) return outcome::deadlock;
    return network->faulted > 0 ? outcome::faulted : outcome::finished;
}

void kernel::print_post_mortem_on(int signal)
{
    signalled.store(this);
    struct sigaction action = {};
    action.sa_handler = [](int) {
        if (kernel* k = signalled.load()) k->request_post_mortem();
    };
    action.sa_flags = SA_RESTART;
    CSP_CHECK(sigaction(signal, &action, nullptr) == 0, "no handler can be set for this signal");
}

void kernel::deliver_the_rest()
{
    // Nobody is left to run; but a bridge lives until the last word of its ends has come.
    bool delivered = true;
    while (std::exchange(delivered, false)) {
        for (const auto& c : cores_) {
            const core::residence here(*c);
            delivered |= c->collect_mail();
        }
    }
}

void kernel::request_post_mortem() noexcept
{
    for (auto& c : cores_) c->request_post_mortem();
}

outcome run(process&& first) { return kernel({}).run(std::move(first)); }

}  // namespace csp
