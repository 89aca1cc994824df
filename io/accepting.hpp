// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <deque>

#include "io/acceptor.hpp"
#include "io/held_back.hpp"

namespace io::detail {

/// What lies behind an acceptor: connections taken from the kernel and not yet by the process.
class accepting : public accept_source, public held_back, watch, csp::timer {
  public:
    accepting(descriptor from, in_advance how_many)
        : watch(may_accept), timer(pause_is_over, csp::room::reserved), from_(std::move(from)), in_advance_(how_many)
    {
    }
    ~accepting();

    [[nodiscard]] bool ready();
    void arm();
    [[nodiscard]] result<socket> take();
    void finish(last_clients who);

    // For the engines.
    [[nodiscard]] bool takes_many() const { return in_advance_ == in_advance::many; }
    [[nodiscard]] endpoint& listening() { return listening_.at(); }
    /// Waits for readiness and then accepts: for an engine that has no better way.
    void accept_when_readable() { start(listening()); }
    void stop_waiting_until_readable() noexcept { stop(); }
    void accepted(int fd);
    void failed(int number);
    /// The kernel accepts for us (io_uring). States: neither; in flight; in flight and asked to end; and the last two
    /// also without an owner, when the end of it deletes this.
    bool in_flight = false;
    bool is_ending = false;
    bool is_orphan = false;
    void ended_in_flight();

  private:
    /// Not more than this are taken in advance: what the process has no time for stays in the kernel's backlog.
    [[nodiscard]] std::size_t most_waiting() const { return takes_many() ? 128 : 1; }
    /// And a flood must not keep an address.
    static constexpr unsigned most_last_looks = 1024;

    static void may_accept(watch& w) noexcept;
    static void pause_is_over(csp::timer& t) noexcept;
    void accept_batch();
    void keep(int fd) noexcept;
    void open();

    descriptor from_;  // until the first wait
    in_advance in_advance_;
    bool has_place_ = false;  // reserved for the timer, on the core of the first wait
    socket listening_;        // from then on
    std::deque<int> waiting_;
    int error_ = 0;            // to be reported
    unsigned failures_ = 0;    // in a row
    bool finishing_ = false;   // the kernel was asked to accept no more; what it has accepted may still come
    unsigned last_looks_ = 0;  // that are left
    bool closes_the_door_ = false;
    bool over_ = false;
};

}  // namespace io::detail
