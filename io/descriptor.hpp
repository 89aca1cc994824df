// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>
#include <utility>

namespace io {

/// Owns a file descriptor. Unlike a socket it belongs to no core, so it may cross a bridge.
class descriptor {
  public:
    descriptor() = default;
    explicit descriptor(int fd) noexcept : fd_(fd) {}
    descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~descriptor()
    {
        // Not repeated on EINTR: Linux has already freed the number, which may be in use again.
        if (fd_ >= 0) ::close(fd_);
    }

    [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
    [[nodiscard]] int number() const { return fd_; }
    [[nodiscard]] int release() && { return std::exchange(fd_, -1); }

  private:
    int fd_ = -1;
};

}  // namespace io
