// SPDX-License-Identifier: MIT
#include "server/messages/connection.hpp"

#include <utility>

namespace server {

void input_bytes::add(io::buffer&& arrived)
{
    if (empty()) {
        buffer_ = std::move(arrived);
        kept_.clear();
        return;
    }
    if (kept_.empty()) kept_ = buffer_.text();
    buffer_ = io::buffer();
    kept_ += arrived.text();
}

void input_bytes::consume(std::size_t bytes)
{
    if (kept_.empty()) {
        buffer_.consume(bytes);
        if (buffer_.empty()) buffer_ = io::buffer();
    } else {
        kept_.erase(0, bytes);
        if (kept_.empty()) kept_.shrink_to_fit();
    }
}

void input_bytes::release_buffer()
{
    if (kept_.empty() && buffer_) kept_ = std::string(buffer_.text());
    buffer_ = io::buffer();
}

}  // namespace server
