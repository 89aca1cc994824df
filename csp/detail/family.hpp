// SPDX-License-Identifier: MIT
//
// The bookkeeping behind PAR and FORK: which processes belong together, and who learns that they have ended or faulted.
#pragma once

#include <cstdint>
#include <utility>

#include "csp/core.hpp"
#include "csp/process.hpp"

namespace csp::detail {

/// The processes started together, whose starter waits for the end of all. Lives in the awaiting frame (par) or on
/// the heap (forking). All of its processes live on its own core; for a process of another core, a remote_member takes
/// part in the family.
struct family : pooled {
    record* parent;  // the process that started them, while it runs; else null
    core* home;
    family* heir = nullptr;  // told, as by one process, when all have ended; the family is then deleted
    std::uint32_t living = 0;
    std::uint32_t faulted = 0;
    const char* first_fault = nullptr;  // the name of the first that has faulted, among the children or below them
    bool joining = false;               // the parent waits for living to become zero
    bool until_fault = false;           // or, meanwhile, for a fault
    bool is_remote_member = false;
    faults told;

    explicit family(faults f = faults::escalate) : parent(core::here().running()), home(&core::here()), told(f) {}

    /// A child has ended; by a fault, if its name is given.
    void ended(const char* fault) noexcept;
    /// A process of this family has faulted, or one below it.
    void hear(const char* fault) noexcept;

    /// Deletes `f`, whichever kind it is.
    static void discard(family* f) noexcept;

  protected:
    family(core& on, family& above) : parent(nullptr), home(&on), heir(&above), told(faults::escalate) {}

  private:
    void wake_parent() noexcept;
};

/// Owns one process that was started on another core than its family's. It lives as long as that process, on the core
/// of the process, and passes on to the family what happens there: at most one fault, and the end. The two mails for
/// that are members, allocated before the process starts, so that a process can always end.
class remote_member : public family {
  public:
    /// Takes part in `of` on the core `where`.
    remote_member(family& of, core& where)
        : family(where, of),
          fault_(*this, [](mail& m) noexcept { fault_arrived(static_cast<notice&>(m)); }),
          end_(*this, [](mail& m) noexcept { end_arrived(static_cast<notice&>(m)); })
    {
        is_remote_member = true;
    }

    void pass_on_fault(const char* name) noexcept;
    void pass_on_end(const char* fault) noexcept;

  private:
    struct notice : mail {
        remote_member* from;
        const char* fault = nullptr;
        notice(remote_member& m, void (*deliver)(mail&) noexcept) : mail{nullptr, deliver}, from(&m) {}
    };
    // On the core of the family.
    static void fault_arrived(const notice& n) noexcept;
    static void end_arrived(const notice& n) noexcept;

    notice fault_;
    notice end_;
};

/// Starts `p` on this core, as a child of `owner`.
inline void start(process&& p, family& owner)
{
    record& r = released(std::move(p));
    r.owner = &owner;
    ++owner.living;
    core::here().enter(r);
}

}  // namespace csp::detail
