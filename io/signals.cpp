// SPDX-License-Identifier: MIT
#include "io/signals.hpp"

#include <csignal>
#include <sys/signalfd.h>

namespace io {
namespace {

template <class Signals>
sigset_t as_set(const Signals& signals)
{
    sigset_t set;
    sigemptyset(&set);
    for (const int s : signals) sigaddset(&set, s);
    return set;
}

}  // namespace

void block_signals(std::initializer_list<int> signals)
{
    const sigset_t set = as_set(signals);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

namespace detail {

signal_source::signal_source(descriptor signals)
    : watch([](watch& w) noexcept {
          auto& self = static_cast<signal_source&>(w);
          if (self.ready()) {
              self.notify();
          } else if (self.is_awaited()) {
              self.arm();
          }
      }),
      signals_(std::move(signals))
{
}

bool signal_source::ready()
{
    if (pending_ != 0) return true;
    if (!from_) from_ = socket(std::move(signals_));
    endpoint& e = from_.at();
    signalfd_siginfo came;
    if (!e.maybe_readable) return false;
    if (::read(e.fd, &came, sizeof came) == sizeof came) {
        pending_ = static_cast<int>(came.ssi_signo);
        return true;
    }
    e.maybe_readable = false;
    return false;
}

int signal_source::take() { return std::exchange(pending_, 0); }

}  // namespace detail

result<signal_set> signal_set::open(std::initializer_list<int> which)
{
    const sigset_t set = as_set(which);
    descriptor signals(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!signals) return std::unexpected(error::of_errno());
    return signal_set(std::move(signals));
}
}  // namespace io
