// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <deque>

#include "io/acceptor.hpp"
#include "io/held_back.hpp"

namespace io::detail {

/// The state of an acceptor: the connections that were accepted and not yet taken by the process.
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
    /// Accepts when the listening socket becomes readable. For an engine without asynchronous accept.
    void accept_when_readable() { start(listening()); }
    void stop_waiting_until_readable() noexcept { stop(); }
    void accepted(int fd);
    void failed(int number);
    /// For io_uring. States: no accept in flight; in flight; in flight and being cancelled; and the last two also
    /// without an owner (`is_orphan`), in which case its completion deletes this object.
    bool in_flight = false;
    bool is_ending = false;
    bool is_orphan = false;
    void ended_in_flight();

  private:
    /// The number of connections to accept in advance. Further ones stay in the accept queue.
    [[nodiscard]] std::size_t most_waiting() const { return takes_many() ? 128 : 1; }
    /// The limit of last_clients::taken, so that a flood of connections cannot keep the address in use.
    static constexpr unsigned most_last_tries = 1024;

    static void may_accept(watch& w) noexcept;
    static void pause_is_over(csp::timer& t) noexcept;
    void accept_batch();
    void keep(int fd) noexcept;
    void open();

    descriptor from_;  // the listener, before the first wait
    in_advance in_advance_;
    bool has_place_ = false;  // reserved for the timer, on the core of the first wait
    socket listening_;        // the listener, after it
    std::deque<int> waiting_;
    int error_ = 0;            // errno to report
    unsigned failures_ = 0;    // in a row
    bool finishing_ = false;   // no further accepts are requested; completed ones may still arrive
    unsigned last_tries_ = 0;  // remaining attempts to take a connection after the end
    bool shuts_down_ = false;
    bool over_ = false;
};

}  // namespace io::detail
