// SPDX-License-Identifier: MIT
#include "server/lifecycle/run.hpp"
#include "server/testing/trials.hpp"

int main(int count, const char** words)
{
    return server::run_server(
        count, words, {.network = server::test::server_with_trials, .engines = server::test::engines_with_trials});
}
