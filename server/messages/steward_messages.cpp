// SPDX-License-Identifier: MIT
#include "server/messages/steward_messages.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace server {
namespace {

/// Nothing if the sizes differ.
template <class Message>
std::optional<Message> copy_of(std::span<const std::byte> bytes)
{
    static_assert(std::is_trivially_copyable_v<Message>);
    if (bytes.size() != sizeof(Message)) return std::nullopt;
    Message m;
    std::memcpy(&m, bytes.data(), sizeof m);
    return m;
}

bool is_known(errand what)
{
    switch (what) {
        case errand::check_log:
        case errand::open_log:
        case errand::connect_log:
        case errand::listen:
        case errand::remove_socket:
        case errand::upgrade:
        case errand::start_runner:
            return true;
    }
    return false;
}

}  // namespace

std::optional<steward_request> steward_request::make(errand what, std::string_view text, io::socket_identity file)
{
    if (text.size() > longest_text || text.contains('\0')) return std::nullopt;
    steward_request r{.what = what, .device = file.device, .inode = file.inode};
    std::ranges::copy(text, r.text.begin());
    return r;
}

steward_answer steward_answer::make(kind what, std::string_view text) noexcept
{
    steward_answer a{.what = what};
    std::ranges::copy(text.substr(0, longest_text), a.text.begin());
    return a;
}

std::string_view steward_answer::why() const { return {text.data(), ::strnlen(text.data(), longest_text)}; }

std::optional<errand_order> parse_request(std::span<const std::byte> bytes)
{
    const auto r = copy_of<steward_request>(bytes);
    if (!r || !is_known(r->what)) return std::nullopt;
    const std::size_t length = ::strnlen(r->text.data(), r->text.size());
    if (length == r->text.size()) return std::nullopt;
    return errand_order{
        .what = r->what, .text = {r->text.data(), length}, .file = {.device = r->device, .inode = r->inode}};
}

std::optional<steward_inheritance> parse_inheritance(std::span<const std::byte> bytes)
{
    const auto i = copy_of<steward_inheritance>(bytes);
    if (!i || (i->what != steward_inheritance::kind::socket && i->what != steward_inheritance::kind::run)) {
        return std::nullopt;
    }
    return i;
}

}  // namespace server
