// SPDX-License-Identifier: MIT
#include "io/signals.hpp"

#include <csignal>

#include <gtest/gtest.h>

#include "csp/par.hpp"
#include "io/test_engines.hpp"

namespace io::test {
namespace {

using csp::process;

class signals : public on_engine {
  protected:
    void SetUp() override
    {
        pthread_sigmask(SIG_SETMASK, nullptr, &before_);
        on_engine::SetUp();
        block_signals({SIGUSR1, SIGUSR2});
    }
    void TearDown() override
    {
        on_engine::TearDown();
        pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }

  private:
    sigset_t before_{};
};
ON_BOTH_ENGINES(signals);

process listen_for(int count)
{
    signal_set heard = *signal_set::open({SIGUSR1, SIGUSR2});
    auto quiet = csp::after(5ms);
    EXPECT_TRUE((co_await csp::pri_alt(heard, quiet)) == quiet);
    for (int i = 0; i < count; ++i) {
        const int sent = i % 2 == 0 ? SIGUSR1 : SIGUSR2;
        kill(getpid(), sent);
        if (i % 3 == 0) {
            auto late = csp::at(soon());
            EXPECT_TRUE((co_await csp::pri_alt(heard, late)) == heard);
        }
        EXPECT_EQ(co_await heard.next(), sent);
    }
}
TEST_P(signals, are_events) { run(listen_for(20)); }

process kill_later()
{
    co_await csp::sleep(5ms);
    kill(getpid(), SIGUSR2);
}
process wait_for_signal(signal_set heard) { EXPECT_EQ(co_await heard.next(), SIGUSR2); }
process both()
{
    EXPECT_EQ((co_await csp::par(wait_for_signal(*signal_set::open({SIGUSR2})), kill_later())).faulted, 0U);
}
TEST_P(signals, wake_who_waits) { run(both()); }

}  // namespace
}  // namespace io::test
