// SPDX-License-Identifier: MIT
//
// What an engine keeps of an open socket: the part of io::socket that does not move when the socket moves.
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

class gathering;

/// Somebody who wants to hear when one side of an endpoint may be ready. Told once.
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
using member_link = list_link<gathering>;

struct endpoint : member_link, held_back {
    using member_link::append_to;
    using member_link::unlink;

    /// When a member's time is up. Set lazily: it may go off early and then looks again at `until`.
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
    // Of what the kernel knows of this endpoint after it was freed (an epoll event of a descriptor that a child still
    // held while we closed it), the generation tells that it means an earlier tenant.
    std::uint16_t generation = 0;

    // false: an attempt found that side not ready, and the engine has not said otherwise since.
    bool maybe_readable = true;
    bool maybe_writable = true;
    bool peer_is_done = false;  // an end or an error was announced: a short read does not mean that nothing more comes
    bool is_pipe = false;       // read(2) and write(2), not recv and send
    bool is_quick = false;      // the kernel may take as much for this peer as it likes
    bool released = false;      // its descriptor was duplicated: the open file outlives the endpoint
    bool closing = false;
    bool is_watched = false;  // by an event source, which cannot fail as a call can

    // epoll: whether it was added. io_uring: what is in flight; the endpoint is freed only when nothing is.
    bool registered = false;
    std::array<bool, 2> poll_in_flight{};  // by side
    bool fetch_in_flight = false;
    bool fetch_is_unwanted = false;  // being cancelled

    int refused = 0;  // the kernel cannot watch it, for this reason: the call that is told of it fails

    csp::time_point full_since;  // the kernel took no more then; none when it has been offered something since

    // What a fetch brought before anybody asked: read before anything that the kernel still has.
    buffer early;
    bool early_end = false;  // a fetch met the end or an error...
    int early_error = 0;     // ...this one, and will not meet it again

    membership member = membership::none;
    bool expired = false;
    gathering* set = nullptr;
    std::uint64_t token = 0;
    deadline until;
    alarm time_is_up;

    [[nodiscard]] bool& maybe_ready(side s) { return s == side::read ? maybe_readable : maybe_writable; }
    void tell(side s)
    {
        maybe_ready(s) = true;
        waiter*& slot = waiters[static_cast<std::size_t>(s)];
        if (slot != nullptr) {
            waiter& told = *slot;
            slot = nullptr;
            told.may_be_ready(told);
        }
    }
};

/// Takes it out of its select set.
void leave_set(endpoint& e) noexcept;

/// Tells its set, if it is waiting in one, that it has bytes or an end: in `early`, or still in the kernel.
void report_readable(endpoint& e);

/// Reads what is there into `early`. Yields false when there was nothing.
bool fetch_now(endpoint& e) noexcept;

/// Hears, once a start(), that an endpoint may have become readable.
class watch : waiter, public list_link<watch> {
  public:
    using listener = void (*)(watch&) noexcept;
    explicit watch(listener told) : waiter(heard), told_(told) {}
    watch(const watch&) = delete;
    watch& operator=(const watch&) = delete;
    ~watch() { stop(); }

    [[nodiscard]] bool watching() const { return at_ != nullptr; }
    void start(endpoint& e);
    void stop() noexcept;

    // For the engines.
    /// Who watches `e`, if it is_watched and somebody does.
    [[nodiscard]] static watch* at(const endpoint& e);
    void look_again();

  private:
    static void heard(waiter& w) noexcept;

    listener told_;
    endpoint* at_ = nullptr;
};

/// What an engine's users may still hold when the engine itself is gone: endpoints and buffers. Ends with the last
/// of them.
class estate {
  public:
    explicit estate(engine& e);
    estate(const estate&) = delete;
    estate& operator=(const estate&) = delete;

    [[nodiscard]] endpoint& new_endpoint(int fd);
    /// Closes the descriptor and frees the endpoint, now or when the kernel is done with them.
    void drop(endpoint& e) noexcept;
    /// Frees the endpoint. For the engines.
    void free(endpoint& e) noexcept;

    [[nodiscard]] buffer new_buffer();
    void give_back(char* memory) noexcept;

    [[nodiscard]] resident_blocks& seen_in_memory() { return seen_in_memory_; }

    /// Memory for a ring of buffers that the engine hands to the kernel. A buffer that lies in it goes back by
    /// `give_back`.
    /// From one buffer to the next: a cache line more than a buffer has, or the first lines of all of them, which are
    /// the ones in use, would compete for the same few places of the processor's cache.
    static constexpr std::size_t ring_stride = buffer::capacity + 64;
    using ring_return = void (*)(engine&, char* memory) noexcept;
    [[nodiscard]] char* make_ring(std::size_t buffers, ring_return give_back);
    /// A buffer of the ring that the kernel has filled.
    [[nodiscard]] buffer filled(char* memory, std::size_t bytes)
    {
        ++held_;
        return {*this, memory, bytes};
    }

    /// Whether `e`, as an event from the kernel names it, is still the tenant it was.
    [[nodiscard]] static bool is_current(endpoint& e, std::uint16_t generation);

    /// Null when the engine has ended.
    [[nodiscard]] engine* owner() const { return owner_; }
    void engine_ended() noexcept;

  private:
    ~estate();
    void one_less() noexcept;

    engine* owner_;
    std::size_t held_ = 0;  // endpoints and buffers out
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
