// SPDX-License-Identifier: MIT
#include "server/respond/refusal.hpp"

#include <cerrno>

namespace server {

using http::status;

http::error refusal(const io::error& e)
{
    switch (e.number) {
        case ENOENT:
        case ENOTDIR:
        case ENAMETOOLONG:
        case ELOOP:
            return not_there;
        case EACCES:
        case EPERM:
            return {status::forbidden, "The server may not read this file."};
        case ENXIO:  // a socket or a device without a driver
        case ENODEV:
            return not_a_page;
        case EXDEV:
            return {status::forbidden, "This path leads outside the directory that is served."};
        case ESTALE:
            return file_changing;
        case EMFILE:
        case ENFILE:
            return {status::service_unavailable, "The server has too many open files. Try again later."};
        case EAGAIN:  // no thread could be started, something was renamed too often, or a process has a lease on the
                      // file
            return {status::service_unavailable, "The file cannot be opened at the moment. Try again later."};
        case ECANCELED:  // io_uring has no worker thread
        case ENOMEM:
            return {status::service_unavailable, "The server is short of memory or threads. Try again later."};
        default:
            return {status::internal_server_error, "The file could not be read."};
    }
}

bool is_resource_shortage(const http::error& e) { return e.code == status::service_unavailable && e != file_changing; }

}  // namespace server
