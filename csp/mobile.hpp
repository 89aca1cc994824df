// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace csp {

/// True for types that refer to an object which they do not own. Specialize it to true for a view type of your own.
template <class T>
inline constexpr bool borrows = std::is_reference_v<T> || std::is_pointer_v<T> || std::is_member_pointer_v<T>;

template <class C, class Traits>
inline constexpr bool borrows<std::basic_string_view<C, Traits>> = true;
template <class T, std::size_t Extent>
inline constexpr bool borrows<std::span<T, Extent>> = true;
template <class T>
inline constexpr bool borrows<std::reference_wrapper<T>> = true;
template <class T>
inline constexpr bool borrows<std::shared_ptr<T>> = true;
template <class T>
inline constexpr bool borrows<std::weak_ptr<T>> = true;
template <class F>
inline constexpr bool borrows<std::function<F>> = true;

// A container of such a type is such a type.
template <class T>
inline constexpr bool borrows<std::optional<T>> = borrows<T>;
template <class T, class Allocator>
inline constexpr bool borrows<std::vector<T, Allocator>> = borrows<T>;
template <class... T>
inline constexpr bool borrows<std::variant<T...>> = (borrows<T> || ...);
template <class A, class B>
inline constexpr bool borrows<std::pair<A, B>> = borrows<A> || borrows<B>;
template <class... T>
inline constexpr bool borrows<std::tuple<T...>> = (borrows<T> || ...);

namespace detail {

// A closure type cannot be named, but it has exactly one call operator and, if it captures, is not empty.
template <class T>
concept has_call_operator = requires { &T::operator(); };

template <class T>
concept capturing_closure = std::is_class_v<T> && has_call_operator<T> && !std::is_empty_v<T>;

}  // namespace detail

/// A type whose objects can pass from one process to another, as a message or a parameter: moving one cannot fail, and
/// it owns everything it refers to. The sender keeps no part of it, so nothing is ever shared.
///
/// The trait is a heuristic: a pointer hidden in a struct passes. Keep the types that travel in one place and review
/// them.
template <class T>
concept mobile = std::is_object_v<T> && !std::is_const_v<T> && std::is_nothrow_move_constructible_v<T> &&
                 std::is_nothrow_destructible_v<T> && !borrows<T> && !detail::capturing_closure<T>;

}  // namespace csp
