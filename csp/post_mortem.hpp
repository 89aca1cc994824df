// SPDX-License-Identifier: MIT
//
// Tables of the living processes: their names, their parents, what each of them waits for and at which line. It costs
// nothing while the network runs, except that a process writes into its frame what it waits for.
#pragma once

#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "csp/core.hpp"

namespace csp {

/// The state of a process when the table was made.
struct living_process {
    unsigned core = 0;
    std::uint32_t number = 0;  // unique within the core
    std::string name;
    std::optional<std::uint32_t> parent;  // its number; empty for a network's first process and across cores
    wait state = wait::nothing;           // nothing: running or ready to run
    std::string waits_for;                // "output to the channel made at network.cpp:40, last read by back_end 7"
    std::source_location where;
};

/// The name of a process, extracted from the compiler's spelling of its coroutine.
[[nodiscard]] std::string name_of(const record& r);
/// The same for record::name; the result points into it.
[[nodiscard]] std::string_view plain_name(const char* spelled) noexcept;

/// All living processes of the core, the oldest first. Call it on that core, or after its thread has ended.
[[nodiscard]] std::vector<living_process> census(const core& c);

/// The number of living processes of one name on a core, by what they do.
struct kind_of_process {
    std::string name;
    std::size_t count = 0;
    std::size_t ready = 0;        // running or ready
    std::size_t communicate = 0;  // waiting for an input, an output, a claim or an ALT
    std::size_t kernel = 0;       // waiting for the kernel
    std::size_t others = 0;       // waiting for a timer, for child processes or at a barrier
    std::string example;          // what the oldest waiting one waits for
};

/// A summary of the census without a text for each process, cheap enough to be made every second.
[[nodiscard]] std::vector<kind_of_process> kinds(const core& c);

/// Processes that wait for each other in a cycle: each for the next, and the last for the first. Empty if there is no
/// cycle.
[[nodiscard]] std::vector<std::uint32_t> cycle_of_waits(const core& c);

/// The census and the cycle of waits as a readable table.
[[nodiscard]] std::string post_mortem(const core& c);

/// Writes post_mortem() to standard error. Without the memory for it, writes that instead.
void print_post_mortem(const core& c) noexcept;

}  // namespace csp
