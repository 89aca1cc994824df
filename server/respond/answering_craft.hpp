// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

#include "csp/channel.hpp"
#include "server/messages/exchange.hpp"
#include "server/respond/respond.hpp"

namespace server {

/// The common part of the crafts (see farm.hpp) whose workers answer exchanges: an answered exchange goes to the back
/// end. So does one whose work has thrown, as incomplete, and the back end closes its connection.
class answering_craft {
  public:
    using request = exchange;

    explicit answering_craft(csp::shared_out<exchange> to_back_end) : to_back_end_(std::move(to_back_end)) {}

    auto pass_on(exchange& x) { return to_back_end_.output(std::move(x)); }
    auto give_up(exchange& x)
    {
        x->sent.complete = false;
        return pass_on(x);
    }

  protected:
    head_cache heads_;

  private:
    csp::shared_out<exchange> to_back_end_;
};

}  // namespace server
