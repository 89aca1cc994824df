// SPDX-License-Identifier: MIT
#pragma once

namespace server {

/// Several functions as one, for std::visit.
template <class... Functions>
struct overloaded : Functions... {
    using Functions::operator()...;
};

}  // namespace server
