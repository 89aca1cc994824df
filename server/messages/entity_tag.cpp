// SPDX-License-Identifier: MIT
#include "server/messages/entity_tag.hpp"

#include <array>
#include <cstdint>
#include <new>
#include <xxhash.h>

#include "csp/check.hpp"

namespace server {
namespace {

/// Encoded as base64url (RFC 4648 section 5): all its characters are allowed in a tag, and 128 bits need only 22 of
/// them.
std::string tag_of(XXH128_hash_t hash)
{
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    XXH128_canonical_t bytes;
    XXH128_canonicalFromHash(&bytes, hash);  // the same bytes on every machine

    std::string tag = "\"";
    std::uint32_t bits = 0;
    int how_many = 0;
    for (const unsigned char byte : bytes.digest) {
        bits = bits << 8 | byte;
        for (how_many += 8; how_many >= 6; how_many -= 6) tag += alphabet[bits >> (how_many - 6) & 63];
    }
    tag += alphabet[bits << (6 - how_many) & 63];
    tag += '"';
    return tag;
}

}  // namespace

std::string coded_etag(std::string_view etag, http::coding c)
{
    CSP_CHECK(etag.size() >= 2 && etag.ends_with('"'), "a tag has its quotes");
    std::string coded(etag.substr(0, etag.size() - 1));
    if (c != http::coding::identity) coded.append("-").append(http::token(c));
    coded += '"';
    return coded;
}

std::string content_etag(std::string_view content, http::coding c)
{
    return coded_etag(tag_of(XXH3_128bits(content.data(), content.size())), c);
}

std::string etag_of_times(const file_identity& i)
{
    // The device is left out: its number may change when the machine restarts.
    const std::array<std::int64_t, 4> version{static_cast<std::int64_t>(i.inode), static_cast<std::int64_t>(i.size),
                                              i.modified.count(), i.changed.count()};
    return "\"t-" + tag_of(XXH3_128bits(version.data(), sizeof version)).substr(1);
}

content_hash::content_hash() : state_(XXH3_createState())
{
    if (state_ == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(state_.get());
}

void content_hash::add(std::span<const char> piece) { XXH3_128bits_update(state_.get(), piece.data(), piece.size()); }

std::string content_hash::etag() const { return tag_of(XXH3_128bits_digest(state_.get())); }

void content_hash::free_state::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

}  // namespace server
