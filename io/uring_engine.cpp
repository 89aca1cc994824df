// SPDX-License-Identifier: MIT
//
// The engine on io_uring. Submissions collect during a round of the scheduler and go to the kernel with one call, which
// also delivers the completions. Operations in flight:
//
//   poll    a process waits for a side of an endpoint. A poll carries no data, so when the process's deadline passes,
//             it
//           is left in flight: the process continues at once, and the next one to wait uses the same poll.
//   fetch   a receive for a member of a select set. The kernel chooses a buffer of the ring only when bytes arrive, so
//           an idle connection occupies none.
//   accept  one submission for many connections.
//   call    a call on a file.
//
// A descriptor is closed, and the object of a completion freed, only when no operation on it is in flight; until then
// its endpoint is `closing`. The submission queue identifies descriptors by number, so this also prevents a queued
// submission from reaching another file with a reused number.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <poll.h>
#include <sys/mman.h>
#include <thread>

#include <fmt/format.h>
#include <liburing.h>

#include "io/accepting.hpp"
#include "io/endpoint.hpp"
#include "io/engines.hpp"
#include "io/file_call.hpp"
#include "io/held_back.hpp"
#include "io/list_link.hpp"
#include "io/ring.hpp"

namespace io::detail {
namespace {

constexpr unsigned ring_buffers = 256;  // a power of two
constexpr std::chrono::milliseconds pause_when_exhausted{1};

// The operation of a completion, in the low bits of its user data; the other bits are the pointer to the object.
enum class about : std::uint8_t { nothing, poll_read, poll_write, fetch, accept, call, bell };
constexpr std::uint64_t about_bits = 7;

template <class T>
std::uint64_t tagged(const T& object, about what)
{
    static_assert(alignof(T) > about_bits || sizeof(T) == 1);
    return reinterpret_cast<std::uintptr_t>(&object) | static_cast<std::uint64_t>(what);
}

about poll_on(side s) { return s == side::read ? about::poll_read : about::poll_write; }

class uring_engine final : public engine {
  public:
    uring_engine(csp::core& home, descriptor bell) : engine(home, std::move(bell)) {}
    ~uring_engine() override
    {
        stop_pool();
        if (!is_made_) return;
        drain();
        io_uring_queue_exit(&ring_);
        if (buffers_ != nullptr) munmap(buffers_, buffers_bytes);
    }

    /// Returns 0 or a negative errno.
    [[nodiscard]] int make()
    {
        if (const int made = make_ring(ring_); made < 0) return made;
        is_made_ = true;
        if ((ring_.features & (IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP)) !=
            (IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP)) {
            return -ENOSYS;
        }
        if (const int made = make_buffers(); made < 0) return made;
        io_uring_register_ring_fd(&ring_);  // saves a look-up per call; optional
        if (const int done = restrict_ring(ring_); done < 0) return done;
        listen_to_bell();  // multishot: each write to the eventfd, which is never read, is a completion
        return 0;
    }

    [[nodiscard]] engine_choice kind() const override { return engine_choice::uring; }

    void poll() override
    {
        // If no process is ready, the core is about to call wait(), which also submits.
        queue_held_back();
        if (home_.has_ready() && (io_uring_sq_ready(&ring_) > 0 || kernel_has_work())) {
            io_uring_submit_and_get_events(&ring_);
        }
        collect();
    }

    void wait(csp::time_point until) override
    {
        if (io_uring_cq_ready(&ring_) == 0) enter(until);
        collect();
    }

    void want(endpoint& e, side s) override
    {
        bool& in_flight = e.poll_in_flight[static_cast<std::size_t>(s)];
        if (in_flight || (s == side::read && e.fetch_in_flight)) return;
        in_flight = true;
        submit(e, poll_on(s));
    }

    void discard(endpoint& e) noexcept override
    {
        if (!is_in_flight(e)) {
            ::close(e.fd);
            owned().free(e);
            return;
        }
        e.closing = true;
        if (e.time_is_up.pending()) home_.timers().cancel(e.time_is_up);
        expect();
        for (const side s : {side::read, side::write}) {
            if (e.poll_in_flight[static_cast<std::size_t>(s)]) cancel(e, poll_on(s));
        }
        if (e.fetch_in_flight && !e.fetch_is_unwanted) cancel(e, about::fetch);
    }

    void begin_fetch(endpoint& e) override
    {
        if (e.fetch_in_flight || is_draining_) return;  // it is being cancelled; its completion will begin a new one
        e.fetch_in_flight = true;
        e.fetch_is_unwanted = false;
        submit(e, about::fetch);
    }

    void end_fetch(endpoint& e) noexcept override
    {
        if (!e.fetch_in_flight || e.fetch_is_unwanted) return;
        e.fetch_is_unwanted = true;
        cancel(e, about::fetch);
    }

    void begin_accept(accepting& a) override
    {
        if (a.in_flight || is_draining_) return;
        a.in_flight = true;
        expect();
        submit(a, about::accept);
    }

    void end_accept(accepting& a) noexcept override
    {
        if (!a.in_flight || a.is_ending) return;
        a.is_ending = true;
        cancel(a, about::accept);
    }

    void start(file_call& c) override { submit(c, about::call); }
    void cancel(file_call& c) noexcept override { cancel(c, about::call); }

    [[nodiscard]] bool has_bytes_of(const endpoint& e) override
    {
        if (!e.fetch_in_flight) return false;
        if (kernel_has_work()) io_uring_get_events(&ring_);
        unsigned head = 0;
        io_uring_cqe* cqe = nullptr;
        io_uring_for_each_cqe(&ring_, head, cqe)
        {
            if (cqe->user_data == tagged(e, about::fetch) && cqe->res > 0) return true;
        }
        return false;
    }

  private:
    static constexpr std::size_t most_bytes = 1U << 30;
    static constexpr std::size_t buffers_bytes = ring_buffers * sizeof(io_uring_buf);

    [[nodiscard]] int make_buffers()
    {
        void* const ring = mmap(nullptr, buffers_bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
        if (ring == MAP_FAILED) return -errno;
        buffers_ = static_cast<io_uring_buf_ring*>(ring);
        io_uring_buf_reg what{};
        what.ring_addr = reinterpret_cast<std::uintptr_t>(ring);
        what.ring_entries = ring_buffers;
        if (const int made = io_uring_register_buf_ring(&ring_, &what, 0); made < 0) return made;
        io_uring_buf_ring_init(buffers_);
        memory_ = owned().make_ring(ring_buffers, [](engine& e, char* memory) noexcept {
            static_cast<uring_engine&>(e).offer_to_kernel(memory);
        });
        for (std::size_t i = 0; i < ring_buffers; ++i) offer_to_kernel(memory_ + i * estate::ring_stride);
        return 0;
    }

    void offer_to_kernel(char* memory)
    {
        const auto number =
            static_cast<unsigned short>(static_cast<std::size_t>(memory - memory_) / estate::ring_stride);
        io_uring_buf_ring_add(buffers_, memory, buffer::capacity, number, ring_buffers - 1, 0);
        io_uring_buf_ring_advance(buffers_, 1);
    }

    // ---- submissions

    /// Whether to submit an operation or to cancel it. The numbers in held_back are made of this and the operation, in
    /// an order that puts a cancellation after its operation.
    enum class errand : std::uint8_t { submission, cancellation };
    static constexpr unsigned abouts = about_bits + 1;
    struct doorbell : held_back {};

    template <class T>
    void submit(T& object, about what)
    {
        ++in_flight_;
        send(object, what, errand::submission);
    }
    template <class T>
    void cancel(T& object, about what) noexcept
    {
        send(object, what, errand::cancellation);
    }
    template <class T>
    void send(T& object, about what, errand e)
    {
        if (io_uring_sqe* const sqe = free_submission()) return fill(*sqe, object, what, e);
        held_back& h = object;
        if (!h.holds_any()) h.append_to(held_back_);
        h.hold(static_cast<unsigned>(e) * abouts + static_cast<unsigned>(what));
    }
    [[nodiscard]] io_uring_sqe* free_submission()
    {
        if (!held_back_.alone()) return nullptr;  // operations that were held back go first
        if (io_uring_sqe* const sqe = io_uring_get_sqe(&ring_)) return sqe;
        io_uring_submit(&ring_);
        // Null: the kernel accepts no submission now. It is out of memory, or its completions must be handled first,
        // which the caller may be doing.
        return io_uring_get_sqe(&ring_);
    }
    void queue_held_back()
    {
        while (!held_back_.alone()) {
            auto& first = static_cast<held_back&>(*held_back_.next);
            while (first.holds_any()) {
                io_uring_sqe* const sqe = io_uring_get_sqe(&ring_);
                if (sqe == nullptr) return;
                fill(*sqe, first, static_cast<about>(first.first() % abouts),
                     static_cast<errand>(first.first() / abouts));
                first.drop_first();
            }
            first.unlink();
        }
    }

    void fill(io_uring_sqe& sqe, held_back& h, about what, errand e)
    {
        switch (what) {
            case about::nothing:
                std::unreachable();
            case about::poll_read:
            case about::poll_write:
            case about::fetch:
                return fill(sqe, static_cast<endpoint&>(h), what, e);
            case about::accept:
                return fill(sqe, static_cast<accepting&>(h), what, e);
            case about::call:
                return fill(sqe, static_cast<file_call&>(h), what, e);
            case about::bell:
                return fill(sqe, static_cast<doorbell&>(h), what, e);
        }
    }
    template <class T>
    void fill(io_uring_sqe& sqe, T& object, about what, errand e)
    {
        if (e == errand::cancellation) {
            io_uring_prep_cancel64(&sqe, tagged(object, what), 0);
            sqe.user_data = static_cast<std::uint64_t>(about::nothing);
        } else {
            prepare(sqe, object, what);
            sqe.user_data = tagged(object, what);
        }
    }
    static void prepare(io_uring_sqe& sqe, const endpoint& e, about what)
    {
        if (what != about::fetch) {
            io_uring_prep_poll_add(&sqe, e.fd, what == about::poll_read ? POLLIN | POLLRDHUP : POLLOUT);
            return;
        }
        io_uring_prep_recv(&sqe, e.fd, nullptr, 0, 0);
        sqe.flags |= IOSQE_BUFFER_SELECT;
        sqe.buf_group = 0;
        // Known to be drained: let the kernel wait for input without trying to receive first.
        if (!e.maybe_readable) sqe.ioprio |= IORING_RECVSEND_POLL_FIRST;
    }
    static void prepare(io_uring_sqe& sqe, accepting& a, about /*what*/)
    {
        constexpr int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
        if (a.takes_many()) {
            io_uring_prep_multishot_accept(&sqe, a.listening().fd, nullptr, nullptr, flags);
        } else {
            io_uring_prep_accept(&sqe, a.listening().fd, nullptr, nullptr, flags);
        }
    }
    static void prepare(io_uring_sqe& sqe, file_call& c, about /*what*/)
    {
        switch (c.action) {
            case file_action::open:
                io_uring_prep_openat2(&sqe, c.fd, c.path, &c.how);
                break;
            case file_action::read:
                io_uring_prep_read(&sqe, c.fd, c.memory, static_cast<unsigned>(std::min(c.size, most_bytes)), c.offset);
                break;
            case file_action::write:
                io_uring_prep_write(&sqe, c.fd, c.memory, static_cast<unsigned>(std::min(c.size, most_bytes)),
                                    c.offset);
                break;
            case file_action::function:
                std::unreachable();
        }
    }
    void prepare(io_uring_sqe& sqe, const doorbell& /*b*/, about /*what*/) const
    {
        io_uring_prep_poll_multishot(&sqe, bell(), POLLIN);
    }

    /// Whether there are completions that the kernel processes only when asked to, or that did not fit into the queue.
    [[nodiscard]] bool kernel_has_work() const
    {
        return (IO_URING_READ_ONCE(*ring_.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
    }

    /// Submits, and waits for a completion until `until`.
    void enter(csp::time_point until)
    {
        queue_held_back();
        const int done = held_back_.alone() ? submit_and_wait(until) : io_uring_submit_and_get_events(&ring_);
        // There is no memory for the submissions, which stay in the queue. An immediate retry would probably fail too.
        if (done == -EAGAIN || done == -ENOMEM || done == -EBUSY) std::this_thread::sleep_for(pause_when_exhausted);
    }
    int submit_and_wait(csp::time_point until)
    {
        if (until == csp::time_point::max()) return io_uring_submit_and_wait(&ring_, 1);
        io_uring_cqe* first = nullptr;
        const auto left = std::max(csp::duration::zero(), until - std::chrono::steady_clock::now());
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
        __kernel_timespec t{seconds.count(), (left - seconds).count()};
        return io_uring_submit_and_wait_timeout(&ring_, &first, 1, &t, nullptr);
    }

    void collect()
    {
        unsigned head = 0;
        unsigned seen = 0;
        io_uring_cqe* cqe = nullptr;
        io_uring_for_each_cqe(&ring_, head, cqe)
        {
            dispatch(*cqe);
            ++seen;
        }
        io_uring_cq_advance(&ring_, seen);
    }

    void dispatch(const io_uring_cqe& cqe)
    {
        const auto what = static_cast<about>(cqe.user_data & about_bits);
        if (what != about::nothing && (cqe.flags & IORING_CQE_F_MORE) == 0) --in_flight_;
        void* const object = reinterpret_cast<void*>(cqe.user_data & ~about_bits);
        switch (what) {
            case about::nothing:
                break;
            case about::poll_read:
                polled(*static_cast<endpoint*>(object), side::read, cqe.res);
                break;
            case about::poll_write:
                polled(*static_cast<endpoint*>(object), side::write, cqe.res);
                break;
            case about::fetch:
                fetched(*static_cast<endpoint*>(object), cqe);
                break;
            case about::accept:
                accepted(*static_cast<accepting*>(object), cqe);
                break;
            case about::call:
                static_cast<file_call*>(object)->complete(cqe.res);
                break;
            case about::bell:
                rung(cqe);
                break;
        }
    }

    void rung(const io_uring_cqe& cqe)
    {
        if (!is_draining_) collect_from_pool();
        if ((cqe.flags & IORING_CQE_F_MORE) != 0 || is_draining_) return;
        if (cqe.res < 0) std::this_thread::sleep_for(pause_when_exhausted);
        listen_to_bell();
    }
    void listen_to_bell() { submit(doorbell_, about::bell); }

    void polled(endpoint& e, side s, int events)
    {
        e.poll_in_flight[static_cast<std::size_t>(s)] = false;
        if (free_if_done(e) || events == -ECANCELED) return;
        if (events < 0) {
            cannot_watch(e, s, -events);
            return;
        }
        if ((events & (POLLRDHUP | POLLHUP | POLLERR)) != 0) e.peer_is_done = true;
        e.tell(s);
    }

    void fetched(endpoint& e, const io_uring_cqe& cqe)
    {
        buffer came;
        if ((cqe.flags & IORING_CQE_F_BUFFER) != 0) {
            char* const memory = memory_ + (cqe.flags >> IORING_CQE_BUFFER_SHIFT) * estate::ring_stride;
            came = owned().filled(memory, static_cast<std::size_t>(std::max(cqe.res, 0)));
        }
        e.fetch_in_flight = false;
        e.fetch_is_unwanted = false;
        if (free_if_done(e)) return;
        if (cqe.res == -ECANCELED || cqe.res == -ENOBUFS || cqe.res == -EINTR || cqe.res == -EAGAIN) {
            no_bytes(e, cqe.res);
            return;
        }
        if (cqe.res > 0) {
            e.maybe_readable = came.space().empty() || (cqe.flags & IORING_CQE_F_SOCK_NONEMPTY) != 0;
            e.early = std::move(came);
        } else {
            e.early_end = true;
            e.early_error = -cqe.res;
        }
        if (e.member == membership::waiting) {
            report_readable(e);
        } else {
            tell_reader(e);
        }
    }

    /// Handles a fetch that ended without bytes. By now another reader may depend on it than the one that began it.
    void no_bytes(endpoint& e, int why)
    {
        if (e.member != membership::waiting) {
            tell_reader(e);
        } else if (e.expired || why == -ENOBUFS) {
            // The ring has no buffer left, so the bytes are read into one of our own.
            report_readable(e);
        } else {
            begin_fetch(e);
        }
    }

    /// A reader that began to wait during the fetch has no poll of its own, so it is notified here.
    static void tell_reader(endpoint& e)
    {
        if (e.waiters[static_cast<std::size_t>(side::read)] != nullptr) e.tell(side::read);
    }

    void accepted(accepting& a, const io_uring_cqe& cqe)
    {
        const bool is_last = (cqe.flags & IORING_CQE_F_MORE) == 0;
        if (a.is_orphan) {
            if (cqe.res >= 0) ::close(cqe.res);
        } else if (cqe.res >= 0) {
            a.accepted(cqe.res);
        } else if (cqe.res != -ECANCELED && cqe.res != -EAGAIN) {
            a.failed(-cqe.res);
        }
        if (!is_last) return;
        expect_no_more();
        a.ended_in_flight();
    }

    [[nodiscard]] static bool is_in_flight(const endpoint& e)
    {
        return e.poll_in_flight[0] || e.poll_in_flight[1] || e.fetch_in_flight;
    }

    bool free_if_done(endpoint& e)
    {
        if (!e.closing) return false;
        if (is_in_flight(e)) return true;
        expect_no_more();
        ::close(e.fd);
        owned().free(e);
        return true;
    }

    /// At the end of the engine: waits until the kernel no longer uses any memory, and at most a second.
    void drain()
    {
        is_draining_ = true;
        bool is_told = false;
        const auto enough = std::chrono::steady_clock::now() + std::chrono::seconds(1);
        while (in_flight_ > 0 && std::chrono::steady_clock::now() < enough) {
            queue_held_back();
            if (io_uring_sqe* const sqe = is_told ? nullptr : free_submission()) {
                io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);  // Linux 5.19
                sqe->user_data = static_cast<std::uint64_t>(about::nothing);
                is_told = true;
            }
            if (io_uring_cq_ready(&ring_) == 0) enter(enough);
            collect();
        }
    }

    io_uring ring_{};
    io_uring_buf_ring* buffers_ = nullptr;
    char* memory_ = nullptr;
    std::size_t in_flight_ = 0;
    list_link<held_back> held_back_;  // the objects with operations that were held back; usually empty
    doorbell doorbell_;
    bool is_made_ = false;
    bool is_draining_ = false;
};

std::string refusal(int number) { return fmt::format("io_uring refused: {}", error::of(number).text); }

/// Names an operation that the engine needs and this kernel, or a seccomp filter, does not support. SOCKET is not used,
/// but it was added in the same release as buffer rings and multishot accept, for which there is no query.
std::string lacking_operation(io_uring& ring)
{
    constexpr std::array needed{IORING_OP_POLL_ADD, IORING_OP_RECV,  IORING_OP_ACCEPT,       IORING_OP_OPENAT2,
                                IORING_OP_READ,     IORING_OP_WRITE, IORING_OP_ASYNC_CANCEL, IORING_OP_SOCKET};
    io_uring_probe* const known = io_uring_get_probe_ring(&ring);
    if (known == nullptr) return "io_uring refused: the kernel does not report its operations";
    const bool has_all = std::ranges::all_of(needed, [&](int op) { return io_uring_opcode_supported(known, op) != 0; });
    io_uring_free_probe(known);
    return has_all ? "" : "io_uring refused: the kernel is too old (before Linux 5.19) or restricts it";
}

}  // namespace

made_engine make_uring_engine(csp::core& home)
{
    auto bell = make_bell();
    if (!bell) return std::unexpected(std::move(bell.error()));
    auto made = std::make_unique<uring_engine>(home, std::move(*bell));
    if (const int done = made->make(); done < 0) return std::unexpected(refusal(-done));
    return made;
}

std::string why_no_uring()
{
    io_uring ring;
    if (const int made = make_ring(ring); made < 0) return refusal(-made);
    std::string lacking = lacking_operation(ring);
    if (lacking.empty()) {
        if (const int done = restrict_ring(ring); done < 0) lacking = refusal(-done);
    }
    io_uring_queue_exit(&ring);
    return lacking;
}

}  // namespace io::detail
