// SPDX-License-Identifier: MIT
//
// What the tests of the server share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "csp/test_support.hpp"
#include "io/engine.hpp"
#include "server/connection.hpp"
#include "server/exchange.hpp"

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

/// Puts `text` into the connection's input and looks for the end of a head in it, as parking does.
inline void receive(connection& c, io::buffer&& text, const http::limits& sizes = {})
{
    c.input.add(std::move(text));
    const auto length = c.scan.feed(c.input.text(), sizes);
    if (!length) {
        c.refused = length.error();
    } else if (*length) {
        c.head_bytes = **length;
    }
}

/// A test kernel that also has the memory of an engine, for connections without a socket.
class buffers_kernel : public csp::test_kernel {
  public:
    explicit buffers_kernel(std::uint64_t seed) : test_kernel(seed)
    {
        auto made = io::make_engine(io::engine_choice::epoll, on());
        EXPECT_TRUE(made.has_value());
        engine_ = std::move(*made);
    }
    [[nodiscard]] io::engine& engine() { return *engine_; }
    [[nodiscard]] conn connection_with(std::string_view text, const http::limits& sizes = {})
    {
        auto c = std::make_unique<connection>(io::socket());
        receive(*c, arrived(*engine_, text), sizes);
        return c;
    }

  private:
    std::unique_ptr<io::engine> engine_;
};

inline http::canonical_path path(std::string_view text)
{
    auto p = http::canonicalize(text);
    EXPECT_TRUE(p.has_value()) << text;
    return std::move(*p);
}

inline frozen_page page_of(std::string content, http::status code = http::status::ok)
{
    page p{.code = code, .fields = {}, .content = std::move(content), .made_from = {}};
    p.fields.add("Content-Length", p.content.size());
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
