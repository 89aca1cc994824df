// SPDX-License-Identifier: MIT
#include "server/observers/config.hpp"

namespace server {

csp::process config(settings s, std::vector<csp::bridge_out<settings>> to_cores)
{
    for (auto& to_core : to_cores) co_await to_core.output(s);
}

}  // namespace server
