// SPDX-License-Identifier: MIT
#include "server/lifecycle/run.hpp"
#include "server/network.hpp"

int main(int count, const char** words) { return server::run_server(count, words, {.network = server::web_server}); }
