// SPDX-License-Identifier: MIT
#include "io/file_call.hpp"

#include <algorithm>
#include <csignal>
#include <sys/syscall.h>
#include <unistd.h>

#include "csp/check.hpp"

namespace io::detail {

std::int64_t file_call::perform() const
{
    std::int64_t done = -1;
    do {
        switch (action) {
            case file_action::open:
                done = syscall(SYS_openat2, fd, path, &how, sizeof how);
                break;
            case file_action::read:
                done = pread(fd, memory, size, static_cast<off_t>(offset));
                break;
            case file_action::write:
                done = offset == ~std::uint64_t{0} ? ::write(fd, memory, size)
                                                   : pwrite(fd, memory, size, static_cast<off_t>(offset));
                break;
            case file_action::function:
                return function(argument);
        }
    } while (done < 0 && errno == EINTR);
    return done < 0 ? -errno : done;
}

void file_call::await_suspend(std::coroutine_handle<> self)
{
    static constexpr const char* names[] = {"a file to open", "a read from a file", "a write to a file",
                                            "a call done by another thread"};
    who_ = &csp::park(self, csp::wait::kernel, names[static_cast<std::size_t>(action)], where_);
    engine& outside = engine::here();
    outside.expect();
    if (until_ != no_deadline) csp::core::here().timers().set(*this, until_);
    if (action == file_action::function) {
        outside.pool().submit(*this);
    } else {
        outside.start(*this);
    }
}

result<std::int64_t> file_call::await_resume() const
{
    if (value >= 0) return value;
    return std::unexpected(
        error::of(timed_out_ && value == -ECANCELED ? error::past_deadline : static_cast<int>(-value)));
}

void file_call::complete(std::int64_t v)
{
    value = v;
    if (pending()) csp::core::here().timers().cancel(*this);
    engine::here().expect_no_more();
    csp::make_ready(*std::exchange(who_, nullptr));
}

void file_call::expired(csp::timer& t) noexcept
{
    auto& self = static_cast<file_call&>(t);
    self.timed_out_ = true;
    engine& outside = engine::here();
    if (self.action == file_action::function) {
        if (outside.pool().withdraw(self)) self.complete(-ECANCELED);
    } else {
        outside.cancel(self);
    }
}

// ---- the threads

file_pool::~file_pool()
{
    {
        const std::scoped_lock lock(mutex_);
        over_ = true;
    }
    wanted_.notify_all();
}

void file_pool::submit(file_call& c)
{
    const std::scoped_lock lock(mutex_);
    queue_.push_back(&c);
    if (idle_ < queue_.size() && threads_.size() < most_threads) {
        // A signal is the business of whoever awaits it, never of a thread that happens to run.
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        threads_.emplace_back([this] { work(); });
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    wanted_.notify_one();
}

bool file_pool::withdraw(file_call& c)
{
    const std::scoped_lock lock(mutex_);
    const auto at = std::ranges::find(queue_, &c);
    if (at == queue_.end()) return false;
    queue_.erase(at);
    return true;
}

std::vector<file_call*> file_pool::collect()
{
    const std::scoped_lock lock(mutex_);
    return std::exchange(done_, {});
}

void file_pool::work()
{
    std::unique_lock lock(mutex_);
    for (;;) {
        ++idle_;
        wanted_.wait(lock, [this] { return over_ || !queue_.empty(); });
        --idle_;
        if (queue_.empty()) return;
        file_call& c = *queue_.front();
        queue_.pop_front();
        lock.unlock();
        const std::int64_t value = c.perform();
        lock.lock();
        c.value = value;
        done_.push_back(&c);
        if (done_.size() == 1) engine_.wake();  // under the lock: the engine outlives it
    }
}

}  // namespace io::detail
