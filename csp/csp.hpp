// SPDX-License-Identifier: MIT
//
// All of csp except the support for tests (csp/testing.hpp).
#pragma once

#include "csp/alt.hpp"
#include "csp/ask.hpp"
#include "csp/barrier.hpp"
#include "csp/bridge.hpp"
#include "csp/buffered_bridge.hpp"
#include "csp/channel.hpp"
#include "csp/check.hpp"
#include "csp/config.hpp"
#include "csp/core.hpp"
#include "csp/crosses_cores.hpp"
#include "csp/forking.hpp"
#include "csp/frozen.hpp"
#include "csp/kernel.hpp"
#include "csp/mobile.hpp"
#include "csp/par.hpp"
#include "csp/post_mortem.hpp"
#include "csp/process.hpp"
#include "csp/timer.hpp"
