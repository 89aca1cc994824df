// SPDX-License-Identifier: MIT
//
// PAR: runs processes in parallel and ends when all of them have ended.
//
//   co_await par(acceptor(...), front_end_farm(...), back_end(...));
//
// Outputs can run in parallel as well, as in occam's PAR of two outputs. They need no process:
//
//   co_await par(left.output(x), right.output(x));
#pragma once

#include <array>
#include <concepts>
#include <coroutine>
#include <cstdint>
#include <source_location>
#include <tuple>
#include <utility>
#include <vector>

#include "csp/detail/family.hpp"
#include "csp/process.hpp"

namespace csp {

/// How the processes of a PAR or a forking ended. Not [[nodiscard]], because the fault listener learns of all faults.
struct family_end {
    std::uint32_t faulted = 0;          // the number of children that ended by an exception
    const char* first_fault = nullptr;  // the first process that faulted, a child or below one; see record::name
};

namespace detail {

/// The awaiter of PAR and of forking::join().
class [[nodiscard("await it")]] join_awaiter {
  public:
    enum class until : std::uint8_t { end, fault_or_end };

    join_awaiter(family& f, std::source_location where, until what = until::end)
        : family_(f), where_(where), what_(what)
    {
    }
    [[nodiscard]] bool await_ready() const
    {
        return family_.living == 0 || (what_ == until::fault_or_end && family_.first_fault != nullptr);
    }
    void await_suspend(std::coroutine_handle<> self)
    {
        family_.parent = &park(self, wait::join, &family_, where_);
        family_.joining = true;
        family_.until_fault = what_ == until::fault_or_end;
    }
    family_end await_resume() const noexcept { return {family_.faulted, family_.first_fault}; }

  private:
    family& family_;
    std::source_location where_;
    until what_;
};

}  // namespace detail

template <class... Branches>
class [[nodiscard("await it")]] par;

template <std::same_as<process>... Processes>
class [[nodiscard("await it")]] par<Processes...> {
  public:
    explicit par(Processes&&... processes, std::source_location where = std::source_location::current())
        : join_(family_, where)
    {
        (detail::start(std::move(processes), family_), ...);
    }
    [[nodiscard]] bool await_ready() const { return join_.await_ready(); }
    void await_suspend(std::coroutine_handle<> self) { join_.await_suspend(self); }
    family_end await_resume() const noexcept { return join_.await_resume(); }

  private:
    detail::family family_;
    detail::join_awaiter join_;
};

/// PAR over a vector of processes.
template <>
class [[nodiscard("await it")]] par<std::vector<process>> {
  public:
    // NOLINTNEXTLINE(cppcoreguidelines-rvalue-reference-param-not-moved): its elements are moved
    explicit par(std::vector<process>&& processes, std::source_location where = std::source_location::current())
        : join_(family_, where)
    {
        for (process& p : processes) detail::start(std::move(p), family_);
    }
    [[nodiscard]] bool await_ready() const { return join_.await_ready(); }
    void await_suspend(std::coroutine_handle<> self) { join_.await_suspend(self); }
    family_end await_resume() const noexcept { return join_.await_resume(); }

  private:
    detail::family family_;
    detail::join_awaiter join_;
};

template <class T>
concept communication = requires(T& c, record& who, std::uint32_t& together) {
    { c.begin(who, together) } -> std::same_as<bool>;
};

/// PAR over outputs. Returns for each output whether the reader has the message.
template <communication... Outputs>
class [[nodiscard("await it")]] par<Outputs...> {
  public:
    explicit par(Outputs&&... outputs, std::source_location where = std::source_location::current())
        : outputs_(outputs...), where_(where)
    {
    }
    par(const par&) = delete;
    par& operator=(const par&) = delete;
    ~par()
    {
        if (to_come_ > 0) [[unlikely]]
            withdraw();
    }
    static bool await_ready() noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> self)
    {
        record& who = park(self, wait::outputs, nullptr, where_);
        std::apply([&](Outputs&... o) { ((to_come_ += o.begin(who, to_come_) ? 1U : 0U), ...); }, outputs_);
        return to_come_ > 0;
    }
    std::array<bool, sizeof...(Outputs)> await_resume() const noexcept
    {
        return std::apply([](const Outputs&... o) { return std::array{o.await_resume()...}; }, outputs_);
    }

  private:
    /// The process is being ended while it waits: removes its operations from the channels.
    void withdraw() noexcept
    {
        std::apply([](Outputs&... o) { (o.withdraw(), ...); }, outputs_);
    }
    std::tuple<Outputs&...> outputs_;  // of the same full expression as the co_await
    std::uint32_t to_come_ = 0;
    std::source_location where_;
};

template <class... Branches>
par(Branches&&...) -> par<Branches...>;
par(std::vector<process>&&) -> par<std::vector<process>>;

}  // namespace csp
