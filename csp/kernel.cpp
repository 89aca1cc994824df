// SPDX-License-Identifier: MIT
#include "csp/kernel.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <latch>
#include <memory>
#include <optional>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "csp/post_mortem.hpp"

namespace csp {
namespace {

/// A neighbour without events.
class sleeper : public neighbour {
  public:
    static kernel::made_neighbour make()
    {
        const int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (bell < 0) return std::unexpected(fmt::format("no eventfd can be made: {}", std::strerror(errno)));
        return std::make_unique<sleeper>(bell);
    }
    explicit sleeper(int bell) : bell_(bell) {}
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

/// The state that the threads of a running kernel share.
class shared_state {
  public:
    explicit shared_state(std::vector<std::unique_ptr<core>>& cores) : cores_(cores), activity_(cores.size()) {}

    [[nodiscard]] bool over() const { return over_.load(std::memory_order_acquire); }
    [[nodiscard]] bool deadlocked() const { return deadlocked_.load(std::memory_order_relaxed); }

    void end()
    {
        over_.store(true, std::memory_order_release);  // pairs with over()
        for (const auto& c : cores_) c->outside()->wake();
    }

    /// Called by a core that has no ready process and expects no event. Returns whether this holds for all cores. Then
    /// nothing can happen any more, because only an active core sends mail.
    bool go_quiet()
    {
        // All sequentially consistent. A core that is woken by mail first becomes active and then takes the mail. So if
        // all cores are quiet, all mailboxes are empty, and no core became active meanwhile, there is no mail.
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
    // Low half: the number of active cores. High half: how often a core became active. Without it, a core that wakes,
    // sends mail and is quiet again would look as if it had never woken.
    static constexpr std::uint64_t one_awakening = std::uint64_t{1} << 32;
    std::atomic<std::uint64_t> activity_;
};

/// The main loop of a core, until `is_over()` or a deadlock.
template <class Over>
void live(core& c, shared_state& shared, Over is_over)
{
    while (!is_over()) {
        if (c.run_round() || is_over()) continue;
        if (c.watch_mailbox()) continue;  // before the other cores are informed that this one is idle
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

/// The kernel whose print_post_mortem_on() was called. A signal handler can find it only in a global variable.
std::atomic<kernel*> signalled = nullptr;

}  // namespace

/// The threads of a kernel and the neighbours of its cores. All are made before any process runs, so that the program
/// learns of a refusal by the system before anything would have to be undone.
class kernel::crew {
  public:
    explicit crew(kernel& of)
        : kernel_(of), shared_(of.cores_), refusals_(of.cores()), all_tried_(of.cores()), all_stopped_(of.cores())
    {
    }
    crew(const crew&) = delete;
    crew& operator=(const crew&) = delete;
    ~crew()
    {
        order(command::leave);
        threads_.clear();
        drop_first_neighbour();
    }

    [[nodiscard]] std::expected<void, std::string> assemble()
    {
        start_threads();
        {
            core& first = kernel_.at(0);
            const core::residence here(first);
            const auto bound = bind(first);
            of_first_ = make_neighbour(first);
        }
        all_tried_.arrive_and_wait();
        for (const std::string& refusal : refusals_) {
            if (!refusal.empty()) return std::unexpected(refusal);
        }
        return {};
    }

    /// Runs all cores, `begin` first on this one. REQUIRES: assembled.
    template <class Begin, class Over>
    void run(Begin begin, Over is_over)
    {
        core& first = kernel_.at(0);
        const core::residence here(first);
        const auto bound = bind(first);
        begin();
        order(command::run);
        serve(first, is_over);
        threads_.clear();
        drop_first_neighbour();
    }

    [[nodiscard]] bool deadlocked() const { return shared_.deadlocked(); }

  private:
    enum class command : std::uint8_t { wait, run, leave };

    void order(command c)
    {
        auto before = command::wait;
        // Release: pairs with the acquiring wait() of the threads, for what begin() did.
        if (command_.compare_exchange_strong(before, c, std::memory_order_release)) command_.notify_all();
    }

    void start_threads()
    {
        for (unsigned i = 1; i < kernel_.cores(); ++i) {
            try {
                threads_.emplace_back([this, i] { work(kernel_.at(i)); });
            } catch (const std::exception& e) {
                refusals_[i] = fmt::format("no thread can be made: {}", e.what());
                all_tried_.count_down(kernel_.cores() - i);
                return;
            }
        }
    }

    void work(core& c)
    {
        const core::residence here(c);
        const auto bound = bind(c);
        const std::unique_ptr<neighbour> outside = make_neighbour(c);
        all_tried_.count_down();
        command_.wait(command::wait, std::memory_order_acquire);  // pairs with order()
        if (command_.load(std::memory_order_acquire) == command::run) serve(c, [] { return false; });
        c.set_outside(nullptr);
    }

    [[nodiscard]] std::optional<binding> bind(const core& c) const
    {
        return kernel_.how_.pinned ? std::optional<binding>(std::in_place, c.index()) : std::optional<binding>();
    }

    [[nodiscard]] std::unique_ptr<neighbour> make_neighbour(core& c)
    {
        auto made = try_to_make(c);
        if (!made) {
            refusals_[c.index()] = std::move(made.error());
            return nullptr;
        }
        c.set_outside(made->get());
        return std::move(*made);
    }
    [[nodiscard]] made_neighbour try_to_make(core& c)
    {
        try {
            return kernel_.make_neighbour_ ? kernel_.make_neighbour_(c) : sleeper::make();
        } catch (const std::exception& e) {
            return std::unexpected(e.what());
        }
    }
    void drop_first_neighbour()
    {
        core& first = kernel_.at(0);
        const core::residence here(first);
        first.set_outside(nullptr);
        of_first_.reset();
    }

    template <class Over>
    void serve(core& c, Over is_over)
    {
        live(c, shared_, [&] { return shared_.over() || is_over(); });
        shared_.end();
        all_stopped_.arrive_and_wait();  // other cores may still wake this one until then
    }

    kernel& kernel_;
    shared_state shared_;
    std::unique_ptr<neighbour> of_first_;
    std::vector<std::string> refusals_;  // by core: what the system refused; empty if nothing
    std::latch all_tried_;
    std::latch all_stopped_;
    std::atomic<command> command_ = command::wait;
    std::vector<std::jthread> threads_;
};

kernel::kernel(options how, neighbour_maker make_neighbour) : how_(how), make_neighbour_(std::move(make_neighbour))
{
    CSP_CHECK(how.cores > 0, "a kernel has a core");
    for (unsigned i = 0; i < how.cores; ++i) {
        cores_.push_back(
            std::make_unique<core>(core::options{.index = i, .spin = how.spin, .ends_by_fault = how.ends_by_fault}));
    }
    for (const auto& c : cores_) c->join(cores_);
}

kernel::~kernel()
{
    kernel* self = this;
    signalled.compare_exchange_strong(self, nullptr);
}

std::expected<void, std::string> kernel::prepare()
{
    crew_ = std::make_unique<crew>(*this);
    auto ready = crew_->assemble();
    if (!ready) crew_.reset();
    return ready;
}

outcome kernel::run(process&& first)
{
    if (crew_ == nullptr) {
        const auto ready = prepare();
        CSP_CHECK(ready.has_value(), ready ? "" : ready.error().c_str());
    }
    // The family of the first process belongs to core 0, so it is made there.
    std::unique_ptr<detail::family> network;
    crew_->run(
        [&] {
            network = std::make_unique<detail::family>();
            detail::start(std::move(first), *network);
        },
        [&] { return network->living == 0; });
    const bool deadlocked = crew_->deadlocked();
    crew_.reset();

    if (deadlocked) {
        std::fputs("the network has gone quiet: nothing is ready and nothing can come from outside\n", stderr);
        for (const auto& c : cores_) {
            if (c->population() > 0) print_post_mortem(*c);
        }
        core::end_all(cores_);
    }
    deliver_the_rest();
    if (deadlocked) return outcome::deadlock;
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
    // All processes have ended, but a bridge is freed only when the mail from its last end arrives.
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
