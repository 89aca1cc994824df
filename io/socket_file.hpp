// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace io {

/// Identifies a socket's file, to tell it from another file at the same path.
struct socket_identity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;

    /// The identity of the socket at `path`; empty if there is no file or one of another kind. Does not follow links.
    [[nodiscard]] static socket_identity at(const std::string& path);
    [[nodiscard]] explicit operator bool() const { return inode != 0; }
    [[nodiscard]] bool operator==(const socket_identity&) const = default;
};

/// Removes the file at `path` if it is still this socket. REQUIRES: the socket is open; otherwise its inode may have
/// been reused.
void remove_socket(const std::string& path, const socket_identity& which);

/// The file of a listening socket. The destructor removes it, unless another file has replaced it.
class socket_file {
  public:
    socket_file() = default;
    explicit socket_file(std::string path) : path_(std::move(path)), which_(socket_identity::at(path_)) {}
    socket_file(socket_file&& other) noexcept
        : path_(std::move(other.path_)), which_(std::exchange(other.which_, socket_identity()))
    {
    }
    socket_file& operator=(socket_file&& other) noexcept
    {
        std::swap(path_, other.path_);
        std::swap(which_, other.which_);
        return *this;
    }
    ~socket_file() { remove(); }

    void remove();
    /// Renames the file, and replaces any file at `path`. Returns false, with errno, on failure.
    [[nodiscard]] bool move_to(const std::string& path);

  private:
    std::string path_;
    socket_identity which_;
};

}  // namespace io
