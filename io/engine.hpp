// SPDX-License-Identifier: MIT
//
// The kernel as a neighbour (csp::neighbour) of the processes of one core. There are two engines with one interface:
// io_uring, and epoll with a few threads for calls on files. What both do alike, and every call that succeeds at once,
// is in the files of the calls (socket.hpp, file.hpp); an engine is used only when a process must wait.
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

    /// Notifies the endpoint's waiter on this side when it may be ready.
    virtual void want(detail::endpoint& e, detail::side s) = 0;
    /// Closes the descriptor (unless it was released) and frees the endpoint, when no operation of the kernel uses them
    /// any more.
    virtual void discard(detail::endpoint& e) noexcept = 0;
    /// The endpoint has joined a select set: receives its next bytes and notifies the set.
    virtual void begin_fetch(detail::endpoint& e) = 0;
    /// The endpoint leaves its set. Bytes that still arrive stay with the endpoint, for its next reader.
    virtual void end_fetch(detail::endpoint& e) noexcept = 0;
    /// Whether a fetch has received bytes that were not reported yet.
    [[nodiscard]] virtual bool has_bytes_of(const detail::endpoint& e) = 0;
    virtual void begin_accept(detail::accepting& a) = 0;
    virtual void end_accept(detail::accepting& a) noexcept = 0;
    virtual void start(detail::file_call& c) = 0;
    /// Requests cancellation. The call completes in any case.
    virtual void cancel(detail::file_call& c) noexcept = 0;

    /// A process waits for an event, or no longer waits; see expects_events().
    void expect() { ++expected_; }
    void expect_no_more() { --expected_; }
    [[nodiscard]] detail::estate& owned() { return *owned_; }
    /// Threads for calls that would block. Started when first needed.
    [[nodiscard]] detail::file_pool& pool() { return *pool_; }
    /// The same for the calls of the logs. These may hang for ever, so they have threads of their own: a file system
    /// that hangs under a log must not take threads from other files.
    [[nodiscard]] detail::file_pool& pool_of_logs() { return *pool_of_logs_; }
    [[nodiscard]] detail::file_pool& pool_for(const detail::file_call& c);

  protected:
    engine(csp::core& home, descriptor bell);

    /// For the beginning of a destructor, while the engine can still be woken.
    void stop_pool() noexcept;
    /// Completes the calls that the threads have finished.
    void collect_from_pool();
    [[nodiscard]] int bell() const { return bell_.number(); }
    /// Handles an endpoint that the kernel cannot watch because it is out of watches or memory; `why` is the errno. A
    /// call on it fails. An event source cannot fail, so it tries again after a pause.
    void cannot_watch(detail::endpoint& e, detail::side s, int why);

    csp::core& home_;

  private:
    /// The watches on endpoints that the kernel could not watch, to be tried again.
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
    descriptor bell_;  // an eventfd that is never read: each write is an edge
};

/// The engine that make_engine() will choose, and why.
struct probed {
    engine_choice runs = engine_choice::epoll;  // never automatic
    std::string why;  // a sentence for the log: "io_uring refused: Operation not permitted; using epoll"
};

/// Checks which engine works. An error, as a sentence, if the requested one does not.
[[nodiscard]] std::expected<probed, std::string> probe(engine_choice choice = engine_choice::automatic);

/// Makes an engine for `home`. Call it on that core's thread: a ring serves the thread that made it.
[[nodiscard]] std::expected<std::unique_ptr<engine>, std::string> make_engine(engine_choice choice, csp::core& home);

/// The maker of engines for csp::kernel. REQUIRES: probe(choice) succeeded.
[[nodiscard]] csp::kernel::neighbour_maker engines(engine_choice choice = engine_choice::automatic);

}  // namespace io
