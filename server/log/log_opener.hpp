// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "csp/channel.hpp"
#include "csp/forking.hpp"
#include "csp/mobile.hpp"
#include "csp/process.hpp"
#include "server/configuration/log_target.hpp"
#include "server/messages/stop.hpp"

namespace server {

struct log_wanted {
    enum class kind : std::uint8_t { check, open };

    kind what = kind::open;
    std::string where;  // as an operator writes it
    int stream = -1;    // for "-"
};
/// The log, if it was to be opened; or the reason why it cannot be, as a sentence.
using log_answer = std::expected<std::optional<log_destination>, std::string>;
static_assert(csp::mobile<log_wanted> && csp::mobile<log_answer>);

/// Opens a log, or looks whether that is possible, and waits for its file system as long as that takes. So it is a
/// process of its own: whoever wants the log may stop waiting.
///
///   answer   log_answer   once
///
/// Deadlock: a client of the one that started it, which takes the answer or drops its end.
csp::process log_opener(log_wanted wanted, csp::out<log_answer> answer);

/// Those that were started and have not answered.
class log_openers {
  public:
    /// Waits for the answer, at most for patience_with_file_system, and no longer than until `ending` is closed.
    [[nodiscard]] csp::step<log_answer> ask(log_wanted wanted, csp::in<stop>& ending);
    /// Whether one may wait for ever: then only the end of the program ends it.
    [[nodiscard]] bool any_hangs() const { return !unanswered_.empty(); }

  private:
    struct one {
        std::string where;
        csp::in<log_answer> answers;
    };
    [[nodiscard]] csp::step<void> forget_answered();

    csp::forking openers_{csp::faults::contained};  // one that faults closes its end
    std::vector<one> unanswered_;
};

}  // namespace server
