// SPDX-License-Identifier: MIT
//
// ALT: waits until one of several inputs is possible and says which; the input itself is made in the chosen branch.
//
//   auto chosen = co_await pri_alt(stop, when(room_left, requests), timeout);
//   if (chosen == stop) ... else if (chosen == requests) { auto r = co_await requests.input(); ... }
//
// pri_alt takes the first ready guard in the order written. fair_alt begins its search after the guard that it took
// last, so in a loop a guard that stays ready is taken within as many choices as there are guards. A closed channel is
// ready, and its input returns empty; while_open skips closed channels. csp/doc/alt.md describes what is guaranteed.
#pragma once

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>

#include "csp/channel.hpp"
#include "csp/core.hpp"
#include "csp/detail/rendezvous.hpp"

namespace csp {

/// Which guard an ALT chose.
class selection {
  public:
    selection(const void* what, std::size_t position) : what_(what), position_(position) {}

    /// The position of the chosen guard among all guards, from 0; each element of a range counts as one.
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

/// An alternative that is always ready. As the last one of a pri_alt it is taken if no other is ready.
struct skip_guard {
    [[nodiscard]] const void* guarded() const { return this; }
};
inline constexpr skip_guard skip;

/// An alternative that becomes ready at a given time. Keep it in a variable, to compare the selection with it.
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

/// A guard that is considered only if `condition` is true: occam's boolean guard.
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

/// A source that is considered only while it is open: not if it is absent or closed, and not after it closes. So if it
/// is chosen, its input returns a message.
template <class End>
    requires requires(const End& e) {
        { e.guarded() } -> std::convertible_to<detail::channel_base*>;
    }
struct while_open {
    explicit while_open(const End& e) : end(e) {}
    const End& end;
};

/// The interface of a guard. To be an alternative of an ALT, a type has a nested type `guard` that models this concept
/// and is constructed from an object of the type.
///
///   ready()      true if an input from the source would not wait. Called when the ALT begins and after it has fired.
///   guarded()    the address that identifies the source; equal to the source's own guarded()
///   enable(alt)  from now on the source calls alt.fire() when it becomes ready; it does so at once if it is ready
///   disable()    the ALT has ended: the source must not use `alt` any more
template <class G>
concept guard = requires(G& g, const G& c, alternative_operation& alt) {
    { c.ready() } -> std::convertible_to<bool>;
    { c.guarded() } -> std::convertible_to<const void*>;
    g.enable(alt);
    { g.disable() } noexcept;
};

namespace detail {

// An ALT treats each guard as a sequence of places: most guards have one, a range has one for each element. The
// functions below hide the difference: they count the places, find the first that is ready, identify a place, and
// enable and disable all of them.

template <class Guard>
std::size_t size_of(const Guard& g)
{
    if constexpr (guard<Guard>) {
        return 1;
    } else {
        return g.size();
    }
}
/// The first ready place from `begin` on and before `end`; `end` if none is.
template <class Guard>
std::size_t first_ready(const Guard& g, std::size_t begin, std::size_t end)
{
    if constexpr (guard<Guard>) {
        return begin < end && !g.ready() ? end : begin;
    } else {
        return g.first_ready(begin, end);
    }
}
template <class Guard>
const void* guarded_at(const Guard& g, std::size_t place)
{
    if constexpr (guard<Guard>) {
        return g.guarded();
    } else {
        return g.guarded_at(place);
    }
}

class channel_guard {
  public:
    template <class End>
    explicit channel_guard(const End& end) : channel_(end.guarded())
    {
    }
    [[nodiscard]] bool ready() const { return channel_ != nullptr && channel_->ready_to_input(); }
    [[nodiscard]] const void* guarded() const { return channel_; }
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
static_assert(guard<channel_guard>);

class open_guard {
  public:
    template <class End>
    explicit open_guard(const while_open<End>& source) : channel_(source.end.guarded())
    {
        if (channel_ != nullptr && channel_->closed()) channel_ = nullptr;
    }
    [[nodiscard]] bool ready() const { return channel_ != nullptr && channel_->has_message(); }
    [[nodiscard]] const void* guarded() const { return channel_; }
    void enable(alternative_operation& alt)
    {
        if (channel_ != nullptr) channel_->enable_while_open(alt);
    }
    void disable() noexcept
    {
        if (channel_ != nullptr) channel_->disable();
    }

  private:
    channel_base* channel_;
};
static_assert(guard<open_guard>);

template <class Range>
class range_guard {
  public:
    explicit range_guard(const Range& ends) : ends_(&ends) {}
    [[nodiscard]] std::size_t size() const { return std::ranges::size(*ends_); }
    [[nodiscard]] std::size_t first_ready(std::size_t begin, std::size_t end) const
    {
        while (begin < end && !(*ends_)[begin].guarded()->ready_to_input()) ++begin;
        return begin;
    }
    [[nodiscard]] const void* guarded_at(std::size_t place) const { return (*ends_)[place].guarded(); }
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
};

class timeout_guard {
  public:
    explicit timeout_guard(const timeout& t) : timeout_(t) {}
    [[nodiscard]] bool ready() const { return timeout_.at() <= core::here().now(); }
    [[nodiscard]] const void* guarded() const { return timeout_.guarded(); }
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
static_assert(guard<timeout_guard>);

class always_guard {
  public:
    explicit always_guard(const skip_guard& s) : skip_(s) {}
    [[nodiscard]] static bool ready() { return true; }
    [[nodiscard]] const void* guarded() const { return skip_.guarded(); }
    static void enable(alternative_operation& alt) { alt.fire(); }
    static void disable() noexcept {}

  private:
    const skip_guard& skip_;
};
static_assert(guard<always_guard>);

/// The guard type of a source. Sources other than channel ends, such as those of an I/O engine, have a nested type
/// `guard`.
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
template <class End>
struct guard_for<while_open<End>> {
    using type = open_guard;
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

/// A guard that is considered only if its condition was true when the ALT began.
template <class End>
class conditional_guard {
  public:
    explicit conditional_guard(const guarded_end<End>& g) : counts_(g.condition), guard_(g.end) {}
    [[nodiscard]] std::size_t size() const { return size_of(guard_); }
    [[nodiscard]] std::size_t first_ready(std::size_t begin, std::size_t end) const
    {
        return counts_ ? detail::first_ready(guard_, begin, end) : end;
    }
    [[nodiscard]] const void* guarded_at(std::size_t place) const { return detail::guarded_at(guard_, place); }
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

enum class preference : std::uint8_t { first, in_turn };

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

    bool await_ready() { return choose(); }
    void await_suspend(std::coroutine_handle<> self)
    {
        waiting_ = true;
        who = &park(self, wait::alternative, static_cast<alternative_operation*>(this), where_);
        std::apply([this](auto&... g) { (g.enable(*this), ...); }, guards_);
    }
    selection await_resume()
    {
        if (waiting_) {
            stop_waiting();
            CSP_CHECK(choose(), "an ALT was woken with no guard ready");
        }
        return chosen_;
    }

  private:
    void stop_waiting() noexcept
    {
        if (!std::exchange(waiting_, false)) return;
        std::apply([](auto&... g) { (g.disable(), ...); }, guards_);
    }

    /// Returns whether a guard is ready, and sets chosen_ to one that is.
    bool choose()
    {
        const std::size_t all = std::apply([](const auto&... g) { return (size_of(g) + ...); }, guards_);
        if constexpr (Preference == preference::first) {
            return take_first(0, all);
        } else {
            place_of_alt& place = core::here().place_of(name(), all);
            const std::size_t from = place.next();
            if (!take_first(from, all) && !take_first(0, from)) return false;
            place.took(chosen_.position());
            return true;
        }
    }
    /// Takes the first ready guard at or after `from` and before `to`.
    bool take_first(std::size_t from, std::size_t to)
    {
        std::size_t position = 0;
        const auto take = [&](const auto& g) {
            const std::size_t end = std::min(size_of(g), to - std::min(to, position));
            const std::size_t begin = std::min(end, from - std::min(from, position));
            const std::size_t place = first_ready(g, begin, end);
            if (place < end) {
                chosen_ = {guarded_at(g, place), position + place};
                return true;
            }
            position += size_of(g);
            return false;
        };
        return std::apply([&](const auto&... g) { return (take(g) || ...); }, guards_);
    }
    /// Distinguishes this ALT from others of the core, by its place in the program and its first guard.
    [[nodiscard]] std::uintptr_t name() const
    {
        static_assert(sizeof where_ == sizeof(std::uintptr_t));
        const auto& first = std::get<0>(guards_);
        const void* const leads = size_of(first) > 0 ? guarded_at(first, 0) : nullptr;
        return std::bit_cast<std::uintptr_t>(where_) ^ reinterpret_cast<std::uintptr_t>(leads);
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
struct [[nodiscard("await it")]] fair_alt
    : detail::alternative<detail::preference::in_turn, detail::guard_of<Sources>...> {
    explicit fair_alt(Sources&&... sources, std::source_location where = std::source_location::current())
        : detail::alternative<detail::preference::in_turn, detail::guard_of<Sources>...>(where, sources...)
    {
    }
};
template <class... Sources>
fair_alt(Sources&&...) -> fair_alt<Sources...>;

}  // namespace csp
