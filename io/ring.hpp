// SPDX-License-Identifier: MIT
//
// Rings of io_uring that can do no more than the engine needs. A seccomp filter does not see the operations of a ring,
// so each ring is restricted for good before it is enabled.
#pragma once

#include <liburing.h>

namespace io::detail {

/// Makes a ring with the newest features that this kernel supports. Until restrict_ring() it is disabled: it accepts
/// registrations, but no operations. Returns 0 or a negative errno.
[[nodiscard]] int make_ring(io_uring& ring);

/// Restricts a ring to the operations of the engine, without any further registration, and enables it. Returns 0 or a
/// negative errno.
[[nodiscard]] int restrict_ring(io_uring& ring);

}  // namespace io::detail
