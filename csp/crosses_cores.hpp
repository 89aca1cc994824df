// SPDX-License-Identifier: MIT
//
// The types that a bridge can send from one core to another.
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

/// True for types that must stay on their core, because they share unlocked state with other objects of that core.
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

/// A type whose values can be sent over a bridge.
template <class T>
concept crosses_cores = mobile<T> && !stays_on_its_core<T>;

}  // namespace csp
