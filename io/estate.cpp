// SPDX-License-Identifier: MIT
#include <algorithm>
#include <new>

#include "csp/check.hpp"
#include "io/endpoint.hpp"

// How the memory of an engine is managed.
//
// Endpoints and buffers belong to an estate and not to the engine, since processes may still hold sockets and buffers
// when the engine is destroyed. The estate counts what is in use and deletes itself when the engine has ended and the
// count is 0. After the engine's end a dropped socket is simply closed.
//
// Endpoints are in slots, which are allocated in slabs of 64 and reused through a free list; a slab is never returned
// while the estate exists. So the address in a late event from the kernel always points to a slot. Each slot has a
// generation, which is incremented when its endpoint is freed: if it differs from that of the event, the event is for
// an earlier endpoint and is ignored.
//
// There are two kinds of buffers of the same size. Those of the ring are one block, which the io_uring engine provides
// to the kernel; they go back to the engine. All others are allocated singly, and up to 256 free ones are kept. The
// address of a buffer tells which kind it is.

namespace io::detail {
namespace {

constexpr std::size_t slots_a_slab = 64;
constexpr std::size_t most_free_buffers = 256;

}  // namespace

// The memory of a slot is never used for anything else, because a late event may read its generation.
struct alignas(64) estate::slot {
    slot* next_free;
    std::uint16_t generation;
    alignas(endpoint) std::byte tenant[sizeof(endpoint)];

    [[nodiscard]] static slot& of(endpoint& e)
    {
        return *reinterpret_cast<slot*>(reinterpret_cast<std::byte*>(&e) - offsetof(slot, tenant));
    }
};

estate::estate(engine& e) : owner_(&e) { free_buffers_.reserve(most_free_buffers); }  // give_back() must not fail
estate::~estate() = default;

endpoint& estate::new_endpoint(int fd)
{
    if (free_slots_ == nullptr) {
        // Each endpoint has a timer, which is also set where nothing may throw.
        owner_->home().timers().reserve(slots_a_slab);
        slot* const slab = slabs_.emplace_back(std::make_unique<slot[]>(slots_a_slab)).get();
        for (slot* s = slab; s < slab + slots_a_slab; ++s) {
            s->generation = 0;
            s->next_free = std::exchange(free_slots_, s);
        }
    }
    slot& s = *std::exchange(free_slots_, free_slots_->next_free);
    ++held_;
    auto* const e = new (s.tenant) endpoint(*this, fd);
    e->generation = s.generation;
    return *e;
}

bool estate::is_current(endpoint& e, std::uint16_t generation) { return slot::of(e).generation == generation; }

void estate::drop(endpoint& e) noexcept
{
    if (e.member != membership::none) leave_set(e);
    if (owner_ == nullptr) [[unlikely]] {
        if (e.fd >= 0) ::close(e.fd);
        free(e);
        return;
    }
    CSP_CHECK(&owner_->home() == csp::core::here_or_null(), "a socket stays on its core; a descriptor may travel");
    owner_->discard(e);
}

void estate::free(endpoint& e) noexcept
{
    slot& s = slot::of(e);
    e.~endpoint();
    ++s.generation;
    s.next_free = std::exchange(free_slots_, &s);
    one_less();
}

buffer estate::new_buffer()
{
    if (free_buffers_.empty()) {
        auto fresh = std::make_unique_for_overwrite<char[]>(buffer::capacity);
        ++held_;
        return {*this, fresh.release(), 0};
    }
    ++held_;
    char* const memory = free_buffers_.back().release();
    free_buffers_.pop_back();
    return {*this, memory, 0};
}

char* estate::make_ring(std::size_t buffers, ring_return give_back)
{
    ring_bytes_ = buffers * ring_stride;
    ring_ = std::make_unique_for_overwrite<char[]>(ring_bytes_);
    ring_return_ = give_back;
    return ring_.get();
}

void estate::give_back(char* memory) noexcept
{
    if (static_cast<std::size_t>(memory - ring_.get()) < ring_bytes_) {
        if (owner_ != nullptr) ring_return_(*owner_, memory);
    } else if (free_buffers_.size() < most_free_buffers) {
        free_buffers_.emplace_back(memory);
    } else {
        delete[] memory;
    }
    one_less();
}

void estate::engine_ended() noexcept
{
    owner_ = nullptr;
    ++held_;
    one_less();
}

void estate::one_less() noexcept
{
    if (--held_ == 0 && owner_ == nullptr) delete this;
}

// ---- watching

void watch::start(endpoint& e)
{
    if (at_ != nullptr) return;
    waiter*& slot = e.waiter_on(side_);
    CSP_CHECK(slot == nullptr, "one process at a time waits on a side of a socket");
    at_ = &e;
    slot = this;
    e.is_watched[static_cast<std::size_t>(side_)] = true;
    engine& outside = *e.home.owner();
    outside.expect();
    outside.want(e, side_);
}

void watch::stop() noexcept
{
    if (at_ == nullptr) return;
    unlink();
    endpoint& e = *std::exchange(at_, nullptr);
    waiter*& slot = e.waiter_on(side_);
    if (slot == this) slot = nullptr;
    e.is_watched[static_cast<std::size_t>(side_)] = false;
    if (engine* outside = e.home.owner(); outside != nullptr) outside->expect_no_more();
}

watch* watch::at(const endpoint& e, side s)
{
    const auto which = static_cast<std::size_t>(s);
    return e.is_watched[which] && e.waiters[which] != nullptr ? static_cast<watch*>(e.waiters[which]) : nullptr;
}

void watch::look_again()
{
    unlink();
    at_->tell(side_);
}

void watch::heard(waiter& w) noexcept
{
    auto& self = static_cast<watch&>(w);
    self.stop();
    self.told_(self);
}

}  // namespace io::detail

namespace io {

buffer buffer::make() { return engine::here().owned().new_buffer(); }

void buffer::compact()
{
    if (begin_ == 0) return;
    std::copy(memory_ + begin_, memory_ + end_, memory_);
    end_ -= begin_;
    begin_ = 0;
}

void buffer::give_back() noexcept
{
    engine* const owner = home_->owner();
    CSP_CHECK(owner == nullptr || &owner->home() == csp::core::here_or_null(), "a buffer stays on its core");
    home_->give_back(memory_);
}

}  // namespace io
