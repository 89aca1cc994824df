// SPDX-License-Identifier: MIT
//
// An engine's state of an open socket. Unlike io::socket, it does not move.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "csp/core.hpp"
#include "io/buffer.hpp"
#include "io/engine.hpp"
#include "io/held_back.hpp"
#include "io/list_link.hpp"
#include "io/resident_blocks.hpp"

namespace io::detail {

class select_set;

/// Is notified, once, when a side of an endpoint may be ready.
struct waiter {
    explicit waiter(void (*ready)(waiter&) noexcept) : may_be_ready(ready) {}
    void (*may_be_ready)(waiter&) noexcept;
};

enum class membership : std::uint8_t {
    none,
    waiting,  // in a select set, nothing has come yet
    reported  // in the set's queue of events
};

/// Links the members of a select set.
using member_link = list_link<select_set>;

struct endpoint : member_link, held_back {
    using member_link::append_to;
    using member_link::unlink;

    /// The timer for a member's deadline. It may go off early, and then checks `until` again.
    struct alarm : csp::timer {
        explicit alarm(endpoint& e) : timer(gone_off, csp::room::reserved), of(e) {}
        static void gone_off(csp::timer& t) noexcept;
        endpoint& of;
        deadline at;  // while pending
    };

    endpoint(estate& of, int descriptor) : home(of), fd(descriptor), time_is_up(*this) {}

    estate& home;
    std::array<waiter*, 2> waiters{};  // by side
    int fd;
    // Incremented when the endpoint is freed. A late event with an older generation is for a previous tenant of this
    // memory: with epoll, for example, an event of a descriptor that we closed while a child still had it.
    std::uint16_t generation = 0;

    // False: a call found this side not ready, and the engine has not reported a change since.
    bool maybe_readable = true;
    bool maybe_writable = true;
    bool peer_is_done =
        false;              // an end or an error was reported, so a short read does not mean that the input is drained
    bool is_pipe = false;   // use read(2) and write(2) instead of recv and send
    bool is_quick = false;  // the peer reads fast, so the kernel may buffer as much for it as it wants
    bool released = false;  // its descriptor was duplicated, so the open file may outlive the endpoint
    bool closing = false;
    std::array<bool, 2> is_watched{};  // by side: the waiter is a `watch`

    // epoll: whether it is registered. io_uring: which operations are in flight; the endpoint is freed only when there
    // are none.
    bool registered = false;
    std::array<bool, 2> poll_in_flight{};  // by side
    bool fetch_in_flight = false;
    bool fetch_is_unwanted = false;  // the fetch is being cancelled

    int refused = 0;  // the errno with which the kernel refused to watch it; the next waiting call fails with it

    csp::time_point
        full_since;  // when the send buffer became full; default if it has not been full since the last send

    // Bytes that a fetch received before a process asked for them. They precede everything that the kernel still has.
    buffer early;
    bool early_end = false;  // a fetch reached the end or an error...
    int early_error = 0;     // ...this errno, which the kernel reports only once

    membership member = membership::none;
    bool expired = false;
    select_set* set = nullptr;
    std::uint64_t token = 0;
    deadline until;
    alarm time_is_up;

    [[nodiscard]] bool& maybe_ready(side s) { return s == side::read ? maybe_readable : maybe_writable; }
    [[nodiscard]] waiter*& waiter_on(side s) { return waiters[static_cast<std::size_t>(s)]; }
    void tell(side s)
    {
        maybe_ready(s) = true;
        waiter*& slot = waiter_on(s);
        if (slot != nullptr) {
            waiter& told = *slot;
            slot = nullptr;
            told.may_be_ready(told);
        }
    }
};

/// Removes it from its select set.
void leave_set(endpoint& e) noexcept;

/// Reports to its select set, if it waits in one, that it has bytes or an end, in `early` or still in the kernel.
void report_readable(endpoint& e);

/// Reads available bytes into `early`. Returns false if there were none.
bool fetch_now(endpoint& e) noexcept;

/// Is called once after each start(), when a side of an endpoint may have become ready.
class watch : waiter, public list_link<watch> {
  public:
    using listener = void (*)(watch&) noexcept;
    explicit watch(listener told, side which = side::read) : waiter(heard), told_(told), side_(which) {}
    watch(const watch&) = delete;
    watch& operator=(const watch&) = delete;
    ~watch() { stop(); }

    void start(endpoint& e);
    void stop() noexcept;

    // For the engines.
    /// The watch on this side of `e`; null if there is none.
    [[nodiscard]] static watch* at(const endpoint& e, side s);
    void look_again();

  private:
    static void heard(waiter& w) noexcept;

    listener told_;
    endpoint* at_ = nullptr;
    side side_;
};

/// The memory that may outlive an engine, because processes still hold it: endpoints and buffers. It is deleted with
/// the last of them.
class estate {
  public:
    explicit estate(engine& e);
    estate(const estate&) = delete;
    estate& operator=(const estate&) = delete;

    [[nodiscard]] endpoint& new_endpoint(int fd);
    /// Closes the descriptor and frees the endpoint, now or when no operation of the kernel uses them any more.
    void drop(endpoint& e) noexcept;
    /// Frees the endpoint. For the engines.
    void free(endpoint& e) noexcept;

    [[nodiscard]] buffer new_buffer();
    void give_back(char* memory) noexcept;

    [[nodiscard]] resident_blocks& seen_in_memory() { return seen_in_memory_; }

    /// The distance between the buffers of a ring: a cache line more than the size of a buffer. Otherwise the first
    /// lines of all buffers, which are the ones in use, would map to the same few sets of the processor's cache.
    static constexpr std::size_t ring_stride = buffer::capacity + 64;
    using ring_return = void (*)(engine&, char* memory) noexcept;
    /// Allocates a ring of buffers that the engine provides to the kernel. When a buffer in it is dropped, `give_back`
    /// is called.
    [[nodiscard]] char* make_ring(std::size_t buffers, ring_return give_back);
    /// A buffer of the ring that the kernel has filled with `bytes`.
    [[nodiscard]] buffer filled(char* memory, std::size_t bytes)
    {
        ++held_;
        return {*this, memory, bytes};
    }

    /// Whether an event for `e` with this generation is for its present tenant.
    [[nodiscard]] static bool is_current(endpoint& e, std::uint16_t generation);

    /// Null if the engine has ended.
    [[nodiscard]] engine* owner() const { return owner_; }
    void engine_ended() noexcept;

  private:
    ~estate();
    void one_less() noexcept;

    engine* owner_;
    std::size_t held_ = 0;  // endpoints and buffers in use
    std::unique_ptr<char[]> ring_;
    std::size_t ring_bytes_ = 0;
    ring_return ring_return_ = nullptr;
    std::vector<std::unique_ptr<char[]>> free_buffers_;
    resident_blocks seen_in_memory_;
    struct slot;
    std::vector<std::unique_ptr<slot[]>> slabs_;
    slot* free_slots_ = nullptr;
};

}  // namespace io::detail
