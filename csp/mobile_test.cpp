// SPDX-License-Identifier: MIT
//
// The law of what may cross from process to process, as a table.
#include "csp/mobile.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "csp/alt.hpp"
#include "csp/barrier.hpp"
#include "csp/channel.hpp"
#include "csp/frozen.hpp"
#include "csp/process.hpp"

namespace csp {
namespace {

struct page {
    std::string body;
    int status;
};
struct throws_when_moved {
    throws_when_moved(throws_when_moved&&) noexcept(false) {}
};
struct cannot_be_moved {
    cannot_be_moved(cannot_be_moved&&) = delete;
};
enum class colour { red, green };

static_assert(mobile<int>);
static_assert(mobile<colour>);
static_assert(mobile<std::string>);
static_assert(mobile<std::vector<std::string>>);
static_assert(mobile<std::unique_ptr<page>>);
static_assert(mobile<std::optional<page>>);
static_assert(mobile<std::variant<int, page>>);
static_assert(mobile<std::tuple<int, std::string>>);
static_assert(mobile<page>);
static_assert(mobile<chan<int>>);
static_assert(mobile<in<int>> && mobile<out<int>>);
static_assert(mobile<shared_in<int>> && mobile<shared_out<int>>);
static_assert(mobile<in<out<page>>>);
static_assert(mobile<std::vector<out<page>>>);
static_assert(mobile<frozen<page>>);
static_assert(mobile<barrier>);
static_assert(mobile<process>);
static_assert(mobile<decltype([](int) {})>);  // captures nothing

static_assert(!mobile<void>);
static_assert(!mobile<int&> && !mobile<const int&> && !mobile<int&&>);
static_assert(!mobile<int*> && !mobile<const char*> && !mobile<int (*)(int)>);
static_assert(!mobile<int page::*>);
static_assert(!mobile<const int>);
static_assert(!mobile<int[4]>);
static_assert(!mobile<std::string_view> && !mobile<std::u8string_view>);
static_assert(!mobile<std::span<int>> && !mobile<std::span<const char, 4>>);
static_assert(!mobile<std::reference_wrapper<int>>);
static_assert(!mobile<std::shared_ptr<int>> && !mobile<std::weak_ptr<int>>);
static_assert(!mobile<std::function<void()>>);
static_assert(!mobile<std::optional<std::string_view>>);
static_assert(!mobile<std::vector<int*>>);
static_assert(!mobile<std::variant<int, std::string_view>>);
static_assert(!mobile<std::pair<int, std::span<int>>>);
static_assert(!mobile<std::tuple<int, std::shared_ptr<int>>>);
static_assert(!mobile<std::vector<std::optional<std::tuple<int, const char*>>>>);
static_assert(!mobile<throws_when_moved>);
static_assert(!mobile<cannot_be_moved>);
static_assert(!mobile<step<int>>);

TEST(Mobile, RefusesWhatCaptures)
{
    int x = 1;
    const auto by_reference = [&x] { return x; };
    const auto by_value = [x] { return x; };
    static_assert(!mobile<std::remove_const_t<decltype(by_reference)>>);
    static_assert(!mobile<std::remove_const_t<decltype(by_value)>>);
    EXPECT_EQ(by_reference(), by_value());
}

// Ends are held by one, unless their type says that they are shared.
static_assert(!std::is_copy_constructible_v<in<int>> && !std::is_copy_constructible_v<out<int>>);
static_assert(std::is_copy_constructible_v<shared_in<int>> && std::is_copy_constructible_v<shared_out<int>>);
static_assert(!std::is_copy_constructible_v<chan<int>>);

}  // namespace
}  // namespace csp
