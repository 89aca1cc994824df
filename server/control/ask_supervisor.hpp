// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <utility>

#include "csp/channel.hpp"
#include "csp/process.hpp"
#include "server/control/orders.hpp"

namespace server {

/// The supervisor's answer to an order that has the end for it; nothing if the server is ending.
template <class Answer, class Order>
csp::step<std::optional<Answer>> ask_supervisor(csp::shared_out<supervisor_order>& to_supervisor, Order what,
                                                csp::out<Answer> Order::* answer)
{
    csp::chan<Answer> reply;
    csp::in<Answer> answers = reply.rx();
    what.*answer = reply.tx();
    if (!co_await to_supervisor.output(std::move(what))) co_return std::nullopt;
    co_return co_await answers.input();
}

}  // namespace server
