// SPDX-License-Identifier: MIT
//
// What the living processes are doing: their names, parents and waiting places, and who waits for whom. Nothing is
// recorded for this while the network runs, but for what a process notes in its own frame when it waits.
#pragma once

#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "csp/core.hpp"

namespace csp {

/// A process as it stood when the table was made.
struct living_process {
    unsigned core = 0;
    std::uint32_t number = 0;  // with `core`, unique in the program's life
    std::string name;
    std::optional<std::uint32_t> parent;  // its number; empty for a network's first process and across cores
    wait state = wait::nothing;           // nothing: running or ready to run
    std::string waits_for;                // "output to the channel made at network.cpp:40, last read by back_end 7"
    std::source_location where;
};

/// The name of a process alone, out of how the compiler spells its coroutine.
[[nodiscard]] std::string name_of(const record& r);
/// The same for record::name; the result points into it.
[[nodiscard]] std::string_view plain_name(const char* spelled) noexcept;

/// Every living process of the core, the oldest first. Call it on that core, or when its thread has ended.
[[nodiscard]] std::vector<living_process> census(const core& c);

/// The living processes of one name on a core, counted by what they do.
struct kind_of_process {
    std::string name;
    std::size_t count = 0;
    std::size_t ready = 0;        // running or about to
    std::size_t communicate = 0;  // wait for an input or an output, their turn at one, or for one of several inputs
    std::size_t kernel = 0;       // wait for the kernel
    std::size_t others = 0;       // wait for time, for processes they have started, at a barrier
    std::string example;          // what the oldest of them that waits, waits for
};

/// The same people as in the census, without a text for each: cheap enough to be asked for every second.
[[nodiscard]] std::vector<kind_of_process> kinds(const core& c);

/// The processes each of which waits for the next, and the last for the first; empty if there is no such ring.
[[nodiscard]] std::vector<std::uint32_t> cycle_of_waits(const core& c);

/// Census and cycle as a table to read.
[[nodiscard]] std::string post_mortem(const core& c);

/// Writes post_mortem() to standard error. Without the memory for it, writes that instead.
void print_post_mortem(const core& c) noexcept;

}  // namespace csp
