// SPDX-License-Identifier: MIT
#include "server/stats/witness.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "csp/ask.hpp"
#include "io/socket.hpp"

namespace server {

csp::step<std::vector<core_view>> ask_all(std::vector<csp::bridge_out<core_question>>& witnesses)
{
    std::vector<core_view> all;
    all.reserve(witnesses.size());
    for (auto& witness : witnesses) {
        all.push_back((co_await csp::ask(witness, core_question{})).value_or(core_view()));
    }
    co_return all;
}

csp::step<bool> all_answer(std::vector<csp::bridge_out<core_question>>& witnesses)
{
    for (auto& witness : witnesses) {
        const auto view = co_await csp::ask(witness, core_question{.is_probed = true});
        if (!view || !view->answers) co_return false;
    }
    co_return true;
}

namespace {

constexpr std::string_view probe_request = "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A connection from the server to itself, with a request that needs no file.
conn probe_from(io::socket server_end)
{
    auto probe = std::make_unique<connection>(std::move(server_end));
    io::buffer head = io::buffer::make();
    std::ranges::copy(probe_request, head.space().begin());
    head.append(probe_request.size());
    probe->input.add(std::move(head));
    probe->now = connection::has_request{.head = probe_request.size()};
    probe->client.text = "watchdog";
    probe->client.is_probe = true;
    return probe;
}

csp::step<bool> has_answer(io::socket& client)
{
    std::array<char, 1024> room;
    std::string answer;
    while (!answer.ends_with("\r\n\r\n")) {
        const auto got = co_await io::recv(client, room, io::no_deadline);
        if (!got || *got == 0) co_return false;
        answer.append(room.data(), *got);
    }
    co_return answer.starts_with("HTTP/1.1 204 ");
}

/// Sends a request through all stages from parking to the back end, and then a second one on the same connection, which
/// is answered only after the connection has returned to parking. Waits without a time limit. Returns true if there is
/// no descriptor for the connection: the processes are not at fault then.
csp::step<bool> is_answered(csp::shared_out<parking_question>& to_parking)
{
    auto ends = io::socket_pair();
    if (!ends) co_return true;
    if (!co_await csp::ask(to_parking, parking_question{.probe = probe_from(std::move(ends->second))})) co_return false;
    if (!co_await has_answer(ends->first)) co_return false;
    const auto sent = co_await io::send_all(ends->first, probe_request, io::no_deadline);
    if (!sent) co_return false;
    co_return co_await has_answer(ends->first);
}

csp::step<core_view> look(bool is_probed, csp::shared_out<parking_question>& to_parking,
                          csp::out<cache_question>& to_cache)
{
    core_view view;
    view.core = csp::core::here().index();
    view.connections = (co_await csp::ask(to_parking, parking_question{})).value_or(parking_view());
    view.cache = (co_await csp::ask(to_cache, cache_question{})).value_or(cache_view());
    view.processes = csp::kinds(csp::core::here());
    view.answers = is_probed && co_await is_answered(to_parking);
    co_return view;
}

}  // namespace

csp::process witness(csp::in<core_question> questions, csp::shared_out<parking_question> to_parking,
                     csp::out<cache_question> to_cache)
{
    while (auto question = co_await questions.input()) {
        std::optional<core_view> view;
        try {
            view = co_await look(question->is_probed, to_parking, to_cache);
        } catch (...) {
            csp::report_fault();  // the asker learns that there is no answer
        }
        if (view) co_await question->answer.output(std::move(*view));
    }
}

csp::process workshop_witness(csp::in<core_question> questions)
{
    while (auto question = co_await questions.input()) {
        const csp::core& here = csp::core::here();
        co_await question->answer.output({here.index(), {}, {}, csp::kinds(here), true});
    }
}

}  // namespace server
