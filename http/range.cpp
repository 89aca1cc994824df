// SPDX-License-Identifier: MIT
#include "http/range.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "http/characters.hpp"
#include "http/list.hpp"

namespace http {
namespace {

constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();

/// Parses 1*DIGIT. A number that does not fit in 64 bits is valid and larger than any size, so the largest is returned.
std::optional<std::uint64_t> parse_number(std::string_view text) noexcept
{
    if (text.empty()) return std::nullopt;
    std::uint64_t number = 0;
    for (char c : text) {
        if (!is_digit(c)) return std::nullopt;
        const auto digit = static_cast<std::uint64_t>(c - '0');
        number = number > (most - digit) / 10 ? most : number * 10 + digit;
    }
    return number;
}

/// Parses int-range / suffix-range (RFC 9110 section 14.1.2), limited to the size. `bytes` is 0 if the range cannot be
/// satisfied. Returns nullopt if the text is neither, or if the range ends before it begins.
std::optional<byte_range> parse_spec(std::string_view spec, std::uint64_t size) noexcept
{
    const std::size_t dash = spec.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const std::string_view begin = spec.substr(0, dash);
    const std::string_view end = spec.substr(dash + 1);

    const auto last = end.empty() && !begin.empty() ? std::optional(most) : parse_number(end);
    if (!last) return std::nullopt;
    if (begin.empty()) {
        const std::uint64_t bytes = std::min(*last, size);
        return byte_range{size - bytes, bytes};
    }
    const auto first = parse_number(begin);
    if (!first || *first > *last) return std::nullopt;
    if (*first >= size) return byte_range{};
    return byte_range{*first, std::min(*last, size - 1) - *first + 1};
}

bool touch(const byte_range& a, const byte_range& b) noexcept
{
    return a.first <= b.first + b.bytes && b.first <= a.first + a.bytes;
}

byte_range join(const byte_range& a, const byte_range& b) noexcept
{
    const std::uint64_t first = std::min(a.first, b.first);
    return {first, std::max(a.first + a.bytes, b.first + b.bytes) - first};
}

/// The ranges of one field. No two of them overlap or are adjacent.
class collection {
  public:
    /// Joins the range with all those that it touches, at the position of the first of them. One pass is enough: what a
    /// joined range adds cannot touch another range, or these two would have been joined before.
    void add(byte_range range) noexcept
    {
        std::size_t place = size_;
        for (std::size_t i = 0; i < size_;) {
            if (!touch(ranges_[i], range)) {
                ++i;
                continue;
            }
            range = join(ranges_[i], range);
            place = std::min(place, i);
            remove(i);
        }
        insert(place, range);
    }

    [[nodiscard]] std::span<const byte_range> all() const noexcept { return {ranges_.data(), size_}; }

  private:
    void remove(std::size_t i) noexcept
    {
        std::copy(ranges_.begin() + i + 1, ranges_.begin() + size_, ranges_.begin() + i);
        --size_;
    }

    void insert(std::size_t i, const byte_range& range) noexcept
    {
        std::copy_backward(ranges_.begin() + i, ranges_.begin() + size_, ranges_.begin() + size_ + 1);
        ranges_[i] = range;
        ++size_;
    }

    /// Large enough for all ranges of the field, because a late range may join many earlier ones.
    std::array<byte_range, max_written_ranges> ranges_;
    std::size_t size_ = 0;
};

/// Parses the range-set after `bytes=`. Returns nullopt if the field is to be ignored, and an empty list if no range
/// can be satisfied.
std::optional<range_list> parse_set(std::string_view set, std::uint64_t size) noexcept
{
    collection found;
    std::size_t written = 0;
    list_cursor list(set);
    while (const auto spec = list.next()) {
        if (spec->empty()) continue;  // RFC 9110 section 5.6.1.2
        const auto range = parse_spec(*spec, size);
        if (!range || ++written > max_written_ranges) return std::nullopt;
        if (range->bytes > 0) found.add(*range);
    }
    if (written == 0 || found.all().size() > max_ranges) return std::nullopt;

    range_list ranges;
    for (const byte_range& range : found.all()) ranges.add(range);
    return ranges;
}

std::size_t digits(std::uint64_t number) noexcept
{
    std::size_t count = 1;
    while (number >= 10) {
        number /= 10;
        ++count;
    }
    return count;
}

constexpr std::string_view delimiter = "\r\n--";
constexpr std::string_view type_field = "\r\nContent-Type: ";
constexpr std::string_view range_field = "\r\nContent-Range: ";
constexpr std::string_view end_of_head = "\r\n\r\n";
constexpr std::string_view end_of_body = "--\r\n";

[[maybe_unused]] bool is_boundary(std::string_view text) noexcept
{
    const auto is_plain = [](char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '_'; };
    return !text.empty() && text.size() <= 70 && std::ranges::all_of(text, is_plain);
}

}  // namespace

std::uint64_t range_list::bytes() const noexcept
{
    std::uint64_t sum = 0;
    for (const byte_range& range : *this) sum += range.bytes;
    return sum;
}

requested_ranges parse_range(std::string_view field, std::uint64_t size) noexcept
{
    constexpr std::string_view unit = "bytes=";
    if (!equal_ignoring_case(field.substr(0, unit.size()), unit)) return {};  // unit names: RFC 9110 section 14.1
    const auto ranges = parse_set(field.substr(unit.size()), size);
    if (!ranges) return {};
    if (ranges->size() == 0) return {size == 0 ? range_answer::whole : range_answer::unsatisfiable, {}};
    return {range_answer::parts, *ranges};
}

void content_range_text::put(std::uint64_t number) noexcept
{
    char* const end = std::to_chars(text_.data() + size_, text_.data() + text_.size(), number).ptr;
    size_ = static_cast<std::size_t>(end - text_.data());
}

content_range_text content_range(const byte_range& range, std::uint64_t size) noexcept
{
    content_range_text text;
    text.put("bytes ");
    text.put(range.first);
    text.put("-");
    text.put(range.last());
    text.put("/");
    text.put(size);
    return text;
}

content_range_text unsatisfied_range(std::uint64_t size) noexcept
{
    content_range_text text;
    text.put("bytes */");
    text.put(size);
    return text;
}

std::string multipart_framing::response_type() const
{
    assert(is_boundary(boundary));
    return std::string("multipart/byteranges; boundary=").append(boundary);
}

/// The leading CRLF belongs to the delimiter (RFC 2046 section 5.1.1). Before the first part it ends an empty preamble,
/// so that all parts begin in the same way.
std::string multipart_framing::part_head(const byte_range& range) const
{
    assert(is_boundary(boundary));
    std::string text;
    text.reserve(boundary.size() + content_type.size() + 128);
    text.append(delimiter).append(boundary);
    if (!content_type.empty()) text.append(type_field).append(content_type);
    return text.append(range_field).append(content_range(range, size).text()).append(end_of_head);
}

std::string multipart_framing::closing_line() const
{
    assert(is_boundary(boundary));
    return std::string(delimiter).append(boundary).append(end_of_body);
}

std::uint64_t multipart_framing::body_bytes(std::span<const byte_range> ranges) const noexcept
{
    const std::size_t type = content_type.empty() ? 0 : type_field.size() + content_type.size();
    const std::size_t constant = delimiter.size() + boundary.size() + type + range_field.size() +
                                 std::string_view("bytes -/").size() + digits(size) + end_of_head.size();
    std::uint64_t sum = delimiter.size() + boundary.size() + end_of_body.size();
    for (const byte_range& range : ranges) sum += constant + digits(range.first) + digits(range.last()) + range.bytes;
    return sum;
}

}  // namespace http
