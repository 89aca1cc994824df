// SPDX-License-Identifier: MIT
#include "io/engine.hpp"

#include <chrono>
#include <csignal>
#include <sys/eventfd.h>
#include <utility>

#include <fmt/format.h>

#include "io/endpoint.hpp"
#include "io/engines.hpp"
#include "io/file_call.hpp"

namespace io {

std::expected<descriptor, std::string> detail::make_bell()
{
    descriptor bell(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!bell) return std::unexpected(fmt::format("no eventfd can be made: {}", error::of_errno().text));
    return bell;
}

engine::engine(csp::core& home, descriptor bell)
    : home_(home),
      owned_(new detail::estate(*this)),
      pool_(std::make_unique<detail::file_pool>(*this)),
      pool_of_logs_(std::make_unique<detail::file_pool>(*this)),
      later_(home),
      bell_(std::move(bell))
{
    // Without SIGPIPE, writing to a peer that is gone is an error of the call. sendfile(2) and write(2) have no flag
    // for this.
    std::signal(SIGPIPE, SIG_IGN);
}

engine::~engine() { owned_->engine_ended(); }

void engine::wake() noexcept { eventfd_write(bell_.number(), 1); }

detail::file_pool& engine::pool_for(const detail::file_call& c) { return c.is_of_log ? pool_of_logs() : pool(); }

void engine::stop_pool() noexcept
{
    pool_.reset();
    pool_of_logs_.reset();
}

void engine::collect_from_pool()
{
    for (detail::file_pool* const pool : {pool_.get(), pool_of_logs_.get()}) {
        if (pool == nullptr) continue;
        for (detail::file_call* c = pool->collect(); c != nullptr;) {
            detail::file_call& done = *std::exchange(c, c->next);
            done.complete(done.value);
        }
    }
}

void engine::cannot_watch(detail::endpoint& e, detail::side s, int why)
{
    constexpr std::chrono::milliseconds pause{100};
    if (e.member == detail::membership::waiting) {
        e.early_end = true;
        e.early_error = why;
        detail::report_readable(e);
    } else if (detail::watch* const w = detail::watch::at(e, s); w != nullptr) {
        if (w->alone()) w->append_to(later_.unwatched);
        if (!later_.pending()) home_.timers().set(later_, home_.now() + pause);
    } else {
        e.refused = why;
        e.tell(s);
    }
}

engine::later::later(csp::core& home) : timer(look_again, csp::room::reserved) { home.timers().reserve(1); }

void engine::later::look_again(csp::timer& t) noexcept
{
    detail::list_link<detail::watch> due;
    auto& unwatched = static_cast<later&>(t).unwatched;
    while (!unwatched.alone()) {
        detail::list_link<detail::watch>& first = *unwatched.next;
        first.unlink();
        first.append_to(due);
    }
    // Those that fail again are added to `unwatched` again.
    while (!due.alone()) static_cast<detail::watch&>(*due.next).look_again();
}

std::expected<probed, std::string> probe(engine_choice choice)
{
    if (choice == engine_choice::epoll) return probed{engine_choice::epoll, "using epoll, as configured"};
    const std::string refusal = detail::why_no_uring();
    if (refusal.empty()) {
        return probed{engine_choice::uring,
                      choice == engine_choice::uring ? "using io_uring, as configured" : "using io_uring"};
    }
    if (choice == engine_choice::uring) return std::unexpected(refusal);
    return probed{engine_choice::epoll, refusal + "; using epoll"};
}

std::expected<std::unique_ptr<engine>, std::string> make_engine(engine_choice choice, csp::core& home)
{
    if (choice != engine_choice::epoll) {
        auto made = detail::make_uring_engine(home);
        if (made || choice == engine_choice::uring) return made;
    }
    return detail::make_epoll_engine(home);
}

csp::kernel::neighbour_maker engines(engine_choice choice)
{
    return [choice](csp::core& home) -> csp::kernel::made_neighbour { return make_engine(choice, home); };
}

}  // namespace io
