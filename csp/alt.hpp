// SPDX-License-Identifier: MIT
//
// ALT: waits until one of several inputs is possible and says which; the input itself is made in the chosen branch.
//
//   auto chosen = co_await pri_alt(stop, when(room_left, requests), timeout);
//   if (chosen == stop) ... else if (chosen == requests) { auto r = co_await requests.input(); ... }
//
// pri_alt takes the first guard in the order written that is ready. fair_alt draws uniformly among those that are, so a
// guard that stays ready is taken within n choices on average whatever the others do. A closed channel is ready: its
// input yields empty.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <ranges>
#include <source_location>
#include <tuple>
#include <utility>

#include "csp/channel.hpp"

namespace csp {

/// Which guard an ALT chose.
class selection {
  public:
    selection(const void* what, std::size_t position) : what_(what), position_(position) {}

    /// The place of the chosen guard among all those given, from 0; the elements of a range count one each.
    [[nodiscard]] std::size_t position() const { return position_; }

    template <class End>
        requires requires(const End& end) { end.guarded(); }
    [[nodiscard]] bool operator==(const End& end) const
    {
        return what_ == end.guarded();
    }

  private:
    const void* what_;
    std::size_t position_;
};

/// An alternative that is always ready: what pri_alt takes when no other is.
struct skip_guard {
    [[nodiscard]] const void* guarded() const { return this; }
};
inline constexpr skip_guard skip;

/// An alternative that becomes ready at a moment. Keep it in a variable to compare the selection with.
class timeout {
  public:
    explicit timeout(time_point at) : at_(at) {}
    [[nodiscard]] time_point at() const { return at_; }
    [[nodiscard]] const void* guarded() const { return this; }

  private:
    time_point at_;
};

[[nodiscard]] inline timeout at(time_point moment) { return timeout(moment); }
[[nodiscard]] inline timeout after(duration d) { return timeout(core::here().now() + d); }

/// A guard that counts only if `condition`: occam's boolean guard.
template <class End>
struct guarded_end {
    bool condition;
    End& end;
};
template <class End>
[[nodiscard]] guarded_end<End> when(bool condition, End& end)
{
    return {condition, end};
}

namespace detail {

// What an ALT does with each kind of guard: count how many of it are ready, tell the k-th of those, wait on all, and
// wait no longer. `size` is the number of positions it takes.

class channel_guard {
  public:
    template <class End>
    explicit channel_guard(const End& end) : channel_(end.guarded())
    {
    }
    [[nodiscard]] static std::size_t size() { return 1; }
    [[nodiscard]] std::uint32_t count_ready() const
    {
        return channel_ != nullptr && channel_->ready_to_input() ? 1 : 0;
    }
    [[nodiscard]] selection ready_one(std::uint32_t /*k*/, std::size_t position) const { return {channel_, position}; }
    void enable(alternative_operation& alt)
    {
        if (channel_ != nullptr) channel_->enable(alt);
    }
    void disable() noexcept
    {
        if (channel_ != nullptr) channel_->disable();
    }

  private:
    channel_base* channel_;
};

/// Which of eight are ready. To count them and to find the k-th takes no branch: one that depends on a draw is
/// mispredicted more often than not, and spoils the prediction of others.
class ready_eight {
  public:
    ready_eight() = default;
    /// In each byte of `word`, from the lowest, 1 if that is ready, else 0.
    explicit ready_eight(std::uint64_t word) : up_to_each_(word * each) {}
    [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(up_to_each_ >> 56); }
    /// The place of the k-th that is ready, from 0. REQUIRES: k < count().
    [[nodiscard]] std::size_t kth(std::uint32_t k) const
    {
        // The first whose sum exceeds k: of 128 + sum - (k + 1) it keeps the 128.
        const std::uint64_t exceeding = ((up_to_each_ | each * 128) - each * (k + 1)) & each * 128;
        return static_cast<std::size_t>(std::countr_zero(exceeding)) / 8;
    }

  private:
    static constexpr std::uint64_t each = 0x0101010101010101U;
    // In each byte, how many are ready up to there: the product is the word and all its shifts by bytes, added.
    std::uint64_t up_to_each_;
};

template <class Range>
class range_guard {
  public:
    explicit range_guard(const Range& ends) : ends_(&ends) {}
    [[nodiscard]] std::size_t size() const { return std::ranges::size(*ends_); }
    [[nodiscard]] std::uint32_t count_ready()
    {
        const std::size_t all = size();
        std::uint64_t first = 0;
        const auto add = [&](std::size_t i) {
            first |= std::uint64_t{(*ends_)[i].guarded()->ready_to_input()} << (8 * i);
        };
        if (all >= 8) {
            for (std::size_t i = 0; i < 8; ++i) add(i);
        } else {
            for (std::size_t i = 0; i < all; ++i) add(i);
        }
        first_ = ready_eight(first);
        std::uint32_t ready = first_.count();
        for (std::size_t i = 8; i < all; ++i) ready += (*ends_)[i].guarded()->ready_to_input() ? 1U : 0U;
        return ready;
    }
    /// REQUIRES: `k` is less than what count_ready() has just said.
    [[nodiscard]] selection ready_one(std::uint32_t k, std::size_t position) const
    {
        std::size_t place = 8;
        if (const std::uint32_t before = first_.count(); k < before) {
            place = first_.kth(k);
        } else {
            for (k -= before; !(*ends_)[place].guarded()->ready_to_input() || k-- > 0;) ++place;
        }
        return {(*ends_)[place].guarded(), position + place};
    }
    void enable(alternative_operation& alt)
    {
        for (const auto& end : *ends_) end.guarded()->enable(alt);
    }
    void disable() noexcept
    {
        for (const auto& end : *ends_) end.guarded()->disable();
    }

  private:
    const Range* ends_;
    ready_eight first_;  // as count_ready() found them; any others are looked through again
};

class timeout_guard {
  public:
    explicit timeout_guard(const timeout& t) : timeout_(t) {}
    [[nodiscard]] static std::size_t size() { return 1; }
    [[nodiscard]] std::uint32_t count_ready() const { return timeout_.at() <= core::here().now() ? 1 : 0; }
    [[nodiscard]] selection ready_one(std::uint32_t /*k*/, std::size_t position) const
    {
        return {timeout_.guarded(), position};
    }
    void enable(alternative_operation& alt)
    {
        timer_.alt = &alt;
        core::here().timers().set(timer_, timeout_.at());
    }
    void disable() noexcept { core::here().timers().cancel(timer_); }

  private:
    struct alternative_timer : timer {
        alternative_timer() : timer([](timer& t) noexcept { static_cast<alternative_timer&>(t).alt->fire(); }) {}
        alternative_operation* alt = nullptr;
    };
    const timeout& timeout_;
    alternative_timer timer_;
};

class always_guard {
  public:
    explicit always_guard(const skip_guard& s) : skip_(s) {}
    [[nodiscard]] static std::size_t size() { return 1; }
    [[nodiscard]] static std::uint32_t count_ready() { return 1; }
    [[nodiscard]] selection ready_one(std::uint32_t /*k*/, std::size_t position) const
    {
        return {skip_.guarded(), position};
    }
    static void enable(alternative_operation& alt) { alt.fire(); }
    static void disable() noexcept {}

  private:
    const skip_guard& skip_;
};

/// Which guard stands for a source in an ALT. A source of another kind (a bridge's end, an I/O engine's) names its own
/// as a nested `guard`, made from the source.
template <class Source>
struct guard_for {
    using type = typename Source::guard;
};
template <class Source>
    requires requires(Source& end) {
        { end.guarded() } -> std::convertible_to<channel_base*>;
    }
struct guard_for<Source> {
    using type = channel_guard;
};
template <>
struct guard_for<timeout> {
    using type = timeout_guard;
};
template <>
struct guard_for<skip_guard> {
    using type = always_guard;
};
template <std::ranges::random_access_range Range>
struct guard_for<Range> {
    using type = range_guard<Range>;
};
template <class Source>
using guard_of = typename guard_for<std::remove_cvref_t<Source>>::type;

/// A guard that counts only if its condition held when the ALT was entered.
template <class End>
class conditional_guard {
  public:
    explicit conditional_guard(const guarded_end<End>& g) : counts_(g.condition), guard_(g.end) {}
    [[nodiscard]] std::size_t size() const { return guard_.size(); }
    [[nodiscard]] std::uint32_t count_ready() { return counts_ ? guard_.count_ready() : 0; }
    [[nodiscard]] selection ready_one(std::uint32_t k, std::size_t position) const
    {
        return guard_.ready_one(k, position);
    }
    void enable(alternative_operation& alt)
    {
        if (counts_) guard_.enable(alt);
    }
    void disable() noexcept
    {
        if (counts_) guard_.disable();
    }

  private:
    bool counts_;
    guard_of<End> guard_;
};
template <class End>
struct guard_for<guarded_end<End>> {
    using type = conditional_guard<End>;
};

enum class preference : std::uint8_t { first, any };

template <preference Preference, class... Guards>
class [[nodiscard("await it")]] alternative : alternative_operation {
  public:
    template <class... Sources>
    explicit alternative(std::source_location where, Sources&... sources) : guards_(sources...), where_(where)
    {
    }
    alternative(const alternative&) = delete;
    alternative& operator=(const alternative&) = delete;
    ~alternative() { stop_waiting(); }

    bool await_ready() { return choose() > 0; }
    bool await_suspend(std::coroutine_handle<> self)
    {
        waiting_ = true;
        who = &park(self, wait::alternative, static_cast<alternative_operation*>(this), where_);
        std::apply([this](auto&... g) { (g.enable(*this), ...); }, guards_);
        return true;
    }
    selection await_resume()
    {
        if (waiting_) {
            stop_waiting();
            CSP_CHECK(choose() > 0, "an ALT was woken with no guard ready");
        }
        return chosen_;
    }

  private:
    void stop_waiting() noexcept
    {
        if (!std::exchange(waiting_, false)) return;
        std::apply([](auto&... g) { (g.disable(), ...); }, guards_);
    }

    /// Yields how many guards are ready; if any is, chosen_ is one of them.
    std::uint32_t choose()
    {
        if constexpr (Preference == preference::first) {
            std::size_t position = 0;
            const auto take_first = [&](auto& g) {
                if (g.count_ready() > 0) {
                    chosen_ = g.ready_one(0, position);
                    return true;
                }
                position += g.size();
                return false;
            };
            return std::apply([&](auto&... g) { return (take_first(g) || ...) ? 1U : 0U; }, guards_);
        } else {
            std::array<std::uint32_t, sizeof...(Guards)> ready{};
            std::uint32_t all = 0;
            std::apply(
                [&](auto&... g) {
                    std::size_t i = 0;
                    ((all += ready[i++] = g.count_ready()), ...);
                },
                guards_);
            if (all == 0) return 0;
            // First to count and then to take the k-th is the fastest, though the choice before must be done for it:
            // over 8 busy channels one or two draws of a place that may be ready took 7 ns more, a draw anew at each
            // that is ready more still.
            std::uint32_t k = all == 1 ? 0 : core::here().random_below(all);
            std::size_t position = 0;
            std::size_t i = 0;
            const auto take_kth = [&](auto& g) {
                if (k < ready[i]) {
                    chosen_ = g.ready_one(k, position);
                    return true;
                }
                k -= ready[i++];
                position += g.size();
                return false;
            };
            std::apply([&](auto&... g) { (take_kth(g) || ...); }, guards_);
            return all;
        }
    }

    std::tuple<Guards...> guards_;
    std::source_location where_;
    selection chosen_{nullptr, 0};
    bool waiting_ = false;
};

}  // namespace detail

// Classes rather than functions, because a function's default argument cannot follow a parameter pack.

template <class... Sources>
struct [[nodiscard("await it")]] pri_alt
    : detail::alternative<detail::preference::first, detail::guard_of<Sources>...> {
    explicit pri_alt(Sources&&... sources, std::source_location where = std::source_location::current())
        : detail::alternative<detail::preference::first, detail::guard_of<Sources>...>(where, sources...)
    {
    }
};
template <class... Sources>
pri_alt(Sources&&...) -> pri_alt<Sources...>;

template <class... Sources>
struct [[nodiscard("await it")]] fair_alt : detail::alternative<detail::preference::any, detail::guard_of<Sources>...> {
    explicit fair_alt(Sources&&... sources, std::source_location where = std::source_location::current())
        : detail::alternative<detail::preference::any, detail::guard_of<Sources>...>(where, sources...)
    {
    }
};
template <class... Sources>
fair_alt(Sources&&...) -> fair_alt<Sources...>;

}  // namespace csp
