// SPDX-License-Identifier: MIT
//
// What the tests of the server share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <utility>
#include <variant>

#include <gtest/gtest.h>

#include "csp/test_support.hpp"
#include "io/engine.hpp"
#include "server/messages/connection.hpp"
#include "server/messages/exchange.hpp"

namespace server::test {

/// Bytes as an engine delivers them.
inline io::buffer arrived(io::engine& from, std::string_view text)
{
    io::buffer b = from.owned().new_buffer();
    const auto space = b.space();
    EXPECT_LE(text.size(), space.size());
    std::ranges::copy(text, space.begin());
    b.append(text.size());
    return b;
}

/// Takes all messages and drops them.
template <class Input>
csp::process sink(Input from)
{
    while (co_await from.input()) {
    }
}

/// The two ends of a connection; neither blocks.
struct connected {
    io::socket server;
    io::descriptor client;
};
inline connected connected_pair()
{
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    return {io::socket(io::descriptor(ends[0])), io::descriptor(ends[1])};
}

/// Puts `text` into the connection's input and looks for the end of a head in it, as parking does.
inline void receive(connection& c, io::buffer&& text, const http::limits& sizes = {})
{
    c.input.add(std::move(text));
    const auto length = http::head_scan().feed(c.input.text(), sizes);
    if (!length) {
        c.now = connection::has_request{.head = std::unexpected(length.error())};
    } else if (*length) {
        c.now = connection::has_request{.head = **length};
    }
}

/// A policy without a site.
inline policy policy_without_site()
{
    policy p{.names = site_table({}),
             .roots = {},
             .sites = {},
             .patience = {},
             .limits = {},
             .connections = 100,
             .clients = {},
             .proxies = {},
             .stats = {}};
    p.roots.emplace_back();
    p.sites.push_back({.pages = {}, .root = 0, .name = {}, .key = 0});
    return p;
}

/// One site, the default, of the files beneath that directory; without one, of none.
inline frozen_policy default_policy(io::directory root = {}, static_rules files = {})
{
    policy p = policy_without_site();
    p.names = site_table({{.names = {}, .is_default = true, .files = files}});
    route_table routes(files.routes);
    p.roots.insert(p.roots.begin(), std::move(root));
    p.sites.front().root = 1;
    p.sites.insert(p.sites.begin(),
                   {.pages = {std::move(files), {}, {}, std::move(routes)}, .root = 0, .name = "test", .key = 1});
    return frozen_policy(std::move(p));
}

/// A test kernel that also has an engine, for its memory and for sockets that take bytes at once.
class engine_kernel : public csp::test_kernel {
  public:
    explicit engine_kernel(std::uint64_t seed) : test_kernel(seed)
    {
        auto made = io::make_engine(io::engine_choice::epoll, on());
        EXPECT_TRUE(made.has_value());
        engine_ = std::move(*made);
        on().set_outside(engine_.get());
    }
    ~engine_kernel()
    {
        on().end_all();  // processes that have not ended still use the engine
        on().set_outside(nullptr);
    }

    [[nodiscard]] io::engine& engine() { return *engine_; }
    /// Runs until no process is ready and nothing has come from outside either.
    void settle_with_sockets()
    {
        do {
            run_until_quiescent();
            engine_->wait(csp::time_point());  // which has passed
        } while (on().has_ready());
    }
    /// A connection with its client, which only this kernel holds: what it is sent stays in the kernel.
    [[nodiscard]] conn connection_with(std::string_view text, const http::limits& sizes = {})
    {
        auto ends = connected_pair();
        auto c = std::make_unique<connection>(std::move(ends.server));
        clients_.emplace(c.get(), std::move(ends.client));
        c->client.text = "test";
        if (!text.empty()) receive(*c, arrived(*engine_, text), sizes);
        c->by = policy_;
        return c;
    }
    /// Of the connections.
    [[nodiscard]] const frozen_policy& policy() const { return policy_; }
    /// What the client of `c` has been sent and not read yet.
    [[nodiscard]] std::string sent_to(const connection& c)
    {
        std::string text(1 << 20, '\0');
        const ssize_t got = ::recv(clients_.at(&c).number(), text.data(), text.size(), 0);
        text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return text;
    }

  private:
    std::unique_ptr<io::engine> engine_;
    frozen_policy policy_ = default_policy();
    std::map<const connection*, io::descriptor> clients_;
};

inline http::canonical_path path(std::string_view text)
{
    auto p = http::canonicalize(text);
    EXPECT_TRUE(p.has_value()) << text;
    return std::move(*p);
}

/// A request for a page, on a connection of its own that persists.
inline exchange request_for(engine_kernel& k, std::string_view asked_for)
{
    auto x = std::make_unique<exchange_record>(http1_carrier{k.connection_with(""), http1_carrier::keep_open()});
    x->by = k.policy();
    x->asked.path = path(asked_for);
    x->asked.path_hash = std::hash<std::string_view>()(asked_for);
    return x;
}

/// A page as if made from a file of that content.
inline frozen_page page_of(std::string_view content, std::uint64_t version = 0)
{
    page p{.made_from = {{.inode = version}}, .in = {}};
    description about;
    about.media_type = "text/plain";
    about.etag = "\"x\"";
    about.bytes = content.size();
    p.in.front() = representation{about, ready_response(http::status::ok, full_fields(about), content)};
    return frozen_page(std::move(p));
}

/// A large file, kept open.
inline frozen_page page_of_open_file()
{
    page p = *page_of("");
    p.file = csp::frozen<io::file>(io::file());
    return frozen_page(std::move(p));
}

/// That there is nothing, told with this text; the request's id belongs at `id_at` in it.
inline frozen_page page_of_absence(std::string_view text = "nothing", std::size_t id_at = ready_error::nowhere)
{
    page p{.made_from = {file_identity()}, .in = {}};
    p.settled = false;
    const ready_error form{ready_response(http::status::not_found, {}, text), id_at};
    p.nothing = absence{.why = {http::status::not_found, "nothing"}, .in = {form, form, form}};
    return frozen_page(std::move(p));
}

/// A directory that goes with the test.
class scratch_directory {
  public:
    scratch_directory()
    {
        std::string name = (std::filesystem::temp_directory_path() / "occwserv-test-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        path_ = name;
    }
    scratch_directory(const scratch_directory&) = delete;
    scratch_directory& operator=(const scratch_directory&) = delete;
    ~scratch_directory()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::string path() const { return path_.string(); }
    std::string write(const std::string& name, std::string_view text) const
    {
        const auto file = path_ / name;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary) << text;
        return file.string();
    }
    [[nodiscard]] std::string read(const std::string& name) const
    {
        std::ifstream file(path_ / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }

  private:
    std::filesystem::path path_;
};

}  // namespace server::test
