// SPDX-License-Identifier: MIT
//
// A request and its reply, as one step.
//
//   struct price_question { std::string of; out<int> answer = {}; };   the question carries the end for its answer
//
//   auto price = co_await ask(to_shop, price_question{.of = "tea"});      the client: empty if there is no answer
//
//   while (auto question = co_await questions.input()) {                  the server
//       co_await question->answer.output(price_of(question->of));
//   }
//
// The client takes the answer before it does anything else. So a server never waits for a client that waits for
// something else, and in the client-server order of a network the answer needs no place of its own.
#pragma once

#include <optional>
#include <utility>

#include "csp/bridge.hpp"
#include "csp/channel.hpp"
#include "csp/process.hpp"

namespace csp {

namespace detail {

/// The channel that an answer comes by: made by the client, on its own core.
template <class End>
struct reply_by;
template <class T>
struct reply_by<out<T>> {
    using answer = T;
    static chan<T> make() { return chan<T>(); }
};
template <class T>
struct reply_by<bridge_out<T>> {
    using answer = T;
    static bridge<T> make() { return bridge<T>(core::here()); }
};

}  // namespace detail

/// A question is a message with a member `answer`: an out<T> if client and server run on the same core, a bridge_out<T>
/// if they may run on different cores. ask() sets this member.
template <class Q>
concept question = mobile<Q> && requires { typename detail::reply_by<decltype(Q::answer)>::answer; };

template <question Q>
using answer_to = typename detail::reply_by<decltype(Q::answer)>::answer;

/// Sends the question and waits for its answer. Empty: the server has ended, or has dropped the question. `to` is any
/// writing end whose messages can be made from a question, so several kinds may share one channel as a std::variant.
template <class To, question Q>
step<std::optional<answer_to<Q>>> ask(To& to, Q what)
{
    auto reply = detail::reply_by<decltype(Q::answer)>::make();
    auto answers = reply.rx();
    what.answer = reply.tx();
    if (!co_await to.output(std::move(what))) co_return std::nullopt;
    co_return co_await answers.input();
}

}  // namespace csp
