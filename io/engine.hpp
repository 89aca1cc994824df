// SPDX-License-Identifier: MIT
//
// The kernel as a neighbour of the processes of one core. Two engines behind one face: io_uring, and epoll with a few
// threads for the calls on files. What both do alike, and every call that succeeds at once, is not in here but with
// the calls (socket.hpp, file.hpp); an engine is asked only when somebody must wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <utility>

#include "csp/core.hpp"
#include "csp/kernel.hpp"
#include "io/descriptor.hpp"
#include "io/error.hpp"
#include "io/list_link.hpp"

namespace io {

enum class engine_choice : std::uint8_t { automatic, uring, epoll };

namespace detail {
class accepting;
class estate;
class file_call;
class file_pool;
class watch;
struct endpoint;
enum class side : std::uint8_t { read, write };
}  // namespace detail

class engine : public csp::neighbour {
  public:
    ~engine() override;

    /// The engine of this core. REQUIRES: the core was given one (make_engine).
    [[nodiscard]] static engine& here() { return static_cast<engine&>(*csp::core::here().outside()); }

    [[nodiscard]] virtual engine_choice kind() const = 0;
    [[nodiscard]] csp::core& home() const { return home_; }
    void wake() noexcept final;
    [[nodiscard]] bool expects_events() const final { return expected_ > 0; }

    // ---- for the calls

    /// Has the endpoint's waiter on that side told when it may be ready.
    virtual void want(detail::endpoint& e, detail::side s) = 0;
    /// Closes the descriptor (unless it was released) and frees the endpoint, once the kernel has let go of both.
    virtual void discard(detail::endpoint& e) noexcept = 0;
    /// The endpoint has joined a select set: has its next bytes fetched and its set told.
    virtual void begin_fetch(detail::endpoint& e) = 0;
    /// It leaves. Bytes that come in all the same stay with the endpoint, for its next reader.
    virtual void end_fetch(detail::endpoint& e) noexcept = 0;
    /// Whether a fetch has taken bytes from the kernel of which nobody has been told yet.
    [[nodiscard]] virtual bool has_bytes_of(const detail::endpoint& e) = 0;
    virtual void begin_accept(detail::accepting& a) = 0;
    virtual void end_accept(detail::accepting& a) noexcept = 0;
    virtual void start(detail::file_call& c) = 0;
    /// Asks for an early end; the call completes in any case.
    virtual void cancel(detail::file_call& c) noexcept = 0;

    /// Somebody waits for an event, or no longer: see expects_events().
    void expect() { ++expected_; }
    void expect_no_more() { --expected_; }
    [[nodiscard]] detail::estate& owned() { return *owned_; }
    /// Threads for the calls that would block. Started when first needed.
    [[nodiscard]] detail::file_pool& pool() { return *pool_; }
    /// The same for the calls of the logs, which may hang for ever while nobody waits for them. They have threads of
    /// their own, so that a log's file system that hangs takes no thread from the other files.
    [[nodiscard]] detail::file_pool& pool_of_logs() { return *pool_of_logs_; }
    [[nodiscard]] detail::file_pool& pool_for(const detail::file_call& c);

  protected:
    engine(csp::core& home, descriptor bell);

    /// For the start of a destructor: while the engine can still be woken.
    void stop_pool() noexcept;
    /// Completes the calls that the threads have done.
    void collect_from_pool();
    [[nodiscard]] int bell() const { return bell_.number(); }
    /// The kernel cannot watch `e` (no watch or memory is left), for this reason, an errno. A call on it fails; an
    /// event source, which cannot, looks again after a pause.
    void cannot_watch(detail::endpoint& e, detail::side s, int why);

    csp::core& home_;

  private:
    /// Who watches an endpoint that the kernel does not.
    struct later : csp::timer {
        explicit later(csp::core& home);
        static void look_again(csp::timer& t) noexcept;
        detail::list_link<detail::watch> unwatched;
    };

    std::size_t expected_ = 0;
    detail::estate* owned_;
    std::unique_ptr<detail::file_pool> pool_;
    std::unique_ptr<detail::file_pool> pool_of_logs_;
    later later_;
    descriptor bell_;  // an eventfd that nobody reads: each write is an edge
};

/// Which engine will run, and why.
struct probed {
    engine_choice runs = engine_choice::epoll;  // never automatic
    std::string why;  // a sentence for the log: "io_uring refused: Operation not permitted; using epoll"
};

/// Tries it out. An error, as a sentence, when the choice cannot be had.
[[nodiscard]] std::expected<probed, std::string> probe(engine_choice choice = engine_choice::automatic);

/// An engine for `home`. Call it on that core's thread: a ring serves the thread that made it.
[[nodiscard]] std::expected<std::unique_ptr<engine>, std::string> make_engine(engine_choice choice, csp::core& home);

/// What csp::kernel wants. REQUIRES: probe(choice) succeeded.
[[nodiscard]] csp::kernel::neighbour_maker engines(engine_choice choice = engine_choice::automatic);

}  // namespace io
