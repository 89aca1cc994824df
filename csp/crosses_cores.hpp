// SPDX-License-Identifier: MIT
//
// What may be sent from core to core.
#pragma once

#include <optional>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "csp/barrier.hpp"
#include "csp/channel.hpp"
#include "csp/frozen.hpp"
#include "csp/mobile.hpp"

namespace csp {

/// Types that belong to one core, because what they share with others there is not locked.
template <class T>
inline constexpr bool stays_on_its_core = false;
template <class T>
inline constexpr bool stays_on_its_core<in<T>> = true;
template <class T>
inline constexpr bool stays_on_its_core<out<T>> = true;
template <class T>
inline constexpr bool stays_on_its_core<shared_in<T>> = true;
template <class T>
inline constexpr bool stays_on_its_core<shared_out<T>> = true;
template <class T>
inline constexpr bool stays_on_its_core<chan<T>> = true;
template <class T>
inline constexpr bool stays_on_its_core<frozen<T>> = true;
template <>
inline constexpr bool stays_on_its_core<barrier> = true;
template <class T>
inline constexpr bool stays_on_its_core<std::optional<T>> = stays_on_its_core<T>;
template <class T, class Allocator>
inline constexpr bool stays_on_its_core<std::vector<T, Allocator>> = stays_on_its_core<T>;
template <class... T>
inline constexpr bool stays_on_its_core<std::variant<T...>> = (stays_on_its_core<T> || ...);
template <class... T>
inline constexpr bool stays_on_its_core<std::tuple<T...>> = (stays_on_its_core<T> || ...);
template <class A, class B>
inline constexpr bool stays_on_its_core<std::pair<A, B>> = stays_on_its_core<A> || stays_on_its_core<B>;

/// What may be sent over a bridge.
template <class T>
concept crosses_cores = mobile<T> && !stays_on_its_core<T>;

}  // namespace csp
