// SPDX-License-Identifier: MIT
#include "io/file_call.hpp"

#include <cerrno>
#include <csignal>
#include <exception>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

#include "csp/check.hpp"

namespace io::detail {

std::int64_t file_call::perform() const noexcept
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
                return call_function();
        }
    } while (done < 0 && errno == EINTR);
    return done < 0 ? -errno : done;
}

std::int64_t file_call::call_function() const noexcept
{
    try {
        return function(argument);
    } catch (const std::exception&) {
        return -ENOMEM;
    }
}

void file_call::await_suspend(std::coroutine_handle<> self)
{
    static constexpr const char* names[] = {"a file to open", "a read from a file", "a write to a file",
                                            "a call done by another thread"};
    // First, because it may throw for lack of memory, and a call that was not started can still be abandoned.
    if (until_ != no_deadline) csp::core::here().timers().set(*this, until_);
    who_ = &csp::park(self, csp::wait::kernel, names[static_cast<std::size_t>(action)], where_);
    engine& outside = engine::here();
    outside.expect();
    if (action == file_action::function) {
        outside.pool_for(*this).submit(*this);
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
        if (outside.pool_for(self).withdraw(self)) self.complete(-ECANCELED);
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

void file_pool::push(file_call& c)
{
    c.next = nullptr;
    (first_ == nullptr ? first_ : last_->next) = &c;
    last_ = &c;
    ++queued_;
}

file_call& file_pool::pop()
{
    --queued_;
    return *std::exchange(first_, first_->next);
}

void file_pool::submit(file_call& c)
{
    {
        const std::scoped_lock lock(mutex_);
        if (idle_ <= queued_ && threads_.size() < most_threads) start_thread();
        if (!threads_.empty()) {
            push(c);
            wanted_.notify_one();
            return;
        }
    }
    c.complete(-EAGAIN);
}

/// Does not report failure: submit() checks whether there is a thread.
void file_pool::start_thread() noexcept
{
    // Signals are read from a signalfd; no thread may receive them.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        threads_.emplace_back([this] { work(); });
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): see above
        // No thread can be started. The existing ones continue; if there are none, the call fails.
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

bool file_pool::withdraw(file_call& c)
{
    const std::scoped_lock lock(mutex_);
    file_call* before = nullptr;
    for (file_call* at = first_; at != nullptr; before = std::exchange(at, at->next)) {
        if (at != &c) continue;
        (before == nullptr ? first_ : before->next) = c.next;
        if (last_ == &c) last_ = before;
        --queued_;
        return true;
    }
    return false;
}

file_call* file_pool::collect()
{
    const std::scoped_lock lock(mutex_);
    return std::exchange(done_, nullptr);
}

void file_pool::work()
{
    std::unique_lock lock(mutex_);
    for (;;) {
        ++idle_;
        wanted_.wait(lock, [this] { return over_ || queued_ > 0; });
        --idle_;
        if (queued_ == 0) return;
        file_call& c = pop();
        lock.unlock();
        const std::int64_t value = c.perform();
        lock.lock();
        c.value = value;
        c.next = std::exchange(done_, &c);
        if (c.next == nullptr) engine_.wake();  // under the lock, so that the engine is not destroyed before this
    }
}

}  // namespace io::detail
